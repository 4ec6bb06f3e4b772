"""A message that comes in more than one piece: its text checked, its size bounded, as it comes.

Unmasked payload comes in, a whole Text or Binary goes out.  Where frames begin and end is not
known here.
"""

from __future__ import annotations

import codecs

from .websocket_events import Binary, Text, WebSocketError
from .websocket_zlib import Inflater

new_decoder = codecs.getincrementaldecoder("utf-8")


class Assembly:
    """Put one message together (RFC 6455 §5.4), of at most ``limit`` bytes.

    The text is decoded twice: piece by piece, so that one that is not UTF-8 is refused with the
    first byte that shows it, and at the end, from the bytes.  To keep the decoded pieces would save
    that, and let a client that sends a megabyte by single characters make us hold sixty of them.
    """

    __slots__ = ("decoder", "held", "inflater", "limit")

    def __init__(self, *, text: bool, inflater: Inflater | None, limit: int) -> None:
        self.decoder = new_decoder() if text else None
        self.inflater = inflater
        self.limit = limit
        self.held = bytearray()

    def add(self, piece: bytes) -> None:
        """Take a piece.  Raise WebSocketError 1007 or 1009."""
        if self.inflater is not None:
            piece = self.inflater.add(piece, self.limit - len(self.held))
        self._keep(piece, last=False)

    def finish(self) -> Text | Binary:
        """Return the message.  Raise WebSocketError 1007 or 1009."""
        rest = b""
        if self.inflater is not None:
            rest = self.inflater.finish(self.limit - len(self.held))
        self._keep(rest, last=True)
        return Binary(bytes(self.held)) if self.decoder is None else Text(self.held.decode())

    def _keep(self, piece: bytes, *, last: bool) -> None:
        if self.decoder is not None:
            try:
                self.decoder.decode(piece, last)
            except UnicodeDecodeError:
                raise not_utf8() from None
            # Half a surrogate shows in its second byte; Python's decoder waits for the third.
            if b"\xed\xa0" <= self.decoder.getstate()[0] <= b"\xed\xbf":
                raise not_utf8()
        self.held += piece


def not_utf8() -> WebSocketError:
    """Return the error for text that is none (RFC 6455 §8.1)."""
    return WebSocketError(1007, "a text message is not UTF-8 (RFC 6455 §8.1)")
