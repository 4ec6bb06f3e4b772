"""What holds of both HTTP/1.1 engines for every input, found out by Hypothesis."""

from __future__ import annotations

import io
import re
from http.client import HTTPResponse
from itertools import pairwise
from typing import Any

import h11
import pytest
from corpus_files import load_valid
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handmade import http1, http1_h11
from handmade.events import (
    Closed,
    Data,
    End,
    Event,
    Informational,
    OurError,
    Outgoing,
    PeerError,
    Request,
    Response,
)
from handmade.http1_states import WRITING, Reading, Writing
from workbench.contracts.engine import GET, Make, read_until_error, requests_in

ENGINES: dict[str, Make] = {"handmade": http1.Connection, "h11": http1_h11.Connection}
engines = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

TCHAR = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
VISIBLE = bytes([*range(0x21, 0x7F), *range(0x80, 0x100)])
SPECIAL = re.compile(
    rb"host|content-length|transfer-encoding|connection|keep-alive|expect|upgrade|trailer"
)


def some(alphabet: bytes, *, least: int = 1, most: int = 12) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(alphabet), min_size=least, max_size=most).map(bytes)


names = some(TCHAR).filter(lambda name: not SPECIAL.fullmatch(name))
words = st.lists(some(VISIBLE), max_size=3)
values = words.map(b" \t".join)
field_lists = st.lists(st.tuples(names, values), max_size=6)
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"M-SEARCH"])
targets = some(VISIBLE[: 0x7F - 0x21].replace(b"#", b""), least=0).map(lambda rest: b"/" + rest)


@st.composite
def framed(draw: st.DrawFn) -> tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]]]:
    """Return a framing field, the bytes of the body, its content, and its trailers."""
    blocks = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    content = b"".join(blocks)
    if not draw(st.booleans()):
        return b"Content-Length: %d\r\n" % len(content), content, content, []
    trailers = draw(st.lists(st.tuples(names, values), max_size=2))
    chunks = b"".join(b"%X;x\r\n%b\r\n" % (len(block), block) for block in blocks)
    end = b"0\r\n%b\r\n" % b"".join(b"%b:%b\r\n" % pair for pair in trailers)
    return b"Transfer-Encoding: chunked\r\n", chunks + end, content, trailers


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, list[tuple[Any, ...]]]:
    """Return the bytes of a valid request, and what must be read from them."""
    method, target, fields = draw(methods), draw(targets), draw(field_lists)
    framing, body, content, trailers = draw(framed())
    lines = b"".join(b"%b: \t%b \r\n" % pair for pair in fields)
    raw = b"%b %b HTTP/1.1\r\nHost: a\r\n%b%b\r\n%b" % (method, target, framing, lines, body)
    wanted: list[tuple[Any, ...]] = [(method, target, fields)]
    if content:
        wanted.append((content,))
    return raw, [*wanted, (trailers,)]


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """Return events in the form of ``requests``, Host and framing left out."""
    found: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Request):
            own = [field for field in event.fields if not SPECIAL.fullmatch(field[0])]
            found.append((event.method, event.target, own))
        elif isinstance(event, Data):
            found.append((event.data,))
        elif isinstance(event, End):
            found.append((list(event.trailers),))
    return found


@engines
@few
@given(st.lists(requests(), min_size=1, max_size=3), st.data())
def test_what_is_written_is_read(make: Make, several: Any, data: st.DataObject) -> None:
    """RFC 9112 §2.1, §6, §7.1, §9.3.2: heads, bodies and trailers come back, however cut."""
    raw = b"".join(each for each, _ in several)
    at = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    pieces = [raw[a:b] for a, b in pairwise([0, *at, len(raw)]) if a < b]
    events, error = read_until_error(make(), pieces)
    assert error is None
    assert told(events) == [each for _, wanted in several for each in wanted]


