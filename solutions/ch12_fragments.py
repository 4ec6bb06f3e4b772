"""★★ fragments: from frames to messages.

Write the class ``Messages``. ``take(fin, opcode, payload)`` gets one frame after the other and
returns None while a message goes on, else a pair: ``("text", "Hello")``, ``("binary", b"...")``,
``("ping", b"...")``, ``("pong", b"...")`` or ``("close", b"...")``.

A control frame (8, 9, A) may come between the fragments of a message: it is returned at once, and
the message loses nothing. ValueError is raised for what a client may not do: go on with what never
began, begin a message within another one, fragment a control frame or make it longer than 125
bytes, use another opcode, send a text that is no UTF-8; and when a message is longer than ``most``
bytes, as soon as that is certain.
"""

from __future__ import annotations

CONTROL = {0x8: "close", 0x9: "ping", 0xA: "pong"}
DATA = {0x1: "text", 0x2: "binary"}


class Messages:
    """Put messages together from frames."""

    def __init__(self, most: int = 1 << 20) -> None:
        self.most = most
        ### BEGIN SOLUTION
        self._kind = ""
        self._parts = bytearray()
        ### END SOLUTION

    def take(self, fin: bool, opcode: int, payload: bytes) -> tuple[str, str | bytes] | None:
        """Take a frame; return what it completes, or None."""
        ### BEGIN SOLUTION
        if opcode in CONTROL:
            if not fin or len(payload) > 125:
                raise ValueError("a control frame is short, and whole (RFC 6455 §5.5)")
            return CONTROL[opcode], payload
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
        ### END SOLUTION
