"""Heads in the compression of HPACK (RFC 7541), those remembered that are seen again and again.

Both ends keep a table of fields that came before, and name a field by its index there.  A block of
nothing but such indexes changes no table, and clients and applications repeat their heads: so the
same bytes mean the same fields until another kind of block comes.  hpack works each field out anew,
which is most of what a small request costs.

It is also here that h2 gets to see a head, and it sees no more of it than it needs.  Given the
fields, it would end the whole connection for one malformed request, where RFC 9113 §8.1.1 asks for
the end of its stream; and it looks at each byte in Python.  So ``http2_fields`` judges instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from h2.exceptions import ProtocolError
from hpack import Decoder, Encoder, HeaderTuple, HPACKError, OversizedHeaderListError

from .events import Fields
from .http2_events import Code

# RFC 7541 §6.1: an indexed field is 1 and seven bits of index; all ones would mean that it goes on.
ONLY_INDEXES = re.compile(rb"[\x80-\xfe]*+")
REMEMBERED = 64  # heads of a connection
TABLE = 4096  # bytes: the most that our own table of sent fields may take (RFC 7541 §4.2)


class CompressionError(ProtocolError):
    """A block cannot be decoded, nor any later one (RFC 9113 §4.3); h2 says PROTOCOL_ERROR."""

    error_code = Code.COMPRESSION_ERROR


class TooLong(ProtocolError):
    """A head unfolds to more than we keep, and our table would no longer be the client's."""

    error_code = Code.ENHANCE_YOUR_CALM


class Block(HeaderTuple):
    """A whole head, in the shape of one field: h2 passes it on and looks for nothing in it."""

    head: Any
    """What ``http2_fields`` has made of it: None, until it is asked."""

    def __new__(cls, fields: Fields) -> Block:
        """Wrap the fields of a head."""
        block = super().__new__(cls, b"all fields", fields)
        block.head = None
        return block

    @property
    def fields(self) -> Fields:
        """The fields, in their order, names as they came."""
        return self[1]  # type: ignore[return-value]  # h2 is told that it is bytes


class RememberingDecoder(Decoder):
    """Decode heads; ``most`` is the bytes that one may unfold to, each field 32 more (§6.5.2)."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._known: dict[bytes, Block] = {}

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:
        """Return one Block; raise a ProtocolError of h2 with the code that is right."""
        block = self._known.get(data)
        if block is not None:
            return (block,)
        try:
            block = Block(tuple([(name, value) for name, value in super().decode(data, True)]))
        except OversizedHeaderListError as error:
            raise TooLong(str(error)) from error
        except (HPACKError, IndexError) as error:
            raise CompressionError(str(error)) from error
        if not ONLY_INDEXES.fullmatch(data) or len(self._known) >= REMEMBERED:
            self._known.clear()
        else:
            self._known[data] = block
        return (block,)


class RememberingEncoder(Encoder):
    """Encode heads, with a table of at most TABLE bytes, whatever the client would allow."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[Any, ...], bytes] = {}

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        """Return the block that carries the fields."""
        key = tuple(headers)
        block = self._known.get(key)
        if block is None:
            block = super().encode(key, huffman)
            if not ONLY_INDEXES.fullmatch(block) or len(self._known) >= REMEMBERED:
                self._known.clear()
            else:
                self._known[key] = block
        return block

    @property
    def header_table_size(self) -> int:
        """The size of our table in bytes.  The client's setting may only make it smaller."""
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        value = min(value, TABLE)
        if value != self.header_table.maxsize:
            self._known.clear()
            self.header_table.maxsize = value
            changes = [*self.table_size_changes, value]
            self.table_size_changes = [min(changes), value] if min(changes) < value else [value]
