"""Does the X-ray of an ASGI application record who did what, who waited, and who had the loop?"""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from handmade import loop_time
from workbench.board.asgi import make_app
from workbench.board.store import Board
from workbench.lanes import Happening, swimlanes
from workbench.running import fixed, running
from workbench.xray import xray
from workbench.xray_asgi import StillRunning

GET = b"GET /hello?a=1 HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}


async def hello(scope, receive, send):
    await send(START)
    await send({"type": "http.response.body", "body": b"hello"})


async def echo(scope, receive, send):
    await send(START)
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        body = message.get("body", b"")
        await send({"type": "http.response.body", "body": body, "more_body": more})


ONE = r"""
One request
     loop      client   socket     engine      gateway         application
  1  server       │──recv─▶│          │           │                 │   36 bytes: GET /hello?a=1@
  2  ┃            │        │─receive─▶│           │                 │   36 bytes
  3  ┃            │        │          │──Request─▶│                 │   GET /hello?a=1, 1 field
  4  ┃            │        │          │────End───▶│                 │
  5  request 1    │        │          │           │───────call─────▶│   method GET, path /hello
  6  ┃            │        │          │           │◀─response.start─│   200, 1 header
  7  ┃            │        │          │           │◀─response.body──│   5 bytes: hello
  8  ┃            │        │          │◀─Response─│                 │   200, 3 fields
  9  ┃            │        │◀─bytes───│           │                 │   101 bytes: HTTP/1.1 200 @
 10  ┃            │        │          │◀───Data───│                 │   5 bytes: hello
 11  ┃            │        │◀─bytes───│           │                 │   5 bytes: hello
 12  ┃            │        │          │◀───End────│                 │
 13  ┃            │◀─send──│          │           │                 │   106 bytes: HTTP/1.1 200 @
 14  ┃            │        │          │           │◀─────return─────│
""".strip("\n").splitlines()


def labels(x):
    return [f"{row.source[0]}>{row.target[0]} {row.label}" for row in x.rows]


def holders(x):
    found = []
    for row in x.rows:
        if found[-1:] != [row.holder]:
            found.append(row.holder)
    return found


def test_one_request_from_bytes_to_bytes():
    x = xray(hello, GET, title="One request", scope=("method", "path"))
    found = [line if len(line) <= 100 else line[:96] + "@" for line in repr(x).splitlines()]
    assert found == ONE
    assert max(map(len, repr(x).splitlines())) <= 108


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
@pytest.mark.parametrize("engine", ["handmade", "h11"])
def test_a_body_in_pieces_is_waited_for_and_the_loop_is_free_meanwhile(shell, engine):
    x = xray(echo, [HEAD[:9], HEAD[9:], b"hello", b"world"], shell=shell, engine=engine)
    assert [row.detail for row in x.rows if row.label == "waits"] == [
        "request 1, for the client"
    ] * 2
    assert holders(x) == ["server", "request 1", "free", "server", "request 1", "free", "server",
                          "request 1", "server"]  # fmt: skip
    assert [row.data for row in x.rows if row.label == "request"] == [b"hello", b"world"]
    told = [row.detail for row in x.rows if row.label == "request"]
    assert [text.startswith("more_body") for text in told] == [True, False]


def test_it_is_the_same_every_time_on_both_loops():
    pieces = [HEAD, b"hello", b"world"]
    several = [xray(echo, pieces, shell=shell) for shell in ("asyncio", "loop", "asyncio")]
    assert several[0].rows == several[1].rows == several[2].rows
    assert several[0].picture()._repr_png_() == several[2].picture()._repr_png_()
    assert several[0].picture().alt.startswith("Swimlanes client, socket, engine, gateway")


@pytest.mark.parametrize(
    ("shell", "sleep"), [("asyncio", asyncio.sleep), ("loop", loop_time.sleep)]
)
def test_an_application_that_waits_elsewhere_is_waited_for(shell, sleep):
    async def app(scope, receive, send):
        await sleep(0.01)
        await hello(scope, receive, send)

    x = xray(app, GET, shell=shell)
    assert [row.source for row in x.rows if row.label == "waits"] == ["application"]
    assert labels(x)[-1] == "a>g return"


