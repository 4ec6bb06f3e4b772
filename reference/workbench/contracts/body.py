"""What a reader of request bodies promises (RFC 9112 §6 and §7).

The subject is a function ``read_body(fields, buf)``.  ``fields`` are pairs of a name in lower case
and a value, ``buf`` is a bytearray of what has come behind the head.  It takes the body from the
front of ``buf``, framing and all, and returns the content; or it returns None and leaves ``buf`` as
it was, for the body is not all here.  It raises ValueError, or PeerError, where nobody can say
for sure where the body ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handmade.events import ProtocolError

from . import Broken, case

ReadBody = Callable[[list[tuple[bytes, bytes]], bytearray], Any]

NEXT = b"GET /next HTTP/1.1\r\nHost: board.example\r\n\r\n"
CHUNKED = ((b"transfer-encoding", b"chunked"),)
REFUSED = "refused"


def outcome(read_body: ReadBody, fields: Any, buf: bytearray) -> Any:
    """Return the content, None, or REFUSED."""
    try:
        return read_body([(b"host", b"board.example"), *fields], buf)
    except (ValueError, ProtocolError):
        return REFUSED


def length(value: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the fields that announce a length."""
    return ((b"content-length", value),)


def reads(read_body: ReadBody, fields: Any, raw: bytes, wanted: bytes, rest: bytes = NEXT) -> None:
    """Demand this content, and that exactly its bytes are taken."""
    buf = bytearray(raw + rest)
    got = outcome(read_body, fields, buf)
    if got != wanted:
        raise Broken("the content is not what was sent", sent=raw + rest, got=got, wanted=wanted)
    if bytes(buf) != rest:
        raise Broken(
            "the next request must stay in the buffer, whole", sent=raw + rest, got=bytes(buf),
            wanted=rest,
        )  # fmt: skip


def waits(read_body: ReadBody, fields: Any, raw: bytes) -> None:
    """Demand None, and an untouched buffer, for every beginning of ``raw``."""
    for end in range(len(raw)):
        buf = bytearray(raw[:end])
        got = outcome(read_body, fields, buf)
        if got is not None:
            raise Broken(
                f"{end} of {len(raw)} bytes are here, and the reader does not wait for the rest",
                sent=raw[:end],
                got=got,
            )
        if bytes(buf) != raw[:end]:
            raise Broken(
                "a reader that waits leaves the buffer as it was", sent=raw[:end], got=bytes(buf),
                wanted=raw[:end],
            )  # fmt: skip


def refuses(read_body: ReadBody, fields: Any, raw: bytes, why: str) -> None:
    """Demand that the framing is refused: neither taken nor waited for."""
    got = outcome(read_body, fields, bytearray(raw))
    if got != REFUSED:
        what = "waits for more" if got is None else "takes it"
        raise Broken(f"{why}, yet the reader {what}", sent=raw, got=got, wanted=REFUSED)


# ---------------------------------------------------------------- a length


@case("body", "no body", "RFC 9112 §6.3", 3)
def no_body(read_body: ReadBody) -> None:
    """A request that announces no body has none: what follows is the next request."""
    reads(read_body, (), b"", b"")


@case("body", "exactly its length", "RFC 9112 §6.2", 3)
def exactly_its_length(read_body: ReadBody) -> None:
    """Content-Length is the number of bytes that are the body, and no byte more is."""
    reads(read_body, length(b"5"), b"hello", b"hello")
    reads(read_body, length(b"0"), b"", b"")
    reads(read_body, length(b"007"), b"\r\n0\r\n\r\n", b"\r\n0\r\n\r\n")


@case("body", "not all here", "RFC 9112 §8", 3)
def not_all_here(read_body: ReadBody) -> None:
    """A short body is no body yet."""
    waits(read_body, length(b"5"), b"hello")


@case("body", "only digits", "RFC 9110 §8.6", 3)
def only_digits(read_body: ReadBody) -> None:
    """Content-Length is digits; a sign, an underscore or a second number is refused."""
    for value in (b"+5", b"-5", b"5_0", b"0x5", b"5.0", b"", b"five", b"5 5", b"\xb2"):
        refuses(read_body, length(value), b"hello" * 20, f"Content-Length is {value!r}")


