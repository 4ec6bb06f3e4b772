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
        # YOUR CODE HERE
        raise NotImplementedError("your turn")

    def take(self, fin: bool, opcode: int, payload: bytes) -> tuple[str, str | bytes] | None:
        """Take a frame; return what it completes, or None."""
        # YOUR CODE HERE
        raise NotImplementedError("your turn")
