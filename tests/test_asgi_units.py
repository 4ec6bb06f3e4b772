"""The ASGI gateway without a socket: every order of messages, every wrong one, and what it says."""

from __future__ import annotations

import itertools

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handmade import http1, http1_h11
from handmade.asgi import Exchange, Gateway
from handmade.asgi_messages import (
    DONE,
    NOTHING,
    SENDING,
    checked_body,
    checked_headers,
    checked_links,
    checked_status,
    checked_trailers,
    refuse,
)
from handmade.asgi_scope import Server, http_scope, split_path
from handmade.events import End, Request
from handmade.gateway import ApplicationError, HttpDate
from handmade.lifespan import LIFE, Life, Lifespan
from workbench.contracts.wire import request

ENGINES = {"http1": http1.Connection, "h11": http1_h11.Connection}


class Memory:
    """A channel (``gateway.AsyncChannel``) whose client reads everything at once."""

    client = ("127.0.0.1", 1)
    gone = left = False
    writable = True

    def __init__(self, engine, sent):
        self.engine = engine
        self.engine.receive(sent)
        self.request = self.engine.next_event()
        self.out = b""
        self.aborted = False

    def read(self):
        event = self.engine.next_event()
        return event if isinstance(event, End) else None

    def send(self, *events):
        self.out += b"".join([self.engine.send(event) for event in events])

    def abort(self):
        self.aborted = True


def now(coroutine):
    """Run a coroutine that never has to wait; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise AssertionError("it waits")


def exchange_on(engine, sent=request(), server=Server(), app=None):  # noqa: B008
    channel = Memory(ENGINES[engine](), sent)
    channel.read()
    return Exchange(Gateway(app, server, HttpDate(lambda: 0)), channel.request, channel)


def name_of(value):
    """Name a parameter: by its text, or by its function's name."""
    return value if isinstance(value, str) else getattr(value, "__name__", "")


MESSAGES = {
    "hint": {"type": "http.response.early_hint", "links": [b"</a>"]},
    "start": {"type": "http.response.start", "status": 200},
    "start with trailers": {"type": "http.response.start", "status": 200, "trailers": True},
    "part": {"type": "http.response.body", "body": b"part", "more_body": True},
    "last": {"type": "http.response.body", "body": b"last"},
    "trailer": {
        "type": "http.response.trailers", "headers": [(b"x-t", b"1")], "more_trailers": True,
    },
    "last trailer": {"type": "http.response.trailers", "headers": [(b"x-t", b"2")]},
}  # fmt: skip