@case("body", "two lengths", "RFC 9112 §6.3", 3)
def two_lengths(read_body: ReadBody) -> None:
    """Two Content-Length fields that differ are refused, whichever comes first."""
    for one, other in ((b"5", b"6"), (b"6", b"5")):
        refuses(read_body, (*length(one), *length(other)), b"hello!", "there are two lengths")


# ---------------------------------------------------------------- chunks


@case("body", "chunks", "RFC 9112 §7.1", 3)
def chunks(read_body: ReadBody) -> None:
    """Chunks are joined, sizes are hexadecimal in either case, and the next request stays."""
    raw = b"5\r\nhello\r\n6\r\n board\r\n0\r\n\r\n"
    reads(read_body, CHUNKED, raw, b"hello board")
    reads(read_body, CHUNKED, b"0\r\n\r\n", b"")
    many = bytes(range(256))
    reads(read_body, CHUNKED, b"0fF\r\n%b\r\n1\r\n!\r\n00\r\n\r\n" % many[:255], many[:255] + b"!")


@case("body", "line ends inside", "RFC 9112 §7.1", 3)
def line_ends_inside(read_body: ReadBody) -> None:
    """Content may hold anything, line ends and whole chunks among it: only the size counts."""
    content = b"a\r\nb\n\r\n0\r\n\r\nGET"
    reads(read_body, CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content), content)


@case("body", "every split", "RFC 9112 §7.1", 3)
def every_split(read_body: ReadBody) -> None:
    """Wherever a chunked body is cut, the reader waits for its rest."""
    waits(read_body, CHUNKED, b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nTag: red\r\n\r\n")


@case("body", "extensions and trailers", "RFC 9112 §7.1.2", 3)
def extensions_and_trailers(read_body: ReadBody) -> None:
    """Extensions of a size and fields behind the last chunk are taken, and are no content."""
    raw = b'5;name=value;x="a;b"\r\nhello\r\n0;last\r\nTag: red\r\nSum: 5\r\n\r\n'
    reads(read_body, CHUNKED, raw, b"hello")


@case("body", "the size is a size", "RFC 9112 §7.1", 3)
def the_size_is_a_size(read_body: ReadBody) -> None:
    """A chunk size is hexadecimal digits and nothing that int() would like too."""
    for size in (b"0x5", b"+5", b"-5", b"0_5", b" 5", b"", b"five", b";x"):
        raw = size + b"\r\nhello\r\n0\r\n\r\n"
        refuses(read_body, CHUNKED, raw, f"a chunk size is {size!r}")


@case("body", "the size is true", "RFC 9112 §7.1", 3)
def the_size_is_true(read_body: ReadBody) -> None:
    """Behind a chunk's content stands CRLF; anything else means that its size was a lie."""
    refuses(read_body, CHUNKED, b"3\r\nhello\r\n0\r\n\r\n", "a chunk is longer than its size")
    refuses(read_body, CHUNKED, b"5\r\nhelloXX0\r\n\r\n", "no CRLF stands behind a chunk")
    refuses(read_body, CHUNKED, b"5\nhello\r\n0\r\n\r\n", "a size line ends in LF alone")


# ---------------------------------------------------------------- who decides


@case("body", "both framings", "RFC 9112 §6.1", 3)
def both_framings(read_body: ReadBody) -> None:
    """Content-Length beside Transfer-Encoding is how requests are smuggled: refused."""
    raw = b"0\r\n\r\n" + NEXT
    for fields in ((*length(b"5"), *CHUNKED), (*CHUNKED, *length(b"%d" % len(raw)))):
        refuses(read_body, fields, raw, "the body has two ends")


@case("body", "codings", "RFC 9112 §6.3", 3)
def codings(read_body: ReadBody) -> None:
    """``chunked`` has no case; a request whose last coding it is not has no end, and is refused."""
    reads(read_body, ((b"transfer-encoding", b"Chunked"),), b"1\r\n!\r\n0\r\n\r\n", b"!")
    for value in (b"xchunked", b"chunked, gzip", b"chunked, chunked", b"identity", b""):
        fields = ((b"transfer-encoding", value),)
        refuses(read_body, fields, b"1\r\n!\r\n0\r\n\r\n", f"Transfer-Encoding is {value!r}")
