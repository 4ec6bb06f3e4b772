"""How HTTP/1.1 is read: from the bytes of a request to its head, its framing and its body.

A ``bytearray`` comes in; each function takes from its front what it understood and leaves the
rest.  It returns what it read, or None for "not all here yet", or raises PeerError: nothing
else.  Which part is due next is not decided here but by the state machine in ``http1``.

>>> buf = bytearray(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\nrest")
>>> read_head(buf, Limits()).request.target, bytes(buf)
(b'/', b'rest')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, Protocol

from . import grammar
from .events import Data, End, Fields, Limits, PeerError, Request
from .http1_chunked import ChunkedReader

REMEMBERED = 2048  # bytes: a longer block of fields is parsed anew each time
FRAMING = frozenset(b"host content-length transfer-encoding connection expect upgrade".split())
Framing = Mapping[bytes, tuple[bytes, ...]]  # the values of those, by name


class BodyReader(Protocol):
    """Take a body apart.  One object serves one request."""

    def read(self, buf: bytearray) -> Data | End | None:
        """Take content from the front of ``buf``, or the end of the body, or nothing yet."""


@dataclass(slots=True)
class Head:
    """Hold a request and what its fields say about the connection it came on."""

    request: Request
    body: BodyReader
    keep_alive: bool


# ---------------------------------------------------------------- the head


def head_is_complete(buf: bytearray, scanned: int, limits: Limits) -> bool:
    """Tell whether the empty line that ends a head is in ``buf``; refuse what cannot become one.

    ``scanned`` bytes were looked at before, so a client that sends byte by byte costs a short look
    each, not a new search of the whole, which would be work that grows with the head's square.
    """
    if buf.find(b"\r\n\r\n", max(0, scanned - 3), limits.head) >= 0:
        return True
    check_begun(buf, scanned, limits)
    if len(buf) >= limits.head:
        raise PeerError(431, f"the head is over {limits.head} bytes (RFC 6585 §5)")
    return False


def check_begun(head: bytes | bytearray, scanned: int, limits: Limits) -> None:
    """Refuse the beginning of a head that no further bytes can mend.

    In this order an answer once given stays the answer, whatever follows, so a request is refused
    for the same reason however it was cut into packets.
    """
    longest = min(limits.request_line + 2, limits.head)
    if not grammar.METHOD_BEGUN.match(head, 0, longest):
        raise PeerError(400, "the request does not begin with a method (RFC 9112 §3)")
    line_ended = head.find(b"\r\n", 0, longest) >= 0
    if grammar.BARE_LF.search(head, max(0, scanned - 1), limits.head if line_ended else longest):
        raise PeerError(400, "a line ends in LF without CR (RFC 9112 §2.2)")
    if len(head) >= longest and not line_ended:
        raise PeerError(414, f"the request line is over {limits.request_line} bytes (RFC 9112 §3)")


def read_head(buf: bytearray, limits: Limits, scanned: int = 0) -> Head | None:
    """Take a head from the front of ``buf`` (RFC 9112 §2.1), or return None: not all here yet.

    Raise PeerError with 400, 413, 414, 417, 431, 501 or 505 for what cannot be served.
    """
    # Most heads come whole, so we match at the first look: 0 scanned, or 1 behind an empty line.
    match = grammar.HEAD.match(buf, 0, limits.head) if scanned <= 1 else None
    if match is None and not head_is_complete(buf, scanned, limits):
        return None
    match = match or grammar.HEAD.match(buf, 0, limits.head)
    if match is None:
        _explain_refusal(bytes(buf[: buf.find(b"\r\n\r\n") + 4]), limits)
    method, target, version, block = match.groups()
    if len(method) + len(target) + len("  HTTP/1.1") > limits.request_line:
        raise PeerError(414, f"the request line is over {limits.request_line} bytes (RFC 9112 §3)")
    # The pure function is remembered, but not for blocks so long that many would fill the memory.
    parse = parse_fields if len(block) <= REMEMBERED else parse_fields.__wrapped__
    fields, framing = parse(block)
    if len(fields) > limits.fields:
        raise PeerError(431, f"more than {limits.fields} fields (RFC 6585 §5)")
    head = judge(Request(method, target, fields, version), framing, limits)
    del buf[: match.end()]
    return head


@lru_cache(maxsize=256)
def parse_fields(block: bytes) -> tuple[Fields, Framing]:
    """Return the fields of a block (RFC 9112 §5), and of those in FRAMING the values by name.

    Programs repeat their fields byte by byte from request to request, so the last few blocks are
    remembered: the function is pure, and what it returns is never changed.
    """
    fields = grammar.split_fields(block)
    return fields, framing_values(fields)


def framing_values(fields: Fields) -> Framing:
    """Return the values of the fields in FRAMING, by name, in the order in which they came."""
    values: dict[bytes, tuple[bytes, ...]] = {}
    for name, value in fields:
        if name in FRAMING:
            values[name] = (*values.get(name, ()), value)
    return values


def _check_target(request: Request) -> None:
    """Check that method and target go together (RFC 9112 §3.2); an absolute one sets the Host."""
    target = request.target
    if request.method == b"CONNECT":
        raise PeerError(501, "CONNECT is for proxies (RFC 9110 §9.3.6)")
    if target == b"*" and request.method == b"OPTIONS":
        return
    absolute = grammar.ABSOLUTE.fullmatch(target)
    if absolute is None or not grammar.HOST.fullmatch(absolute[1]):
        raise PeerError(400, "the request-target has no form that goes with it (RFC 9112 §3.2)")
    request.fields = ((b"host", absolute[1]), *(f for f in request.fields if f[0] != b"host"))


def _explain_refusal(head: bytes, limits: Limits) -> NoReturn:
    """Name what is wrong with a head that the grammar refused, line by line."""
    check_begun(head, 0, limits)
    first, *lines = head[:-4].split(b"\r\n")
    if not grammar.HEAD.match(first + b"\r\n\r\n"):
        raise PeerError(400, "the request line is not 'method target HTTP/1.1' (RFC 9112 §3)")
    for line in lines:
        _explain_line(line)
    raise PeerError(400, "the head is malformed (RFC 9112 §2.1)")


def _explain_line(line: bytes) -> None:
    """Raise for the first thing that is wrong with one field line; return if nothing is."""
    name, colon, value = line.partition(b":")
    if line[:1] in (b" ", b"\t"):
        raise PeerError(400, "a line begins with a blank: folding is obsolete (RFC 9112 §5.2)")
    if colon and name[-1:] in (b" ", b"\t"):
        raise PeerError(400, "there is a blank between field name and colon (RFC 9112 §5.1)")
    if not colon or not grammar.FIELD_NAME.fullmatch(name):
        raise PeerError(400, "a field line has no valid name before its colon (RFC 9112 §5)")
    if not grammar.VALUE.fullmatch(value):
        raise PeerError(400, "a field value holds a control character (RFC 9110 §5.5)")


# ---------------------------------------------------------------- the framing


def judge(request: Request, values: Framing, limits: Limits) -> Head:
    """Decide how long the body is and whether the connection goes on (RFC 9112 §6.3, §9.3).

    Raise PeerError for a head that cannot be served.  Both engines ask here, and so agree.
    """
    if request.version[:1] != b"1":
        raise PeerError(505, "this server speaks HTTP/1.0 and HTTP/1.1 (RFC 9110 §15.6.6)")
    modern = request.version != b"1.0"
    if modern:
        request.version = b"1.1"  # RFC 9110 §2.5: read a higher minor version as the one we know
    _check_host(request, values.get(b"host", ()))
    if request.target[:1] != b"/" or request.method == b"CONNECT":
        _check_target(request)
    body = _body_reader(values, modern, limits)
    if modern and b"expect" in values:
        # RFC 9110 §10.1.1: an expectation that we cannot meet is answered with 417.
        if any(value.lower() != b"100-continue" for value in values[b"expect"]):
            raise PeerError(417, "the only expectation is 100-continue (RFC 9110 §10.1.1)")
        request.expects_continue = body is not NO_BODY
    tokens = grammar.split_list(b",".join(values[b"connection"])) if b"connection" in values else ()
    if b"upgrade" in tokens and modern and body is NO_BODY:  # RFC 9110 §7.8: we need not follow
        request.upgrade = tuple(grammar.split_list(b",".join(values.get(b"upgrade", ()))))
    return Head(request, body, b"close" not in tokens and (modern or b"keep-alive" in tokens))


def _check_host(request: Request, hosts: tuple[bytes, ...]) -> None:
    """Demand one valid Host (RFC 9112 §3.2)."""
    if len(hosts) != 1 and (hosts or request.version == b"1.1"):
        raise PeerError(400, "HTTP/1.1 needs exactly one Host field (RFC 9112 §3.2)")
    if hosts and not grammar.is_host(hosts[0]):
        raise PeerError(400, "the Host field is not host[:port] (RFC 9112 §3.2)")


def _body_reader(values: Framing, modern: bool, limits: Limits) -> BodyReader:
    """Choose the reader by RFC 9112 §6.3, and refuse whatever two readers could see differently."""
    if b"transfer-encoding" in values:
        # §6.1: both fields at once is the signature of request smuggling.  The section lets us go
        # on by Transfer-Encoding alone; we stop, as the proxy before us may have gone by the other.
        if b"content-length" in values or not modern:
            raise PeerError(400, "Transfer-Encoding must come alone, in HTTP/1.1 (RFC 9112 §6.1)")
        codings = grammar.split_list(b",".join(values[b"transfer-encoding"]))
        if codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1:
            raise PeerError(400, "chunked must be the last coding, and once (RFC 9112 §6.3)")
        if len(codings) > 1:
            raise PeerError(501, "chunked is the only transfer coding here (RFC 9112 §6.1)")
        return ChunkedReader(limits)
    if b"content-length" in values:
        return _length_reader(values[b"content-length"], limits)
    return NO_BODY


def _length_reader(lengths: tuple[bytes, ...], limits: Limits) -> BodyReader:
    """Return a reader for one valid Content-Length (RFC 9110 §8.6)."""
    if len(lengths) != 1 or not grammar.CONTENT_LENGTH.fullmatch(lengths[0]):
        raise PeerError(400, "Content-Length is not one decimal number (RFC 9112 §6.3)")
    # Nobody needs more than 19 digits, leading zeros or not; and beyond 4,300 of them int() raises
    # ValueError, here as in the applications that trust us (§8.6: prevent such errors).
    if len(lengths[0]) > 19 or int(lengths[0]) > limits.body:
        raise PeerError(413, f"the body is over {limits.body} bytes (RFC 9110 §15.5.14)")
    return LengthReader(int(lengths[0])) if int(lengths[0]) else NO_BODY


class NoBody:
    """Read a body of no bytes, for a request that announces none (RFC 9112 §6.3 case 7)."""

    def read(self, buf: bytearray, end: End = End()) -> Data | End | None:  # noqa: B008  # always one
        """Return the end."""
        return end


NO_BODY = NoBody()


@dataclass(slots=True)
class LengthReader:
    """Read exactly ``remaining`` bytes (RFC 9112 §6.2)."""

    remaining: int

    def read(self, buf: bytearray) -> Data | End | None:
        """Take what is there of it, and never a byte more: the next request may follow."""
        if self.remaining == 0:
            return End()
        if not buf:
            return None
        data = bytes(memoryview(buf)[: self.remaining])
        del buf[: self.remaining]
        self.remaining -= len(data)
        return Data(data)