def test_a_client_that_leaves_is_told_of():
    async def app(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass

    assert labels(xray(app, GET, leaves=True))[-3:] == [
        "c>s leaves",
        "g>a disconnect",
        "a>g return",
    ]
    stays = xray(app, GET)
    assert [row.label for row in stays.rows[-2:]] == ["waits", "waits"]
    assert stays.rows[-1].detail == "nothing more will happen"


def test_the_tasks_of_an_application_have_names():
    board = Board()
    board.add("Ada", "hello")
    feed = b"GET /feed HTTP/1.1\r\nHost: a\r\n\r\n"
    x = xray(make_app(board=board), feed, leaves=True, lifespan=True)
    assert {"lifespan", "server", "free", "request 1", "task 1"} == set(holders(x))
    assert [row.label for row in x.rows if row.holder == "lifespan"][-2:] == [
        "shutdown.complete", "return"
    ]  # fmt: skip
    assert "lifespan" not in holders(xray(make_app(board=board), feed, leaves=True))


def test_a_function_in_a_thread_is_waited_for():
    app = Starlette(routes=[Route("/hello", lambda request: PlainTextResponse("from a thread"))])
    x = xray(app, GET)
    assert [row.holder for row in x.rows if row.label == "waits"] == ["free"]
    assert b"from a thread" in x.rows[-2].data
    by_hand = xray(app, GET, shell="loop")
    (row,) = [row for row in by_hand.rows if row.bad]
    assert "NoEventLoopError" in row.detail


def test_failures_are_marked():
    async def short(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": "text"})

    bad = [(row.target, row.detail) for row in xray(short, GET).rows if row.bad]
    assert [target for target, _ in bad] == ["application", "gateway"]
    assert "body must be bytes" in bad[0][1]
    forgot = xray(lambda scope, receive, send: None, GET)
    (row,) = [row for row in forgot.rows if row.bad]
    assert "NoneType can't be used in 'await'" in row.detail


def test_what_is_awaited_is_cancelled_as_without_a_tap():
    caught = []

    async def app(scope, receive, send):
        await receive()
        try:
            async with asyncio.timeout(0.01):
                await receive()
        except TimeoutError:
            caught.append("timeout")
        task = asyncio.create_task(receive())
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            caught.append("cancelled")
        await hello(scope, receive, send)

    assert labels(xray(app, GET))[-1] == "a>g return"
    assert caught == ["timeout", "cancelled"]


def test_an_application_that_blocks_ends_in_a_message():
    release = threading.Event()

    async def app(scope, receive, send):
        release.wait(10)

    with pytest.raises(StillRunning, match=r"still runs after 0.1 s"):
        xray(app, GET, patience=0.1)
    release.set()


@pytest.mark.parametrize("shell", ["asyncio", "loop"])
@pytest.mark.parametrize("engine", ["handmade", "h11"])
def test_a_real_server_is_tapped_and_does_the_same(shell, engine):
    x, how = xray(), {"engine": engine, "clock": fixed, "shell": shell}
    with running(echo, tap=x, **how) as tapped:
        one = tapped.talk(HEAD + b"helloworld")
    with running(echo, **how) as plain:
        assert plain.talk(HEAD + b"helloworld") == one
    expected = labels(xray(echo, HEAD + b"helloworld", engine=engine))
    assert labels(x)[: len(expected)] == expected
    assert labels(x)[-1] == "s>c close"


def test_two_clients_at_once_are_told_apart():
    both = threading.Barrier(2)

    async def app(scope, receive, send):
        await asyncio.to_thread(both.wait, 5)
        await hello(scope, receive, send)

    x = xray()
    with running(app, tap=x, lifespan="off") as server:
        threads = [threading.Thread(target=server.talk, args=(GET,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    for number in (1, 2):
        own = [row.label for row in x.rows if row.connection == number and row.label != "NEED_DATA"]
        assert own.index("call") < own.index("waits") < own.index("response.start")
        assert "send" in own


def test_no_secret_of_a_scope_is_shown():
    raw = GET[:-2] + b"Authorization: Basic SECRET\r\n\r\n"
    x = xray(hello, raw, scope=("type", "headers"))
    assert "SECRET" not in repr(x) + repr(x.table())
    assert "2 headers" in repr(x)


def test_a_notebooks_own_loop_is_no_hindrance():
    async def cell():
        return xray(hello, GET)

    began = time.monotonic()
    assert labels(asyncio.run(cell()))[-1] == "a>g return"
    assert time.monotonic() - began < 1


def test_a_column_for_who_has_the_loop():
    rows = [Happening("a", "b", "x", holder="server"), Happening("b", "a", "y", holder="server"),
            Happening("b", "b", "waits", holder="free")]  # fmt: skip
    assert repr(swimlanes(["a", "b"], rows)) == (
        "     loop   a    b\n  1  server │─x─▶│\n  2  ┃      │◀y──│\n  3  free   │    ● waits"
    )
