"""What an HTTP/1.1 engine promises: bytes in, events out, events in, bytes out.

Each case takes ``make``, a callable that returns a new engine and accepts ``Limits``.  Cases of
chapter 2 only feed and read, so a parser without ``send`` can be judged by them; where the engine
pauses between two requests they answer for it.

The helpers at the top are for tests, exercises and notebooks too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from handmade.events import (
    NEED_DATA,
    PAUSED,
    Closed,
    Data,
    End,
    Engine,
    Event,
    Fields,
    Informational,
    Limits,
    OurError,
    Outgoing,
    PeerError,
    ProtocolError,
    Request,
    Response,
)

from . import Broken, case

Make = Callable[..., Engine]

HOST = (b"Host", b"a.example")
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n"


# ---------------------------------------------------------------- helpers


def request_of(
    method: bytes = b"GET",
    target: bytes = b"/",
    *fields: tuple[bytes, bytes],
    body: bytes = b"",
    version: bytes = b"1.1",
    host: bool = True,
) -> bytes:
    """Return the bytes of a request; a Host field is added, nothing else is.

    >>> request_of(b"POST", b"/", (b"Content-Length", b"2"), body=b"hi")
    b'POST / HTTP/1.1\\r\\nHost: a.example\\r\\nContent-Length: 2\\r\\n\\r\\nhi'
    """
    lines = [b"%s: %s\r\n" % field for field in ((HOST, *fields) if host else fields)]
    return b"%s %s HTTP/%s\r\n%s\r\n%s" % (method, target, version, b"".join(lines), body)


def bytewise(raw: bytes) -> list[bytes]:
    """Return ``raw`` in pieces of one byte."""
    return [raw[i : i + 1] for i in range(len(raw))]


def read_all(
    engine: Engine, raw: bytes | Iterable[bytes], *, eof: bool = False, answer: bool = True
) -> list[Event]:
    """Feed bytes, whole or in pieces, and return all events; consecutive Data are joined.

    With ``answer``, each complete request is answered by 204 so that the next can be read.  With
    ``eof``, the client's goodbye follows the bytes.  Raise PeerError where the engine does.
    """
    events, error = read_until_error(engine, raw, eof=eof, answer=answer)
    if error is not None:
        raise error
    return events


def read_until_error(
    engine: Engine, raw: bytes | Iterable[bytes], *, eof: bool = False, answer: bool = True
) -> tuple[list[Event], PeerError | None]:
    """Do as ``read_all``, but return the events and the error that ended them, if one did."""
    pieces = [raw] if isinstance(raw, bytes) else list(raw)
    events: list[Event] = []
    try:
        for piece in [*filter(None, pieces), *([b""] if eof else [])]:
            engine.receive(piece)
            _read_what_is_here(engine, b"".join(pieces), events, answer)
    except PeerError as error:
        return events, error
    return events, None


def _read_what_is_here(engine: Engine, sent: bytes, events: list[Event], answer: bool) -> None:
    """Read events until the engine wants bytes, pauses for good, or is closed."""
    for _ in range(2 * len(sent) + 100):
        event = next_event(engine, sent)
        if event is NEED_DATA:
            return
        if event is PAUSED:
            if not (answer and _answer(engine)):
                return
        elif isinstance(event, Closed):
            if not (events and isinstance(events[-1], Closed)):
                events.append(event)
            return
        elif isinstance(event, Data) and events and isinstance(events[-1], Data):
            events[-1] = Data(events[-1].data + event.data)
        else:
            events.append(event)
    raise Broken("next_event never says NEED_DATA or PAUSED: a server would spin", sent=sent)


def _answer(engine: Engine) -> bool:
    """Answer a complete request, if that is not done; False when no other can follow."""
    if engine.owes_response:
        respond(engine, Response(204))
    return not engine.must_close


def next_event(engine: Engine, sent: bytes) -> Event:
    """Return the engine's next event; whatever it raises but a ProtocolError is Broken."""
    try:
        return engine.next_event()
    except ProtocolError:
        raise
    except Exception as error:
        what = f"next_event raised {type(error).__name__} ({error}); a client can end your server"
        raise Broken(what, sent=sent) from error


def fields_of(fields: Fields) -> list[tuple[bytes, bytes]]:
    """Return fields as a list, whatever sequence the engine made of them."""
    return [(bytes(name), bytes(value)) for name, value in fields]


def requests_in(events: Iterable[Event]) -> list[Request]:
    """Return the requests among the events."""
    return [event for event in events if isinstance(event, Request)]


def only_request(make: Make, raw: bytes | Iterable[bytes]) -> tuple[Request, bytes, Fields]:
    """Feed one complete request; return it, its content and its trailers."""
    raw = raw if isinstance(raw, bytes) else list(raw)
    sent = raw if isinstance(raw, bytes) else b"".join(raw)
    try:
        events = read_all(make(), raw, answer=False)
    except PeerError as error:
        raise Broken(f"a valid request was refused with {error}", sent=sent) from error
    kinds = [type(event).__name__ for event in events]
    if kinds not in (["Request", "End"], ["Request", "Data", "End"]):
        wanted = "Request, perhaps Data, End"
        raise Broken("these are not the events of one request", sent=sent, got=kinds, wanted=wanted)
    request, *data, end = events
    assert isinstance(request, Request)
    assert isinstance(end, End)
    content = b"".join(each.data for each in data if isinstance(each, Data))
    return request, content, end.trailers