def answers_of(out):
    """Read what a client sees, by h11: statuses, content, trailers, and whether it is complete."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "test")]))
    client.send(h11.EndOfMessage())
    if out:  # nothing would mean the end of the connection
        client.receive_data(out)
    seen = []
    while True:
        event = client.next_event()
        if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
            assert client.trailing_data == (b"", False)
            return seen
        if isinstance(event, h11.InformationalResponse | h11.Response):
            seen.append(event.status_code)
        elif isinstance(event, h11.Data):
            seen.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            seen.append([bytes(value) for _, value in event.headers])


def model(names):
    """Say what should come of messages in this order: which are taken, and what a client sees."""
    state, trailers, taken, seen, pending = "nothing", False, [], [], []
    for name in names:
        ok = True
        if name == "hint" and state == "nothing":
            seen.append(103)
        elif name.startswith("start") and state == "nothing":
            state, trailers = "noted", "trailers" in name
        elif name in ("part", "last") and state in ("noted", "body"):
            if state == "noted":
                seen.append(200)
            seen.append(name.encode())
            state = "body" if name == "part" else "trailers" if trailers else "done"
            if state == "done":
                seen.append([])
        elif name in ("trailer", "last trailer") and state == "trailers":
            pending.append(b"1" if name == "trailer" else b"2")
            if name == "last trailer":
                seen.append(pending)
                state = "done"
        else:
            ok = False
        taken.append(ok)
    return taken, seen, state


def joined(seen):
    """Join content that stands side by side: how it was cut into chunks is not the question."""
    result = []
    for each in seen:
        if result and isinstance(each, bytes) and isinstance(result[-1], bytes):
            result[-1] += each
        else:
            result.append(each)
    return result


@pytest.mark.parametrize("engine", ENGINES)
def test_every_order_of_messages_up_to_four(engine):
    """What the table allows is taken and seen by a client; all else raises and leaves no trace."""
    for length in range(5 if engine == "http1" else 4):
        for names in itertools.product(MESSAGES, repeat=length):
            exchange = exchange_on(engine, request("/", "TE: trailers"))
            taken, wanted, state = model(names)
            for name, ok in zip(names, taken, strict=True):
                before = exchange.sending, exchange.channel.out
                if ok:
                    now(exchange.send(MESSAGES[name]))
                else:
                    with pytest.raises(ApplicationError):
                        now(exchange.send(MESSAGES[name]))
                    assert (exchange.sending, exchange.channel.out) == before, names
            assert joined(answers_of(exchange.channel.out)) == joined(wanted), names
            assert (exchange.sending is DONE) == (state == "done"), names


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(MESSAGES)), max_size=12))
def test_longer_orders_of_messages(names):
    exchange = exchange_on("http1", request("/", "TE: trailers"))
    taken, wanted, _ = model(names)
    for name, ok in zip(names, taken, strict=True):
        if ok:
            now(exchange.send(MESSAGES[name]))
        else:
            with pytest.raises(ApplicationError):
                now(exchange.send(MESSAGES[name]))
    assert joined(answers_of(exchange.channel.out)) == joined(wanted)


def test_the_table_has_no_state_without_a_way_in():
    reached = {NOTHING} | {state for moves in SENDING.values() for state in moves}
    assert {state for state, _ in SENDING} | {DONE} == reached


@pytest.mark.parametrize(
    ("state", "message", "says"),
    [
        (NOTHING, None, "send() takes a dict with a 'type', not None"),
        (NOTHING, "start", "send() takes a dict with a 'type', not 'start'"),
        (NOTHING, {}, "send() takes a dict with a 'type', not {}"),
        (NOTHING, {"type": "http.nonsense"}, "'http.nonsense' is no message that an HTTP response"),
        (NOTHING, MESSAGES["last"], "http.response.body may not come now: nothing was sent"),
        (DONE, MESSAGES["last"], "http.response.body may not come now: the response is complete"),
    ],
    ids=name_of,
)
def test_a_refusal_says_why(state, message, says):
    assert says in str(refuse(state, message))


def start(**more):
    return {"type": "http.response.start", "status": 200, **more}


@pytest.mark.parametrize(
    ("check", "message", "says"),
    [
        (checked_status, {}, "the status must be an int, not None"),
        (checked_status, {"status": "200"}, "the status must be an int, not '200'"),
        (checked_status, {"status": True}, "the status must be an int, not True"),
        (checked_status, {"status": 99}, "the status must be from 200 to 599, not 99"),
        (checked_headers, start(headers=5), "headers must be pairs of name and value, not 5"),
        (checked_headers, start(headers=[(b"a",)]), "a header must be two byte strings, not (b'a'"),
        (checked_headers, start(headers=[["a", b"b"]]), "must be two byte strings, not ('a', b'b'"),
        (checked_headers, start(headers=[(b"a", b"b\r\nc: d")]), "the field b'a' has a control"),
        (checked_headers, start(headers=[(b"a b", b"c")]), "b'a b' is not a field name"),
        (checked_headers, start(headers=[(b"content-length", b"x")]), "b'x' is not a number"),
        (checked_body, {"body": "text"}, "body must be bytes, not str; encode it first"),
        (checked_body, {"body": None}, "body must be bytes, not NoneType"),
        (checked_trailers, start(headers=[(b"host", b"a")]), "the field b'host' cannot be a trail"),
        (checked_links, {"links": ["</a>"]}, "links must be byte strings, not ['</a>']"),
    ],
    ids=name_of,
)
def test_a_wrong_message_says_what_is_wrong(check, message, says):
    with pytest.raises(ApplicationError) as info:
        check(message)
    assert says in str(info.value)


@pytest.mark.parametrize(
    ("first", "later", "says"),
    [
        (b"100", b"x" * 101, "the body is longer than its Content-Length"),
        (b"100", b"x" * 99, "the body is 1 bytes short of its Content-Length"),
    ],
)
def test_a_wrong_length_says_by_how_much(first, later, says):
    exchange = exchange_on("http1")
    now(exchange.send(start(headers=[(b"content-length", first)])))
    with pytest.raises(ApplicationError, match=says):
        now(exchange.send({"type": "http.response.body", "body": later}))
    assert exchange.channel.out == b""


def test_content_may_be_any_bytes_and_is_copied():
    content = bytearray(b"mine")
    taken = checked_body({"body": content})
    content[:] = b"gone"
    assert (taken, type(taken)) == (b"mine", bytes)
    assert checked_body({"body": memoryview(b"abc")[1:]}) == b"bc"
    assert checked_body({}) == b""


# ---------------------------------------------------------------- the scope


@pytest.mark.parametrize(
    ("target", "root", "parts"),
    [
        (b"/", "", ("/", b"/", b"")),
        (b"/a%2Fb?c?d", "", ("/a/b", b"/a%2Fb", b"c?d")),
        (b"/%ff", "", ("/\ufffd", b"/%ff", b"")),
        (b"*", "", ("", b"", b"")),
        (b"http://a/b?c", "", ("/b", b"/b", b"c")),
        (b"/b", "/a", ("/a/b", b"/b", b"")),
        (b"/a/b", "/a", ("/a/b", b"/a/b", b"")),
        (b"/ab", "/a", ("/a/ab", b"/ab", b"")),
    ],
)
def test_a_target_in_parts(target, root, parts):
    assert split_path(target, root) == parts


def test_state_is_there_only_with_a_lifespan_and_is_a_copy():
    asked = Request(b"GET", b"/", ())
    assert "state" not in http_scope(asked, None, Server())
    state = {"a": 1}
    scope = http_scope(asked, None, Server(state=state))
    assert scope["state"] == state
    assert scope["state"] is not state


def test_two_scopes_share_nothing_that_can_be_changed():
    asked = Request(b"GET", b"/", ((b"a", b"b"),))
    one, two = (http_scope(asked, ("h", 1), Server(("h", 2), state={})) for _ in range(2))
    for key, value in one.items():
        if isinstance(value, dict | list):
            assert value is not two[key], key
    for name, extension in one["extensions"].items():
        assert extension is not two["extensions"][name]


# ---------------------------------------------------------------- receive, without a loop


def test_receive_gives_the_disconnect_again_and_again_when_it_is_true():
    exchange = exchange_on("http1", request())
    exchange.channel.pause = pause
    now(exchange.send(MESSAGES["start"]))
    now(exchange.send(MESSAGES["last"]))
    for _ in range(3):
        assert now(exchange.receive()) == {"type": "http.disconnect"}


async def pause():
    """Wait for nobody."""


# ---------------------------------------------------------------- lifespan, as a table


class NoLoop:
    """What a lifespan asks of a loop, where nothing has to be waited for."""

    def create_future(self):
        raise AssertionError("it waits")


@pytest.mark.parametrize("life", Life)
@pytest.mark.parametrize(
    "kind",
    [
        "lifespan.startup.complete", "lifespan.startup.failed", "lifespan.shutdown.complete",
        "lifespan.shutdown.failed", "lifespan.startup", "http.response.start",
    ],
)  # fmt: skip
def test_every_message_in_every_life(life, kind):
    lifespan = Lifespan(None, NoLoop())
    lifespan.life = life
    wanted = LIFE.get((life, kind))
    if wanted is None:
        with pytest.raises(ApplicationError, match=f"'{kind}' may not come now: {life.value}"):
            now(lifespan._send({"type": kind}))
        assert lifespan.life is life
    else:
        now(lifespan._send({"type": kind}))
        assert lifespan.life is wanted
