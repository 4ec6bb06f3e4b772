"""The head of a response, whole: its line, its fields, and the framing that goes with them.

``http1_writing`` has the parts; here they are joined once and remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .http1_writing import (
    STATUS_LINES,
    BodyWriter,
    CloseWriter,
    choose_writer,
    encode_fields,
    framing_field,
    status_line,
)


@dataclass(frozen=True, slots=True)
class Head:
    """Hold an encoded head, the writer of its body, and whether the connection goes on."""

    encoded: bytes
    writer: BodyWriter
    keep_alive: bool


@lru_cache(maxsize=512)
def encode_head(
    status: int,
    reason: bytes,
    fields: tuple[tuple[bytes, bytes], ...],
    method: bytes,
    version: bytes,
    keep_alive: bool,
) -> Head:
    """Write a response's head, with the framing that goes with it (RFC 9112 §6).

    ``method`` is GET or HEAD, for no other changes the framing.  The last heads are remembered: an
    application gives the same few, and within a second their Date is the same too.
    """
    line = None if reason else STATUS_LINES.get(status)
    facts = encode_fields(fields)
    writer = choose_writer(method, version, status, facts.length)
    keep_alive = keep_alive and not facts.close and not isinstance(writer, CloseWriter)
    encoded = b"%b%b%b%b\r\n" % (
        line or status_line(status, reason),
        facts.encoded,
        framing_field(status, facts.length, writer),
        persistence_field(version, keep_alive),
    )
    return Head(encoded, writer, keep_alive)


def persistence_field(version: bytes, keep_alive: bool) -> bytes:
    """Say what HTTP/1.0 and HTTP/1.1 do not take for granted (RFC 9112 §9.3)."""
    if not keep_alive:
        return b"connection: close\r\n"
    return b"connection: keep-alive\r\n" if version == b"1.0" else b""