def refused(make: Make, raw: bytes, status: int, limits: Limits | None = None) -> None:
    """Demand that the engine refuses ``raw`` with ``status`` before the client says goodbye."""
    engine = make(limits) if limits else make()
    events, error = read_until_error(engine, raw)
    if error is None:
        kinds = [type(event).__name__ for event in events]
        raise Broken(f"this must be refused with {status}", sent=raw, got=kinds, wanted=status)
    if error.status != status:
        raise Broken(
            "this was refused, but for the wrong reason", sent=raw, got=str(error), wanted=status
        )


def asked(make: Make, raw: bytes = GET) -> Engine:
    """Return an engine that has read the first request of ``raw`` and owes the response."""
    engine = make()
    try:
        read_all(engine, raw, answer=False)
    except PeerError as error:
        raise Broken(f"a valid request was refused with {error}", sent=raw) from error
    return engine


def respond(engine: Engine, response: Response, *blocks: bytes, trailers: Fields = ()) -> bytes:
    """Send a whole response; return its bytes."""
    events: list[Outgoing] = [response, *[Data(block) for block in blocks], End(trailers)]
    return b"".join([bytes(engine.send(event)) for event in events])


def parts(raw: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Return status line, fields (names in lower case) and the rest of a response."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        raise Broken("the response has no empty line behind its fields", got=raw)
    first, *lines = head.split(b"\r\n")
    pairs = [line.partition(b":") for line in lines]
    return first, {name.lower(): value.strip() for name, _, value in pairs}, body


def _same(problem: str, got: object, wanted: object, sent: bytes | None = None) -> None:
    """Raise Broken unless ``got == wanted``."""
    if got != wanted:
        raise Broken(problem, sent=sent, got=got, wanted=wanted)


def _closes(engine: Engine, response: bytes, why: str) -> None:
    """Demand that the response was the last one of the connection, and said so."""
    if not engine.must_close:
        raise Broken(f"the connection stays open, though {why}", got=response)
    _same(
        "the last response does not say that it is", parts(response)[1].get(b"connection"), b"close"
    )


def _cannot_send(send: Callable[[], Any], what: str) -> None:
    """Demand that ``send`` raises OurError."""
    try:
        got = send()
    except OurError:
        return
    except Exception as error:
        raise Broken(f"{what} ended in {type(error).__name__}, not in OurError") from error
    raise Broken(f"{what} was written", got=got, wanted="OurError")


# ---------------------------------------------------------------- chapter 2: heads


@case("engine", "one request", "RFC 9112 §2.1", 2)
def one_request(make: Make) -> None:
    """A request in one piece becomes its method, target, version and fields, and ends."""
    raw = b"GET /hello?x=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"
    request, body, _ = only_request(make, raw)
    _same("the method is wrong", request.method, b"GET", raw)
    _same("the target is wrong", request.target, b"/hello?x=1", raw)
    _same("the version is wrong", request.version, b"1.1", raw)
    wanted = [(b"host", b"a.example"), (b"accept", b"*/*")]
    _same("the fields are wrong", fields_of(request.fields), wanted, raw)
    _same("a GET without Content-Length has no body", body, b"", raw)


@case("engine", "split reads", "RFC 9112 §2.1", 2)
def split_reads(make: Make) -> None:
    """A request means the same wherever the network cuts it in two."""
    raw = b"GET /hello HTTP/1.1\r\nHost: a.example\r\nX-Note: cut me\r\n\r\n"
    whole = only_request(make, raw)
    for cut in range(1, len(raw)):
        try:
            got = only_request(make, [raw[:cut], raw[cut:]])
        except Broken as error:
            where = f"cut behind byte {cut}, it is another request: {error.problem}"
            raise Broken(where, sent=raw[:cut], got=error.got, wanted=error.wanted) from error
        _same(f"cut behind byte {cut}, it is another request", got, whole, raw[:cut])


@case("engine", "a byte at a time", "RFC 9112 §2.1", 2)
def a_byte_at_a_time(make: Make) -> None:
    """A request means the same when each byte comes alone."""
    _same("byte by byte it is another request", only_request(make, bytewise(GET))[0].target, b"/")


@case("engine", "half a head", "RFC 9112 §2.1", 2)
def half_a_head(make: Make) -> None:
    """While the empty line is missing, the engine asks for more."""
    raw = GET[:-2]
    engine = make()
    engine.receive(raw)
    _same("the head is not complete", next_event(engine, raw), NEED_DATA, raw)


@case("engine", "two requests in one read", "RFC 9112 §9.3.2", 2)
def two_requests_in_one_read(make: Make) -> None:
    """Two requests that arrive together are two requests."""
    targets = [request.target for request in requests_in(read_all(make(), GET + NEXT))]
    _same("a request is lost, or joined to another", targets, [b"/", b"/next"], GET + NEXT)


@case("engine", "field names", "RFC 9110 §5.1", 2)
def field_names(make: Make) -> None:
    """The case of a field name means nothing: it is handed on in lower case."""
    raw = b"GET / HTTP/1.1\r\nHOST: a\r\nx-LOUD: Loud\r\n\r\n"
    wanted = [(b"host", b"a"), (b"x-loud", b"Loud")]
    _same(
        "names in lower case, values as they are",
        fields_of(only_request(make, raw)[0].fields),
        wanted,
        raw,
    )


@case("engine", "blanks around a value", "RFC 9112 §5", 2)
def blanks_around_a_value(make: Make) -> None:
    """Blanks and tabs around a field value, or none at all, are not part of it."""
    raw = b"GET / HTTP/1.1\r\nHost:a\r\nX: \t b  c \t\r\nEmpty:\r\n\r\n"
    wanted = [(b"host", b"a"), (b"x", b"b  c"), (b"empty", b"")]
    _same("the fields are wrong", fields_of(only_request(make, raw)[0].fields), wanted, raw)


@case("engine", "repeated fields", "RFC 9110 §5.3", 2)
def repeated_fields(make: Make) -> None:
    """A field that comes twice is kept twice, in order."""
    raw = request_of(b"GET", b"/", (b"Accept", b"a"), (b"X", b"1"), (b"Accept", b"b"))
    got = fields_of(only_request(make, raw)[0].fields)[1:]
    _same("a value is lost", got, [(b"accept", b"a"), (b"x", b"1"), (b"accept", b"b")], raw)


@case("engine", "empty line first", "RFC 9112 §2.2", 2)
def empty_line_first(make: Make) -> None:
    """An empty line before a request is skipped: old clients send one behind a body."""
    _same("the target is wrong", only_request(make, b"\r\n" + GET)[0].target, b"/")


@case("engine", "bare LF", "RFC 9112 §2.2", 2)
def bare_lf(make: Make) -> None:
    """A line that ends in LF alone is refused: a proxy may see one line where we see two."""
    refused(make, GET.replace(b"\r\n", b"\n"), 400)
    refused(make, b"GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n", 400)


@case("engine", "bare CR", "RFC 9112 §2.2", 2)
def bare_cr(make: Make) -> None:
    """A CR without its LF is no blank and no line end: it is refused."""
    refused(make, b"GET / HTTP/1.1\r\nHost: a.example\r\nX: y\rZ: 1\r\n\r\n", 400)


@case("engine", "blank before colon", "RFC 9112 §5.1", 2)
def blank_before_colon(make: Make) -> None:
    """A blank between a field name and its colon is refused: filters miss such a field."""
    refused(make, request_of(b"POST", b"/", (b"Content-Length ", b"5"), body=b"hello"), 400)


@case("engine", "obsolete folding", "RFC 9112 §5.2", 2)
def obsolete_folding(make: Make) -> None:
    """A field line that begins with a blank is refused."""
    refused(make, b"GET / HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n folded\r\n\r\n", 400)


@case("engine", "NUL in a value", "RFC 9110 §5.5", 2)
def nul_in_a_value(make: Make) -> None:
    """A NUL in a field value is refused: the next program may take it for the end."""
    refused(make, request_of(b"GET", b"/", (b"X", b"a\0b")), 400)


@case("engine", "no field name", "RFC 9112 §5", 2)
def no_field_name(make: Make) -> None:
    """A field line without a name, or without a colon, is refused."""
    refused(make, b"GET / HTTP/1.1\r\nHost: a.example\r\n: nameless\r\n\r\n", 400)
    refused(make, b"GET / HTTP/1.1\r\nHost: a.example\r\nno colon here\r\n\r\n", 400)


@case("engine", "missing Host", "RFC 9112 §3.2", 2)
def missing_host(make: Make) -> None:
    """HTTP/1.1 without Host is refused; HTTP/1.0 knew no Host."""
    refused(make, b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", 400)
    only_request(make, b"GET / HTTP/1.0\r\n\r\n")


@case("engine", "two Hosts", "RFC 9112 §3.2", 2)
def two_hosts(make: Make) -> None:
    """Two Host fields are refused: a proxy and we might each believe another one."""
    refused(make, request_of(b"GET", b"/", (b"Host", b"b.example")), 400)


@case("engine", "bad Host", "RFC 9112 §3.2", 2)
def bad_host(make: Make) -> None:
    """A Host that is not host[:port] is refused."""
    for host in (b"a.example/evil", b"user@a.example", b"a b", b"a.example:port"):
        refused(make, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host, 400)


@case("engine", "absolute target", "RFC 9112 §3.2.2", 2)
def absolute_target(make: Make) -> None:
    """A target with scheme and host is understood, and its host outranks the Host field."""
    raw = b"GET http://right.example:81/p?q HTTP/1.1\r\nHost: wrong.example\r\n\r\n"
    request = only_request(make, raw)[0]
    hosts = [value for name, value in request.fields if name == b"host"]
    _same("the host of the target must win", hosts, [b"right.example:81"], raw)
    refused(make, b"GET http:///p HTTP/1.1\r\nHost: a.example\r\n\r\n", 400)
    refused(make, b"GET http://a.example@evil.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400)


@case("engine", "asterisk target", "RFC 9112 §3.2.4", 2)
def asterisk_target(make: Make) -> None:
    """``*`` goes with OPTIONS, and with nothing else."""
    _same("the target is wrong", only_request(make, request_of(b"OPTIONS", b"*"))[0].target, b"*")
    refused(make, request_of(b"GET", b"*"), 400)


@case("engine", "CONNECT", "RFC 9110 §9.3.6", 2)
def connect(make: Make) -> None:
    """CONNECT asks for a proxy, which this is not: 501."""
    refused(make, request_of(b"CONNECT", b"a.example:443"), 501)


@case("engine", "bad request line", "RFC 9112 §3", 2)
def bad_request_line(make: Make) -> None:
    """A request line is three words with one blank between each two, or it is refused."""
    for line in (
        b"GET  / HTTP/1.1",
        b"GET /",
        b"GET /a b HTTP/1.1",
        b"GET / http/1.1",
        b"G@T / HTTP/1.1",
    ):
        refused(make, line + b"\r\nHost: a.example\r\n\r\n", 400)


@case("engine", "not HTTP at all", "RFC 9112 §3", 2)
def not_http_at_all(make: Make) -> None:
    """What cannot become a request is refused at once, without waiting for the end of a head."""
    refused(make, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400)


@case("engine", "another major version", "RFC 9110 §15.6.6", 2)
def another_major_version(make: Make) -> None:
    """A major version that we do not speak is answered with 505."""
    refused(make, request_of(version=b"2.0"), 505)
    refused(make, request_of(version=b"0.9"), 505)


@case("engine", "a higher minor version", "RFC 9110 §2.5", 2)
def a_higher_minor_version(make: Make) -> None:
    """HTTP/1.9 is read as the highest minor version that we know."""
    _same("the version is wrong", only_request(make, request_of(version=b"1.9"))[0].version, b"1.1")


@case("engine", "long request line", "RFC 9112 §3", 2)
def long_request_line(make: Make) -> None:
    """A request line at the limit passes, one byte more is 414, and nobody waits for its end."""
    limits = Limits(request_line=100)
    fits = b"/" + b"a" * (100 - len(b"GET / HTTP/1.1"))
    only_request(lambda: make(limits), request_of(target=fits))
    refused(make, request_of(target=fits + b"a"), 414, limits)
    refused(make, b"GET /" + b"a" * 100, 414, limits)


@case("engine", "long head", "RFC 9110 §5.4", 2)
def long_head(make: Make) -> None:
    """A head at the limit passes, one byte more is 431, and nobody waits for its end."""
    limits = Limits(head=200)
    fits = request_of(b"GET", b"/", (b"X", b"a" * (200 - len(GET) - len(b"X: \r\n"))))
    only_request(lambda: make(limits), fits)
    refused(make, fits[:-4] + b"a" + fits[-4:], 431, limits)
    refused(make, fits[:-4] + b"a" * 4, 431, limits)


@case("engine", "many fields", "RFC 9110 §5.4", 2)
def many_fields(make: Make) -> None:
    """As many fields as the limit says pass; one more is 431."""
    limits = Limits(fields=5)
    only_request(lambda: make(limits), request_of(b"GET", b"/", *[(b"X", b"1")] * 4))
    refused(make, request_of(b"GET", b"/", *[(b"X", b"1")] * 5), 431, limits)


@case("engine", "an error is final", "RFC 9112 §9.6", 2)
def an_error_is_final(make: Make) -> None:
    """Behind a broken request nothing is read any more: its end is where an attacker wants it."""
    raw = b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"
    engine = make()
    for piece in (raw + NEXT, NEXT):
        events, error = read_until_error(engine, piece)
        if error is None or events:
            raise Broken("a request was read behind a broken one", sent=raw + NEXT, got=events)


@case("engine", "goodbye in a head", "RFC 9112 §8", 2)
def goodbye_in_a_head(make: Make) -> None:
    """A client that leaves in the middle of a head has sent no request."""
    raw = GET[:-2]
    events, error = read_until_error(make(), raw, eof=True)
    if error is None:
        raise Broken("half a head was taken for a request, or waited for", sent=raw, got=events)
    _same("the status is wrong", error.status, 400, raw)


@case("engine", "goodbye", "RFC 9112 §9.6", 2)
def goodbye(make: Make) -> None:
    """A client that leaves between requests is reported as Closed, and is no error."""
    for raw in (GET, b""):
        events = read_all(make(), raw, eof=True)
        last = [type(event).__name__ for event in events[-1:]]
        _same("the last event must be Closed", last, ["Closed"], raw)


# ---------------------------------------------------------------- chapter 3: bodies read


def _post(*fields: tuple[bytes, bytes], body: bytes = b"") -> bytes:
    return request_of(b"POST", b"/", *fields, body=body)


def _chunked(body: bytes) -> bytes:
    return _post((b"Transfer-Encoding", b"chunked"), body=body)


@case("engine", "Content-Length", "RFC 9112 §6.2", 3)
def content_length(make: Make) -> None:
    """The body is as long as Content-Length says, cut wherever it may be."""
    raw = _post((b"Content-Length", b"5"), body=b"hello")
    _same("the body is wrong", only_request(make, raw)[1], b"hello", raw)
    _same("byte by byte it is another body", only_request(make, bytewise(raw))[1], b"hello", raw)


@case("engine", "no body", "RFC 9112 §6.3", 3)
def no_body(make: Make) -> None:
    """A request that announces no body, or one of no bytes, ends with its head."""
    _same("there is no body", only_request(make, _post())[1], b"")
    _same("there is no body", only_request(make, _post((b"Content-Length", b"0")))[1], b"")


@case("engine", "body stays in its request", "RFC 9112 §6.3", 3)
def body_stays_in_its_request(make: Make) -> None:
    """The bytes behind a body are the next request, never part of this one."""
    raw = _post((b"Content-Length", b"5"), body=b"hello") + NEXT
    events = read_all(make(), raw)
    bodies = [event.data for event in events if isinstance(event, Data)]
    _same("the body is wrong", bodies, [b"hello"], raw)
    _same(
        "the second request is wrong",
        [r.target for r in requests_in(events)],
        [b"/", b"/next"],
        raw,
    )


@case("engine", "Content-Length with Transfer-Encoding", "RFC 9112 §6.1", 3)
def content_length_with_transfer_encoding(make: Make) -> None:
    """Both at once are refused: that is how requests are smuggled past a proxy."""
    both = (b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")
    refused(make, _post(*both, body=b"0\r\n\r\n"), 400)
    refused(make, _post(*reversed(both), body=b"0\r\n\r\n"), 400)


@case("engine", "negative Content-Length", "RFC 9110 §8.6", 3)
def negative_content_length(make: Make) -> None:
    """A Content-Length is digits, without a sign or anything else."""
    for value in (b"-5", b"+5", b"5_0", b"0x5", b"5.0", b"five", b"", b"5 5"):
        refused(make, _post((b"Content-Length", value), body=b"hello"), 400)


@case("engine", "two Content-Lengths", "RFC 9112 §6.3", 3)
def two_content_lengths(make: Make) -> None:
    """Two Content-Length fields that differ are refused."""
    refused(make, _post((b"Content-Length", b"5"), (b"Content-Length", b"6"), body=b"hello!"), 400)
    refused(make, _post((b"Content-Length", b"5, 6"), body=b"hello!"), 400)


@case("engine", "huge number", "RFC 9110 §8.6", 3)
def huge_number(make: Make) -> None:
    """A length that no body can have is refused, and never ends in an exception."""
    refused(make, _post((b"Content-Length", b"9" * 19)), 413)
    events, error = read_until_error(make(), _post((b"Content-Length", b"9" * 5000)))
    if error is None:
        raise Broken("5,000 digits must be refused", got=events, wanted="400 or 413")
    events, error = read_until_error(make(), _chunked(b"F" * 20 + b"\r\n"), eof=True)
    if error is None:
        raise Broken("a chunk of 2**80 bytes must be refused", got=events, wanted="400 or 413")


@case("engine", "large body", "RFC 9110 §15.5.14", 3)
def large_body(make: Make) -> None:
    """A body at the limit passes; one byte more is 413, announced or in chunks."""
    limits = Limits(body=5)
    limited = lambda: make(limits)  # noqa: E731
    only_request(limited, _post((b"Content-Length", b"5"), body=b"hello"))
    only_request(limited, _chunked(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"))
    refused(make, _post((b"Content-Length", b"6")), 413, limits)
    refused(make, _chunked(b"3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n"), 413, limits)


@case("engine", "chunked body", "RFC 9112 §7.1", 3)
def chunked_body(make: Make) -> None:
    """A chunked body is its chunks, joined, with sizes in either case of hexadecimal."""
    body = b"5\r\nhello\r\nA\r\n, chunked \r\n00b\r\nworld 12345\r\n0\r\n\r\n"
    raw = _chunked(body)
    wanted = b"hello, chunked world 12345"
    _same("the body is wrong", only_request(make, raw)[1], wanted, raw)
    _same("byte by byte it is another body", only_request(make, bytewise(raw))[1], wanted, raw)


@case("engine", "chunk size lies", "RFC 9112 §7.1", 3)
def chunk_size_lies(make: Make) -> None:
    """A chunk that is longer than its size says is refused."""
    refused(make, _chunked(b"4\r\nhello\r\n0\r\n\r\n"), 400)
    refused(make, _chunked(b"5\r\nhelloXX0\r\n\r\n"), 400)


@case("engine", "chunk size is no number", "RFC 9112 §7.1", 3)
def chunk_size_is_no_number(make: Make) -> None:
    """A chunk size is hexadecimal digits: no sign, no prefix, nothing else."""
    for size in (b"-5", b"+5", b"0x5", b"five", b"", b" 5"):
        refused(make, _chunked(size + b"\r\nhello\r\n0\r\n\r\n"), 400)


@case("engine", "chunk line ends in LF", "RFC 9112 §7.1", 3)
def chunk_line_ends_in_lf(make: Make) -> None:
    """A size line ends in CRLF: parsers that differ here disagree about the next request."""
    events, error = read_until_error(make(), _chunked(b"5\nhello\r\n0\r\n\r\n"), eof=True)
    if error is None:
        raise Broken("a bare LF ended a chunk's size line", got=events, wanted=400)


@case("engine", "chunk extensions", "RFC 9112 §7.1.1", 3)
def chunk_extensions(make: Make) -> None:
    """Extensions that nobody knows are ignored."""
    raw = _chunked(b'5;fast;name=value;quoted="a;b"\r\nhello\r\n0;last\r\n\r\n')
    _same("the body is wrong", only_request(make, raw)[1], b"hello", raw)


@case("engine", "trailers", "RFC 9112 §7.1.2", 3)
def trailers(make: Make) -> None:
    """Fields behind a chunked body come with its end, and apart from those before it."""
    raw = _chunked(b"5\r\nhello\r\n0\r\nX-Sum: 42\r\nHost: evil.example\r\n\r\n")
    request, _, got = only_request(make, raw)
    _same(
        "the trailers are wrong",
        fields_of(got),
        [(b"x-sum", b"42"), (b"host", b"evil.example")],
        raw,
    )
    hosts = [value for name, value in request.fields if name == b"host"]
    _same("a trailer got in among the fields", hosts, [b"a.example"], raw)


@case("engine", "unknown transfer coding", "RFC 9112 §6.1", 3)
def unknown_transfer_coding(make: Make) -> None:
    """A transfer coding that we do not have is answered with 501."""
    refused(make, _post((b"Transfer-Encoding", b"gzip, chunked")), 501)


@case("engine", "chunked is not last", "RFC 9112 §6.3", 3)
def chunked_is_not_last(make: Make) -> None:
    """Where the end of a body cannot be told, the request is refused."""
    for coding in (b"chunked, gzip", b"xchunked", b"chunked, chunked", b"identity"):
        raw = _post((b"Transfer-Encoding", coding), body=b"0\r\n\r\n")
        events, error = read_until_error(make(), raw)
        if error is None or error.status not in (400, 501):
            raise Broken(
                "no end of this body can be told", sent=raw, got=error or events, wanted=400
            )


@case("engine", "chunked in HTTP/1.0", "RFC 9112 §6.1", 3)
def chunked_in_http_10(make: Make) -> None:
    """HTTP/1.0 has no Transfer-Encoding: where such a body ends is guesswork, so it is refused."""
    raw = request_of(
        b"POST", b"/", (b"Transfer-Encoding", b"chunked"), version=b"1.0", body=b"0\r\n\r\n"
    )
    refused(make, raw, 400)


@case("engine", "goodbye in a body", "RFC 9112 §8", 3)
def goodbye_in_a_body(make: Make) -> None:
    """A body that ends too early is an error, never a shorter body."""
    for raw in (
        _post((b"Content-Length", b"10"), body=b"hello"),
        _chunked(b"a\r\nhello"),
        _chunked(b"5\r\nhello\r\n"),
        _chunked(b"5\r\nhello\r\n0\r\n"),
    ):
        events, error = read_until_error(make(), raw, eof=True)
        if error is None:
            raise Broken("half a body was taken for a whole one", sent=raw, got=events, wanted=400)
        _same("the status is wrong", error.status, 400, raw)


# ---------------------------------------------------------------- chapter 3: the connection


@case("engine", "pipelining in order", "RFC 9112 §9.3.2", 3)
def pipelining_in_order(make: Make) -> None:
    """The second request waits until the first is answered, so answers cannot change places."""
    engine = asked(make, GET + NEXT)
    _same("the next request must wait", next_event(engine, GET + NEXT), PAUSED)
    respond(engine, Response(200, [(b"content-length", b"0")]))
    second = next_event(engine, GET + NEXT)
    _same("the second request is due now", getattr(second, "target", second), b"/next", GET + NEXT)


@case("engine", "keep-alive", "RFC 9112 §9.3", 3)
def keep_alive(make: Make) -> None:
    """In HTTP/1.1 the connection stays open for the next request, without a word."""
    engine = make()
    for target in (b"/1", b"/2", b"/3"):
        events = read_all(engine, request_of(target=target), answer=False)
        _same("a request is missing", [r.target for r in requests_in(events)], [target])
        raw = respond(engine, Response(200, [(b"content-length", b"2")]), b"ok")
        if engine.must_close or b"connection" in parts(raw)[1]:
            raise Broken("the connection must stay open", got=raw)
        _same("nothing is under way now", engine.between_requests, True)


@case("engine", "Connection: close", "RFC 9112 §9.6", 3)
def connection_close(make: Make) -> None:
    """After a request with Connection: close comes one response, which says close, and no more."""
    raw = request_of(b"GET", b"/", (b"Connection", b"keep, CLOSE"))
    engine = asked(make, raw + NEXT)
    _closes(engine, respond(engine, Response(204)), "the client asked to close")
    event = next_event(engine, raw + NEXT)
    if isinstance(event, Request):
        raise Broken("a request behind the last one was read", sent=raw + NEXT, got=event)


@case("engine", "the application closes", "RFC 9112 §9.6", 3)
def the_application_closes(make: Make) -> None:
    """The server's side can close too: by a field of the response, or by the shell."""
    engine = asked(make)
    _closes(engine, respond(engine, Response(204, [(b"Connection", b"close")])), "we said close")
    engine = asked(make)
    engine.close_after_response()
    _closes(engine, respond(engine, Response(204)), "the shell wants to close")
    engine = make()
    engine.close_after_response()
    read_all(engine, GET, answer=False)
    _closes(engine, respond(engine, Response(204)), "the shell wanted to close before the request")


@case("engine", "HTTP/1.0", "RFC 9112 §9.3", 3)
def http_10(make: Make) -> None:
    """An HTTP/1.0 client gets no chunks, and the connection's end ends the body."""
    engine = asked(make, b"GET / HTTP/1.0\r\n\r\n")
    raw = respond(engine, Response(200), b"hello")
    _, fields, body = parts(raw)
    _same("HTTP/1.0 knows no chunks", (fields.get(b"transfer-encoding"), body), (None, b"hello"))
    _closes(engine, raw, "only its end can end this body")


@case("engine", "HTTP/1.0 keep-alive", "RFC 9112 §9.3", 3)
def http_10_keep_alive(make: Make) -> None:
    """A server that keeps an HTTP/1.0 connection says so; one that does not closes it."""
    engine = asked(make, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    raw = respond(engine, Response(200, [(b"content-length", b"2")]), b"ok")
    wanted = b"close" if engine.must_close else b"keep-alive"
    _same("the response does not say what happens next", parts(raw)[1].get(b"connection"), wanted)


@case("engine", "100-continue", "RFC 9110 §10.1.1", 3)
def continue_100(make: Make) -> None:
    """A client that waits for 100 is known to wait, gets it, and then sends its body."""
    fields = (b"Content-Length", b"5"), (b"Expect", b"100-Continue")
    engine = make()
    events = read_all(engine, _post(*fields), answer=False)
    _same(
        "the client's expectation is not told",
        [r.expects_continue for r in requests_in(events)],
        [True],
    )
    _same("the client waits", engine.owes_continue, True)
    first = engine.send(Informational(103, [(b"Link", b"</a>")]))
    _same("only 100 is what it waits for", engine.owes_continue, True)
    first, _, rest = parts(engine.send(Informational(100)))
    _same("the interim response is wrong", (first, rest), (b"HTTP/1.1 100 Continue", b""))
    _same("the client waits no more", engine.owes_continue, False)
    events = read_all(engine, b"hello", answer=False)
    _same("the body is wrong", [e.data for e in events if isinstance(e, Data)], [b"hello"])


@case("engine", "100 is not needed", "RFC 9110 §10.1.1", 3)
def continue_is_not_needed(make: Make) -> None:
    """Nobody waits for 100 who has sent of the body, has none, or speaks HTTP/1.0."""
    expect = (b"Expect", b"100-continue")
    for raw in (
        _post((b"Content-Length", b"5"), expect, body=b"hel"),
        _post(expect),
        request_of(b"POST", b"/", (b"Content-Length", b"5"), expect, version=b"1.0"),
    ):
        _same("nobody waits here", asked(make, raw).owes_continue, False, raw)


@case("engine", "unknown expectation", "RFC 9110 §10.1.1", 3)
def unknown_expectation(make: Make) -> None:
    """An expectation that we cannot meet is answered with 417."""
    refused(make, request_of(b"GET", b"/", (b"Expect", b"miracles")), 417)


@case("engine", "half-close", "RFC 9112 §9.6", 3)
def half_close(make: Make) -> None:
    """A client that has closed its sending side still gets the answer to what it asked."""
    engine = make()
    events, error = read_until_error(engine, GET, eof=True, answer=False)
    if error is not None or not requests_in(events):
        raise Broken("the request was complete before the goodbye", sent=GET, got=error or events)
    _same("an answer is owed", engine.owes_response, True)
    _same(
        "the answer is wrong", parts(respond(engine, Response(204)))[0], b"HTTP/1.1 204 No Content"
    )
    _same("then it is over", type(next_event(engine, GET)).__name__, "Closed")


@case("engine", "an unread body", "RFC 9112 §9.3", 3)
def an_unread_body(make: Make) -> None:
    """A response before the end of the request is the last: the rest would look like a request."""
    raw = _post((b"Content-Length", b"100"), body=b"the rest will never be read")
    engine = asked(make, raw)
    _closes(engine, respond(engine, Response(204)), "the body was not read to its end")


@case("engine", "an error is answered", "RFC 9110 §15.5", 3)
def an_error_is_answered(make: Make) -> None:
    """A client whose request was refused is owed an answer, by which the connection ends."""
    for raw in (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", _chunked(b"x\r\n")):
        engine = make()
        read_until_error(engine, raw)
        _same("an answer is owed", engine.owes_response, True, raw)
        response = respond(engine, Response(400, [(b"content-length", b"3")]), b"no\n")
        _same("the body is wrong", parts(response)[2], b"no\n", raw)
        _closes(engine, response, "the request was broken")


@case("engine", "nothing was asked", "RFC 9112 §9.3.2", 3)
def nothing_was_asked(make: Make) -> None:
    """A response without a request, and a second one, are our own errors, and are not written."""
    engine = make()
    _cannot_send(lambda: engine.send(Response(200)), "a response to no request")
    _cannot_send(lambda: engine.send(Data(b"x")), "content without a response")
    read_all(engine, GET, answer=False)
    engine.send(Response(200))
    _cannot_send(lambda: engine.send(Response(200)), "a second head")
    engine.send(End())
    _cannot_send(lambda: engine.send(Data(b"x")), "content behind the end")
    last = asked(make, request_of(b"GET", b"/", (b"Connection", b"close")))
    respond(last, Response(200))
    _cannot_send(lambda: last.send(Data(b"x")), "content behind the last end")


# ---------------------------------------------------------------- chapter 3: responses framed


@case("engine", "a response of known length", "RFC 9110 §8.6", 3)
def a_response_of_known_length(make: Make) -> None:
    """With Content-Length the content is written as it is."""
    raw = respond(asked(make), Response(200, [(b"Content-Length", b"5")]), b"hel", b"lo")
    line, fields, body = parts(raw)
    _same("the status line is wrong", line, b"HTTP/1.1 200 OK")
    _same("the framing is wrong", (fields.get(b"content-length"), body), (b"5", b"hello"))


@case("engine", "a response of unknown length", "RFC 9112 §7.1", 3)
def a_response_of_unknown_length(make: Make) -> None:
    """Without Content-Length the content goes out in chunks; an empty block is none of them."""
    raw = respond(
        asked(make), Response(200), b"hello", b"", b"sixteen letters!", trailers=[(b"x", b"1")]
    )
    _, fields, body = parts(raw)
    _same("the framing is wrong", fields.get(b"transfer-encoding"), b"chunked")
    wanted = b"5\r\nhello\r\n10\r\nsixteen letters!\r\n0\r\nx: 1\r\n\r\n"
    _same("the chunks are wrong", body, wanted)


@case("engine", "HEAD has no body", "RFC 9110 §9.3.2", 3)
def head_has_no_body(make: Make) -> None:
    """The response to HEAD is that to GET without the body, and the connection goes on."""
    engine = asked(make, request_of(b"HEAD"))
    raw = respond(engine, Response(200, [(b"content-length", b"5")]), b"hello")
    _, fields, body = parts(raw)
    _same("there must be no body", (fields.get(b"content-length"), body), (b"5", b""))
    _same("nothing stands against the next request", engine.must_close, False)


@case("engine", "204 and 304 have no body", "RFC 9110 §15.3.5", 3)
def no_content(make: Make) -> None:
    """A 204 or 304 ends with its head, whatever the application gives; 204 has no length either."""
    for status in (204, 304):
        raw = respond(asked(make), Response(status, [(b"content-length", b"5")]), b"hello")
        _, fields, body = parts(raw)
        _same(f"a {status} has no body", (body, b"transfer-encoding" in fields), (b"", False))
        if status == 204:
            _same("a 204 has no Content-Length", fields.get(b"content-length"), None)


@case("engine", "framing is ours", "RFC 9112 §6.1", 3)
def framing_is_ours(make: Make) -> None:
    """An application's Transfer-Encoding is not written: it cannot know how we frame."""
    fields = [(b"Transfer-Encoding", b"gzip"), (b"Content-Length", b"2")]
    raw = respond(asked(make), Response(200, fields), b"ok")
    _same("two framings at once", parts(raw)[1].get(b"transfer-encoding"), None)


@case("engine", "interim responses", "RFC 9110 §15.2", 3)
def interim_responses(make: Make) -> None:
    """A 103 goes before the final response in HTTP/1.1, and to no HTTP/1.0 client."""
    hints = Informational(103, [(b"Link", b"</a.css>; rel=preload"), (b"Content-Length", b"5")])
    engine = asked(make)
    line, fields, _ = parts(engine.send(hints))
    _same(
        "the interim response is wrong",
        (line[:12], b"content-length" in fields),
        (b"HTTP/1.1 103", False),
    )
    _same("the final one is still owed", engine.owes_response, True)
    _same("HTTP/1.0 knows no 1xx", asked(make, b"GET / HTTP/1.0\r\n\r\n").send(hints), b"")


@case("engine", "status out of range", "RFC 9110 §15", 3)
def status_out_of_range(make: Make) -> None:
    """A final response is 200 to 599, an interim one 100 to 199; anything else is not written."""
    for status in (99, 100, 199, 600, 1000, -1):
        _cannot_send(lambda: asked(make).send(Response(status)), f"a final {status}")  # noqa: B023
    for status in (99, 200):
        _cannot_send(lambda: asked(make).send(Informational(status)), f"an interim {status}")  # noqa: B023


@case("engine", "response splitting", "RFC 9110 §5.5", 3)
def response_splitting(make: Make) -> None:
    """No CR, LF or NUL gets into a head: it would begin a response of the attacker's own."""
    for bad in (b"\r\nSet-Cookie: admin=1", b"\n", b"\r", b"\0"):
        for fields in ([(b"X", b"a" + bad)], [(b"X" + bad, b"a")], [(b"", b"a")], [(b"X:", b"a")]):
            engine = asked(make)
            _cannot_send(lambda: engine.send(Response(200, fields)), f"the field {fields}")  # noqa: B023
            _cannot_send(lambda: engine.send(Informational(103, fields)), f"the field {fields}")  # noqa: B023
            line = parts(respond(engine, Response(500)))[0]
            _same("an error response can still take its place", line[:12], b"HTTP/1.1 500")
        _cannot_send(lambda: asked(make).send(Response(200, (), b"OK" + bad)), "such a reason")  # noqa: B023
        engine = asked(make)
        engine.send(Response(200))
        _cannot_send(lambda: engine.send(End([(b"X", b"a" + bad)])), "such a trailer")  # noqa: B023


@case("engine", "too much body", "RFC 9110 §8.6", 3)
def too_much_body(make: Make) -> None:
    """Content beyond Content-Length is not written: the client would read it as a response."""
    engine = asked(make)
    engine.send(Response(200, [(b"content-length", b"5")]))
    _cannot_send(lambda: engine.send(Data(b"hello!")), "a sixth byte of five")


@case("engine", "too little body", "RFC 9110 §8.6", 3)
def too_little_body(make: Make) -> None:
    """A response that ends before its Content-Length is our error, never a whole response."""
    engine = asked(make)
    engine.send(Response(200, [(b"content-length", b"5")]))
    engine.send(Data(b"hell"))
    _cannot_send(lambda: engine.send(End()), "an end after four bytes of five")
