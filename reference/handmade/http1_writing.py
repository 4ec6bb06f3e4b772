"""How HTTP/1.1 is written: from a response to its head, and from content to framed bytes.

Events come in, bytes go out.  The fields are the application's, so they are checked here, once,
before a byte of them is written; the framing is ours alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol, Self

from . import grammar
from .events import Fields, Informational, OurError

# Python 3.11 still has the phrases of an older RFC for four of them (RFC 9110 §15.5).
REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    422: b"Unprocessable Content",
}

# RFC 9110 §15: 1xx is interim, and every other class is final.
INTERIM, FINAL = range(100, 200), range(200, 600)

# RFC 9110 §15.3.5, §15.3.6 and §15.4.5: these responses never have content.
WITHOUT_CONTENT = frozenset((204, 205, 304))

# Fields by which the application would speak about our connection.  How a message is framed is
# known to the server alone (RFC 9110 §7.6.1), so these never pass; "Connection: close" is heard.
OURS = frozenset((b"connection", b"keep-alive", b"transfer-encoding"))

# RFC 9110 §6.5.1: what frames or routes a message comes too late behind it.
NEVER_TRAILERS = OURS | {b"content-length", b"host", b"trailer"}


class BodyWriter(Protocol):
    """Frame a body.  One object serves one response."""

    def fresh(self) -> BodyWriter:
        """Return a writer for another response, itself where it remembers nothing."""

    def data(self, data: bytes) -> bytes:
        """Return ``data`` framed.  Raise OurError when it exceeds what was announced."""

    def end(self, trailers: Fields) -> bytes:
        """Return what ends the body.  Raise OurError when less came than was announced.

        Trailers are left out where the framing has no place for them (RFC 9110 §6.5.1).
        """


@dataclass(frozen=True, slots=True)
class ResponseFields:
    """Hold checked fields, encoded, and apart from them what they say about the framing."""

    encoded: bytes
    length: int | None
    close: bool
    upgrade: bool = False


@lru_cache(maxsize=512)
def encode_fields(fields: tuple[tuple[bytes, bytes], ...]) -> ResponseFields:
    """Check the fields of a response and write them down (RFC 9112 §5).

    An application answers with the same few sets of fields again and again, so the last ones are
    remembered.  Raise OurError for a name or value that would split the response in two.

    >>> encode_fields(((b"content-length", b"2"),))
    ResponseFields(encoded=b'', length=2, close=False, upgrade=False)
    """
    lines, length, close, upgrade = [], None, False, False
    for name, value in fields:
        check_field(name, value)
        lower = name.lower()
        if lower == b"connection":
            close = close or b"close" in grammar.split_list(value)
        elif lower == b"content-length":
            length = _check_length(value, length)
        if lower not in OURS and lower != b"content-length":
            lines.append(b"%s: %s\r\n" % (name, value))
        upgrade = upgrade or lower == b"upgrade"
    if upgrade:
        lines.insert(0, b"connection: upgrade\r\n")  # RFC 9110 §7.8: they go together
    return ResponseFields(b"".join(lines), length, close, upgrade)


def check_field(name: bytes, value: bytes) -> None:
    """Raise OurError unless a field may be written (RFC 9110 §5.1, §5.5)."""
    if not grammar.FIELD_NAME.fullmatch(name):
        raise OurError(f"{name!r} is not a field name (RFC 9110 §5.1)")
    if not grammar.VALUE.fullmatch(value):
        raise OurError(f"the field {name!r} has a control character in its value (RFC 9110 §5.5)")


def _check_length(value: bytes, seen: int | None) -> int:
    """Return the announced length; the application may say it once, in digits."""
    if not grammar.CONTENT_LENGTH.fullmatch(value) or len(value) > 19:
        raise OurError(f"Content-Length {value!r} is not a number (RFC 9110 §8.6)")
    if seen is not None and seen != int(value):
        raise OurError("two different Content-Length fields (RFC 9110 §8.6)")
    return int(value)


def check_trailers(trailers: Fields) -> None:
    """Raise OurError unless the fields may follow the content (RFC 9110 §6.5.1)."""
    for name, value in trailers:
        check_field(name, value)
        if name.lower() in NEVER_TRAILERS:
            raise OurError(f"the field {name!r} cannot be a trailer (RFC 9110 §6.5.1)")


def status_line(status: int, reason: bytes = b"", kind: range = FINAL) -> bytes:
    """Return the first line of a response (RFC 9112 §4).

    The version is always 1.1: it tells what we speak, not what was asked (RFC 9110 §2.5).
    Raise OurError for a status that is not of its ``kind``: a "final" 100 would leave the client
    waiting for another one.
    """
    if status not in kind:
        raise OurError(f"{status} is not from {kind.start} to {kind.stop - 1} (RFC 9110 §15)")
    reason = reason or REASONS.get(status, b"")
    if not grammar.VALUE.fullmatch(reason):
        raise OurError("the reason phrase has a control character (RFC 9112 §4)")
    return b"HTTP/1.1 %d %s\r\n" % (status, reason)


def informational(event: Informational) -> bytes:
    """Return an interim response; one never has content, so never a length (RFC 9110 §15.2)."""
    line = status_line(event.status, kind=INTERIM)
    return b"%b%b\r\n" % (line, encode_fields(tuple(event.fields)).encoded)


STATUS_LINES = {status: status_line(status) for status in REASONS if status in FINAL}


# ---------------------------------------------------------------- the body


class Stateless:
    """Remember nothing from one response to the next."""

    def fresh(self) -> Self:
        """Return itself."""
        return self


class NoBodyWriter(Stateless):
    """Write nothing: for HEAD, 204 and 304 (RFC 9112 §6.3 case 1), and 205 (RFC 9110 §15.3.6)."""

    def data(self, data: bytes) -> bytes:
        """Drop the content: a client that expects none would read it as the next response."""
        return b""

    def end(self, trailers: Fields) -> bytes:
        """Return nothing."""
        return b""


class LengthWriter:
    """Write exactly ``remaining`` bytes, as Content-Length has promised (RFC 9112 §6.2)."""

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining

    def fresh(self) -> LengthWriter:
        """Return another one: this one counts."""
        return LengthWriter(self.remaining)

    def data(self, data: bytes) -> bytes:
        """Return ``data`` as it is."""
        if len(data) > self.remaining:
            raise OurError("the body is longer than its Content-Length (RFC 9110 §8.6)")
        self.remaining -= len(data)
        return data

    def end(self, trailers: Fields) -> bytes:
        """Return nothing; the length was the end."""
        if self.remaining:
            raise OurError(f"the body is {self.remaining} bytes short of its Content-Length")
        return b""


class ChunkedWriter(Stateless):
    """Write each block as a chunk, so that the end can be told from a broken line (§7.1)."""

    def data(self, data: bytes) -> bytes:
        """Return one chunk.  An empty one would end the body, so it is left out."""
        return b"%x\r\n%b\r\n" % (len(data), data) if data else b""

    def end(self, trailers: Fields) -> bytes:
        """Return the last chunk and the trailer section (RFC 9112 §7.1.2)."""
        check_trailers(trailers)
        return b"0\r\n%b\r\n" % b"".join(b"%s: %s\r\n" % field for field in trailers)


class CloseWriter(Stateless):
    """Write content as it is; the connection's end is the body's (RFC 9112 §6.3 case 8)."""

    def data(self, data: bytes) -> bytes:
        """Return ``data`` as it is."""
        return data

    def end(self, trailers: Fields) -> bytes:
        """Return nothing."""
        return b""


def choose_writer(method: bytes, version: bytes, status: int, length: int | None) -> BodyWriter:
    """Choose how a response is framed (RFC 9112 §6.3, seen from the server)."""
    if method == b"HEAD" or status in WITHOUT_CONTENT:
        return NoBodyWriter()
    if length is not None:
        return LengthWriter(length)
    return ChunkedWriter() if version == b"1.1" else CloseWriter()


def framing_field(status: int, length: int | None, writer: BodyWriter) -> bytes:
    """Return the field that tells the client where the content ends (RFC 9110 §8.6)."""
    if isinstance(writer, ChunkedWriter):
        return b"transfer-encoding: chunked\r\n"
    if status == 205:
        return b"content-length: 0\r\n"
    if length is None or status == 204:
        return b""
    return b"content-length: %d\r\n" % length
