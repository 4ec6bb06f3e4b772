# trips: control frames between
from __future__ import annotations

CONTROL = {0x8: "close", 0x9: "ping", 0xA: "pong"}
DATA = {0x1: "text", 0x2: "binary"}


class Messages:
    """Put messages together from frames."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.most = most
        self._kind = ""
        self._parts = bytearray()

    def take(self, fin: bool, opcode: int, payload: bytes) -> tuple[str, str | bytes] | None:
        """Take a frame; return what it completes, or None."""
        if opcode in CONTROL:
            if not fin or len(payload) > 125:
                raise ValueError("a control frame is short, and whole (RFC 6455 §5.5)")
            self._kind = CONTROL[opcode]
            whole = bytes(self._parts) + payload
            self._parts.clear()
            return CONTROL[opcode], whole
        if opcode == 0 and not self._kind:
            raise ValueError("nothing has begun that could go on (RFC 6455 §5.4)")
        if opcode != 0 and (self._kind or opcode not in DATA):
            raise ValueError("no message begins here (RFC 6455 §5.4)")
        self._kind = self._kind or DATA[opcode]
        if len(self._parts) + len(payload) > self.most:
            raise ValueError(f"a message is longer than {self.most} bytes")
        self._parts += payload
        if not fin:
            return None
        kind, whole = self._kind, bytes(self._parts)
        self._kind = ""
        self._parts.clear()
        return kind, whole.decode() if kind == "text" else whole