fragments = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"GET / HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"\r\n\r\n",
        b"0\r\n\r\n",
    ]
    + [
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"5\r\n",
    ]
    + [b"hello", b"\x00", b"\xff", b"-1", b";", b",", b"HTTP/1.0", b"Expect: 100-continue\r\n"]
)
soup = st.lists(fragments | st.binary(max_size=8), max_size=12).map(b"".join)


@engines
@many
@given(st.binary(max_size=80) | soup, st.booleans())
def test_no_bytes_raise_anything_but_peer_error(make: Make, raw: bytes, cut: bool) -> None:
    """RFC 9112 §2.2: a server SHOULD answer 400 to what is no request; it never falls over."""
    pieces = [raw[: len(raw) // 2], raw[len(raw) // 2 :]] if cut else [raw]
    engine = make()
    error = read_until_error(engine, pieces, eof=True)[1]  # or Broken, if anything else is raised
    assert error is None or 400 <= error.status < 600
    assert error is None or engine.must_close
    assert read_until_error(make(), raw, eof=True)[1] is None or error is not None


VALID = [file.raw for file in load_valid()]


@engines
@many
@given(st.sampled_from(VALID), st.data())
def test_a_mutated_request_never_becomes_more(make: Make, raw: bytes, data: st.DataObject) -> None:
    """RFC 9112 §11.2: no more requests than there are ends of heads, whatever is changed."""
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        gone = data.draw(st.integers(0, 3))
        raw = raw[:at] + data.draw(fragments | st.binary(max_size=3)) + raw[at + gone :]
    events, error = read_until_error(make(), raw, eof=True)
    asked = len(requests_in(events))
    assert asked <= raw.count(b"\r\n\r\n")
    assert asked <= len(re.findall(rb" HTTP/1\.[0-9]\r\n", raw))
    whole = told(events), error and error.status
    half = read_until_error(make(), [raw[: len(raw) // 2], raw[len(raw) // 2 :]], eof=True)
    if error is None:
        assert (told(half[0]), half[1]) == whole
    elif make is http1.Connection:  # what was read before an error may have come in fewer pieces
        assert (len(requests_in(half[0])), half[1] and half[1].status) == (asked, error.status)


# ---------------------------------------------------------------- the states


OUTGOING: dict[type, Outgoing] = {
    Informational: Informational(103),
    Response: Response(200),
    Data: Data(b"x"),
    End: End(),
}
NEVER = (Request(b"GET", b"/", ()), Closed())
WAYS: dict[Writing, list[Outgoing]] = {
    Writing.OWED: [],
    Writing.BODY: [Response(200)],
    Writing.DONE: [Response(200, [(b"connection", b"close")]), End()],
}


def engine_in(make: Make, state: Writing) -> Any:
    engine = make()
    if state is not Writing.IDLE:
        read_until_error(engine, GET, answer=False)
        for event in WAYS[state]:
            engine.send(event)
    assert engine.writing is state  # type: ignore[attr-defined]
    return engine


@engines
@pytest.mark.parametrize("state", Writing)
@pytest.mark.parametrize(
    "event", [*OUTGOING.values(), *NEVER], ids=lambda event: type(event).__name__
)
def test_send_takes_what_the_table_has_and_nothing_else(
    make: Make, state: Writing, event: Any
) -> None:
    """RFC 9110 §15.2, RFC 9112 §9.3.2: one head, its content, its end, in this order."""
    engine = engine_in(make, state)
    if (state, type(event)) in WRITING and type(event) in OUTGOING:
        engine.send(event)
        wanted = WRITING[state, type(event)]
    else:
        with pytest.raises(OurError):
            engine.send(event)
        wanted = state
    if wanted is Writing.DONE and state is Writing.BODY:
        wanted = Writing.IDLE  # the connection is kept, and waits for the next request
    assert engine.writing is wanted
    assert engine.reading in (Reading.HEAD, Reading.DONE)


steps = st.sampled_from([*OUTGOING.values(), *NEVER, "feed", "read", "give up", "last"])


@engines
@many
@given(st.lists(steps, max_size=14))
def test_no_order_of_calls_confuses_the_states(make: Make, order: list[Any]) -> None:
    """A move is in its table or it raises; what is refused leaves the states as they were."""
    engine: Any = make()
    for step in order:
        before = engine.reading, engine.writing
        try:
            if step == "feed":
                engine.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            elif step == "read":
                engine.next_event()
            elif step == "give up":
                engine.give_up()
            elif step == "last":
                engine.close_after_response()
            else:
                assert type(engine.send(step)) is bytes
                assert (before[1], type(step)) in WRITING
        except OurError:
            assert (engine.reading, engine.writing) == before
            assert (before[1], type(step)) not in WRITING or type(step) not in OUTGOING
        except PeerError:
            assert engine.reading is Reading.FAILED
        assert engine.owes_response == (engine.writing is Writing.OWED)
        assert not (engine.between_requests and engine.must_close)


# ---------------------------------------------------------------- responses


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[bytes, bytes]], list[bytes], bool]:
    """Return method, status, fields, blocks of content, and whether the length is told."""
    method = draw(st.sampled_from([b"GET", b"HEAD"]))
    status = draw(st.sampled_from([200, 204, 206, 304, 404, 413, 500, 599]))
    blocks = draw(st.lists(st.binary(max_size=30), max_size=4))
    return method, status, draw(field_lists), blocks, draw(st.booleans())


class Wire:
    """What http.client calls a socket."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.raw)


def by_h11(method: bytes, raw: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes, Any]:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(raw)
    client.receive_data(b"")
    head = client.next_event()
    assert isinstance(head, h11.Response), head
    content = b""
    while isinstance(event := client.next_event(), h11.Data):
        content += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data[0] == b""
    return head.status_code, list(head.headers), content, list(event.headers)


@engines
@few
@given(responses(), st.lists(st.tuples(names, values), max_size=2))
def test_clients_read_what_send_writes(make: Make, answer: Any, trailers: Any) -> None:
    """RFC 9112 §6.3: http.client and h11 find the same status, fields and content as were sent."""
    method, status, fields, blocks, has_length = answer
    engine = make()
    read_until_error(engine, GET.replace(b"GET", method), answer=False)
    whole = b"".join(blocks)
    own = [*fields, (b"Content-Length", b"%d" % len(whole))] if has_length else fields
    events = [Response(status, own), *map(Data, blocks), End(trailers)]
    raw = b"".join([engine.send(event) for event in events])
    content = b"" if method == b"HEAD" or status in (204, 304) else whole
    chunked = not has_length and method == b"GET" and status not in (204, 304)
    ours = [(name.lower(), value) for name, value in fields]

    got = by_h11(method, raw)
    assert got[0] == status
    assert [field for field in got[1] if not SPECIAL.fullmatch(field[0])] == ours
    assert (got[2], got[3]) == (content, trailers if chunked else [])
    client = HTTPResponse(Wire(raw), method=method.decode())  # type: ignore[arg-type]
    client.begin()
    assert (client.status, client.read()) == (status, content)
    plain = [field for field in ours if not re.search(rb"[^ -~]", field[1])]
    for name, value in plain:
        assert value.decode() in (client.headers.get_all(name.decode()) or [])


dirty = st.binary(min_size=1, max_size=6).filter(lambda raw: re.search(rb"[\x00\r\n]", raw))


@engines
@few
@given(dirty, st.sampled_from(["name", "value", "reason", "interim", "trailer"]))
def test_no_response_is_split(make: Make, bad: bytes, where: str) -> None:
    """RFC 9110 §5.5, RFC 9112 §11.1: CR, LF and NUL never get from an application to the wire."""
    engine = engine_in(make, Writing.BODY if where == "trailer" else Writing.OWED)
    event: Outgoing = {
        "name": Response(200, [(b"X" + bad, b"y")]),
        "value": Response(200, [(b"X", bad)]),
        "reason": Response(200, (), bad),
        "interim": Informational(103, [(b"X", bad)]),
        "trailer": End([(b"X", bad)]),
    }[where]
    with pytest.raises(OurError):
        engine.send(event)
