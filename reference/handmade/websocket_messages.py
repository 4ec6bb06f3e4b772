"""A message that comes in more than one piece: its text checked, its size bounded, as it comes.

Unmasked payload comes in, a whole Text or Binary goes out.  Where frames begin and end is not
known here.
"""

from __future__ import annotations

import codecs

from .websocket_events import Binary, Text, WebSocketError
from .websocket_zlib import Inflater

SMALL = 16384  # bytes
new_decoder = codecs.getincrementaldecoder("utf-8")


class Assembly:
    """Put one message together (RFC 6455 §5.4), of at most ``limit`` bytes.

    The text is decoded twice: piece by piece, so that one that is not UTF-8 is refused with the
    first byte that shows it, and at the end, from the bytes.  To keep the decoded pieces would save
    that, and let a client that sends a megabyte by single characters make us hold sixty of them.
    """

    __slots__ = ("decoder", "held", "inflater", "limit", "size")

    def __init__(self, *, text: bool, inflater: Inflater | None, limit: int) -> None:
        self.decoder = new_decoder() if text else None
        self.inflater = inflater
        self.limit = limit
        self.held: list[bytearray] = []
        self.size = 0

    def add(self, piece: bytes | bytearray) -> None:
        """Take a piece; a bytearray is ours from now on.  Raise WebSocketError 1007 or 1009."""
        if self.inflater is not None:
            piece = self.inflater.add(piece, self.limit - self.size)
        self._check(piece, last=False)
        self._hold(piece)

    def finish(self) -> Text | Binary:
        """Return the message.  Raise WebSocketError 1007 or 1009."""
        rest = b""
        if self.inflater is not None:
            rest = self.inflater.finish(self.limit - self.size)
        self._check(rest, last=True)
        self._hold(rest)
        whole = b"".join(self.held)
        self.held.clear()
        return Binary(whole) if self.decoder is None else Text(whole.decode())

    def _check(self, piece: bytes | bytearray, *, last: bool) -> None:
        """Refuse a text that is no UTF-8."""
        if self.decoder is None:
            return
        try:
            self.decoder.decode(piece, last)
        except UnicodeDecodeError:
            raise not_utf8() from None
        # Half a surrogate shows in its second byte; Python's decoder waits for the third.
        if b"\xed\xa0" <= self.decoder.getstate()[0] <= b"\xed\xbf":
            raise not_utf8()

    def _hold(self, piece: bytes | bytearray) -> None:
        """Keep a piece: small ones together, large ones as they are.

        One bytearray for all would be moved to a larger place again and again; an object for each
        would let a client that sends single characters make us hold sixty times as much.
        """
        self.size += len(piece)
        if self.held and len(self.held[-1]) < SMALL:
            self.held[-1] += piece
        else:
            self.held.append(piece if type(piece) is bytearray else bytearray(piece))


def not_utf8() -> WebSocketError:
    """Return the error for text that is none (RFC 6455 §8.1)."""
    return WebSocketError(1007, "a text message is not UTF-8 (RFC 6455 §8.1)")
