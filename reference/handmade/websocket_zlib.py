"""The two streams of a WebSocket that compresses (RFC 7692 §7.2): messages in, messages out.

Frames are not known here, but for one rule: the last four bytes of each compressed message are
always the same, so they are not sent (§7.2.1).

>>> deflater, inflater = streams(Agreed(), client=False)
>>> deflater.message(b"Hello").hex(" ")
'f2 48 cd c9 c9 07 00'
"""

from __future__ import annotations

import zlib

from .websocket_deflate import Agreed
from .websocket_events import WebSocketError

TAIL = b"\x00\x00\xff\xff"


class Deflater:
    """Compress messages, one after the other (RFC 7692 §7.2.1)."""

    __slots__ = ("_options", "_stream", "_takeover")

    def __init__(self, bits: int, *, takeover: bool, level: int, memory: int) -> None:
        # zlib makes no window of 2**8 bytes; in one of 2**9 it never points back over 250, for it
        # keeps 262 of them to look ahead.
        self._options = (level, zlib.DEFLATED, -max(bits, 9), memory)
        self._takeover = takeover
        self._stream = zlib.compressobj(*self._options) if takeover else None

    def message(self, data: bytes) -> bytes:
        """Return a whole message, compressed, without the four bytes that always end it."""
        stream = self._stream or zlib.compressobj(*self._options)
        return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Inflater:
    """Decompress messages, one after the other (RFC 7692 §7.2.2)."""

    FINALS = 64  # final blocks in one message: each costs a new stream, and a copy of the rest

    __slots__ = ("_bits", "_finals", "_inside", "_stream", "_takeover")

    def __init__(self, bits: int, *, takeover: bool) -> None:
        self._bits = -max(bits, 9)  # old zlibs that are asked for 8 use 9, and do not say so
        self._takeover = takeover
        self._stream = zlib.decompressobj(self._bits)
        self._inside = False  # something has come since the last message, or final block
        self._finals = 0

    def add(self, piece: bytes | bytearray, room: int) -> bytes:
        """Return what a piece of a message decompresses to, at most ``room`` bytes.

        A bomb is given up when it is over that, not when it has gone off.  Raise WebSocketError
        1009 for it, and 1007 for what was not compressed so.
        """
        found = []
        while piece:
            self._inside = True
            try:
                data = self._stream.decompress(piece, room + 1)
            except zlib.error:
                raise WebSocketError(1007, "a message is not deflated (RFC 7692 §7.2.2)") from None
            found.append(data)
            room -= len(data)
            if room < 0:
                raise WebSocketError(1009, "a message inflates beyond our limit (RFC 6455 §10.4)")
            piece = self._restart() if self._stream.eof else b""
        return b"".join(found)

    def _restart(self) -> bytes:
        """Go on behind a final block (RFC 7692 §7.2.3.4); return what has come behind it.

        The window begins empty, as it does at the sender that ends a stream of zlib's.
        """
        self._finals += 1
        if self._finals > self.FINALS:
            raise WebSocketError(1009, "a message has too many final blocks (RFC 7692 §7.2.3.4)")
        rest = self._stream.unused_data
        self._stream = zlib.decompressobj(self._bits)
        self._inside = False
        return rest

    def finish(self, room: int) -> bytes:
        """Put back the four bytes that end a message; return what they bring.

        They complete a block of no bytes, which the sender has begun.  Where it has sent nothing,
        or nothing behind a final block, none is begun, and they would begin one of 65,280 bytes.
        """
        data = self.add(TAIL, room) if self._inside else b""
        self._finals = 0
        self._inside = False
        if not self._takeover:
            self._stream = zlib.decompressobj(self._bits)
        return data


def streams(agreed: Agreed, *, client: bool) -> tuple[Deflater, Inflater]:
    """Return our two streams: what the server may do binds one of them, the client the other."""
    server = (agreed.server_max_window_bits or 15, not agreed.server_no_context_takeover)
    theirs = (agreed.client_max_window_bits or 15, not agreed.client_no_context_takeover)
    (bits, takeover), (their_bits, their_takeover) = (
        (theirs, server) if client else (server, theirs)
    )
    return (
        Deflater(bits, takeover=takeover, level=agreed.level, memory=agreed.memory),
        Inflater(their_bits, takeover=their_takeover),
    )
