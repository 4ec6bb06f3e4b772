"""The exercises of chapter 11: how ASGI came to be."""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.probes import raw
from workbench.contracts.wire import Wire, request
from workbench.exercises.coroutines import Watched, awaitable, none_forgotten, within
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.serving import PATIENCE, Served, serving
from workbench.exercises.talking import same
from workbench.running import running

# --- cgi-head ---------------------------------------------------------------------------------

CGI = "RFC 3875"
Output = tuple[str, list[tuple[str, str]], bytes]


def reads(printed: bytes, status: str, *headers: tuple[str, str], body: bytes = b"") -> Any:
    """Return a point: this output is read as that."""

    def run(read_output: Any) -> None:
        found = read_output(printed)
        if not isinstance(found, tuple) or len(found) != 3:
            raise Slip(f"read_output returns (status, headers, body); yours returned {found!r}")
        wanted = (status, list(headers), body)
        for name, got, right in zip(("status", "headers", "body"), found, wanted, strict=True):
            if name == "headers" and isinstance(got, list):
                got = [tuple(pair) for pair in got]
            same(got, right, f"what was read as {name} from {printed!r:.120}")

    return run


def refuses(*outputs: bytes) -> Any:
    """Return a point: each of these is no CGI response."""

    def run(read_output: Any) -> None:
        for printed in outputs:
            try:
                found = read_output(printed)
            except ValueError:
                continue
            wanted = "ValueError"
            raise Broken(f"{printed!r} is no response", got=f"{found!r}", wanted=wanted)

    return run


PROGRAM = r"""
import sys
sys.stdout.write("Content-Type: text/plain\nstatus: 201 Created\nX-When: 12:30\n\n")
sys.stdout.write("by=ada says hello\n\nand no more")
"""


def behind_a_server(read_output: Any) -> None:
    """A process, the learner's function, and a client."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        command = [sys.executable, "-I", "-S", "-c", PROGRAM]
        printed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        status, headers, body = read_output(printed)
        start_response(status, [tuple(header) for header in headers])
        return [body]

    with running(raw(app)) as server, Wire(server.address, 3.0) as wire:
        answer = wire.send(request("/posts")).response()
    same(answer.status, 201, "the status that the client got")
    same(answer.value("x-when"), "12:30", "the field X-When")
    if (status := answer.value("status")) is not None:
        raise Broken(f"the client got a field `status: {status}`, which is no field of HTTP")
    same(answer.body.replace(b"\r", b""), b"by=ada says hello\n\nand no more", "the body")


TEXT = ("Content-Type", "text/plain")

CGI_HEAD = Exercise(
    name="cgi-head",
    chapter=11,
    title="Read what a CGI program prints",
    effort=1,
    subject="read_output",
    points=(
        Point(
            "with a status",
            reads(
                b"Status: 404 Not Found\nContent-Type: text/plain\n\nno\n",
                "404 Not Found",
                TEXT,
                body=b"no\n",
            ),
            "passing `Status` on. It is the program's word to the server; HTTP knows no such "
            "field.",
            f"{CGI} §6.3.3",
        ),
        Point(
            "without a status",
            reads(b"Content-Type: text/plain\n\nyes\n", "200 OK", TEXT, body=b"yes\n"),
            "demanding a status. A program that only prints a page is the usual one.",
            f"{CGI} §6.2.1",
        ),
        Point(
            "names in any case",
            reads(
                b"content-type:text/plain\nSTATUS: 201 Created\n\n",
                "201 Created",
                ("content-type", "text/plain"),
            ),
            "comparing with `Status` as it is usually written. Names of fields have no case, and "
            "the blank after the colon may be missing.",
            f"{CGI} §6.3",
        ),
        Point(
            "lines in CR LF",
            reads(
                b"Status: 201 Created\r\nContent-Type: text/plain\r\n\r\nyes",
                "201 Created",
                TEXT,
                body=b"yes",
            ),
            "looking for \\n\\n. Programs under Unix print LF, careful ones CR LF, and a server "
            "should take both.",
            f"{CGI} §7.2",
        ),
        Point(
            "a body with empty lines",
            reads(
                b"Content-Type: text/plain\n\none\r\n\r\ntwo\n\nthree\x00\xff",
                "200 OK",
                TEXT,
                body=b"one\r\n\r\ntwo\n\nthree\x00\xff",
            ),
            "searching the whole output for one kind of empty line. The *first* empty line ends "
            "the head, of whichever kind; behind it are bytes, which belong to nobody but the "
            "client.",
            f"{CGI} §6.2.1",
        ),
        Point(
            "a byte beyond ASCII",
            reads(
                b"Content-Type: text/plain\nX-From: Z\xfcrich, \xe2\x82\xac\n\nyes",
                "200 OK",
                TEXT,
                ("X-From", "Z\xfcrich, \xe2\x82\xac"),
                body=b"yes",
            ),
            "decoding as ASCII, which knows half of the bytes, or UTF-8, which changes or refuses "
            "some. WSGI's str carries bytes: latin-1 gives each of them one character, and back.",
            "PEP 3333, A Note on String Types",
        ),
        Point(
            "a colon in the value",
            reads(
                b"Status: 303 See Other\nLocation: http://board.example/posts\n\n",
                "303 See Other",
                ("Location", "http://board.example/posts"),
            ),
            "splitting at every colon. The first one ends the name.",
        ),
        Point(
            "a place, and no status",
            reads(
                b"Location: http://board.example/\n\n",
                "302 Found",
                ("Location", "http://board.example/"),
            ),
            "200 for everything without a status. Who names another place means 302.",
            f"{CGI} §6.2.3",
        ),
        Point(
            "what is no response",
            refuses(
                b"",
                b"hello\n\n",
                b"Content-Type: text/plain\n",
                b"Content-Type: text/plain",
                b"Traceback (most recent call last):\n  File x\n\n",
            ),
            "letting it through. A program that crashed has printed something too; a client must "
            "hear 500, not half a head as its page.",
            f"{CGI} §6.1",
        ),
        Point("a process behind a server", behind_a_server),
    ),
    hints=(
        "Which byte ends the head? Read line by line, and it will show itself.",
        "printed.partition(b'\\n') gives a line and the rest. Take a \\r off the line's end. An "
        "empty line: the rest is the body. No \\n found: there is no head.",
        """
        The loop:

            while True:
                line, newline, printed = printed.partition(b"\\n")
                if not newline:
                    raise ValueError("the head has no end")
                text = line.removesuffix(b"\\r").decode("latin-1")
                if not text:
                    break
                name, colon, value = text.partition(":")
        """,
    ),
    afterwards="""
        You have read the response of a protocol without a version, a length or an escape: that is
        why it lasted. mod_cgi of Apache does the same to this day, and reads line by line too.

        Gunicorn and Uvicorn start no programs. The line Status: 404 Not Found lives on in both: it
        is the first argument of start_response, a str with a reason phrase that nobody reads. ASGI
        dropped the phrase: its status is an int.
        """,
)


# --- asgi2-to-asgi3 ---------------------------------------------------------------------------

PROMPT = 0.6  # seconds for an application that has nothing to wait for
LEGACY = "ASGI Specification 3.0, Legacy Applications"
SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}


async def answer(send: Any, body: bytes) -> None:
    """Send a whole response."""
    await send(START)
    await send({"type": "http.response.body", "body": body})


class Remembering:
    """An ASGI 2 application; each instance answers how often it was asked."""

    made = 0

    def __init__(self, scope: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        type(self).made += 1
        self.asked: list[str] = []
        self.path = scope["path"]

    async def __call__(self, receive: Any, send: Any) -> None:
        self.asked.append(self.path)
        await answer(send, " ".join(self.asked).encode())


def closure(scope: Any) -> Any:
    """Be an ASGI 2 application without a class."""

    async def instance(receive: Any, send: Any) -> None:
        await answer(send, f"closure {scope['path']}".encode())

    return instance


async def function(scope: Any, receive: Any, send: Any) -> None:
    """Be an ASGI 3 application."""
    await answer(send, f"function {scope['path']}".encode())


class Configured:
    """An ASGI 3 application that is an object, as frameworks' are."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, f"object {scope['path']}".encode())


class Endpoint:
    """A class of ASGI 3: its instance is awaited, and not called (as Starlette's endpoints are)."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None:
        self.send = send
        self.path = scope["path"]

    def __await__(self) -> Any:
        return answer(self.send, f"endpoint {self.path}".encode()).__await__()


def adapted(to_asgi3: Any, app: Any) -> Any:
    """Return what the learner makes of an application, in a form that our server takes."""
    single = to_asgi3(app)
    if single is None or not callable(single):
        got = "None" if single is None else type(single).__name__
        if asyncio.iscoroutine(single):
            single.close()
        raise Broken(f"to_asgi3 returns an application; yours returned {got}: is it a plain `def`?")
    if single is app and len(inspect.signature(app).parameters) == 1:
        raise Slip(
            "to_asgi3 gave back an application of ASGI 2 as it was: it takes scope alone, and a "
            "server of ASGI 3 calls it with scope, receive and send"
        )

    async def called(scope: Any, receive: Any, send: Any) -> None:
        call = single(scope, receive, send)
        what = "your application, called with scope, receive and send,"
        came = await within(PROMPT, awaitable(call, what), "the end of your application")
        if asyncio.iscoroutine(came):
            came.close()
            raise Slip(
                "your application has made a coroutine, and gave it back in place of awaiting it: "
                "a call of an `async def` alone runs none of it"
            )

    return called


def got(server: Served, path: str) -> bytes:
    """Return the body of an answer with 200."""
    came = server.connect().send(request(path)).response()
    if came.status != 200:
        said = [line for line in server.server.log if "Error" in line or "Broken" in line]
        raise Broken(
            f"the server answered {came.status}; its log says: {(said or ['nothing'])[-1]}"
        )
    return came.body


def serves(app: Any, words: bytes) -> Any:
    """Return a point: an application, behind a server, answers twice."""

    def run(to_asgi3: Any) -> None:
        with none_forgotten(), serving(adapted(to_asgi3, app), lifespan="off") as server:
            for path in ("/one", "/two"):
                same(got(server, path), words % path.encode(), f"the answer to {path}")

    return run


def an_instance_each(to_asgi3: Any) -> None:
    """Two requests must not meet in one ``self``."""
    Remembering.made = 0
    with none_forgotten(), serving(adapted(to_asgi3, Remembering), lifespan="off") as server:
        for path in ("/one", "/two"):
            same(got(server, path), path.encode(), f"what the instance for {path} remembers")
    same(Remembering.made, 2, "the number of instances after two requests")


async def nobody_is_lost(to_asgi3: Any) -> None:
    """The adapter ends when the instance ends, and not before."""
    said: list[str] = []

    def slow(scope: Any) -> Any:
        async def instance(receive: Any, send: Any) -> None:
            await asyncio.sleep(0.05)
            said.append("done")

        return instance

    single = adapted(to_asgi3, slow)
    with none_forgotten():
        await within(PATIENCE, single(SCOPE, None, None), "the end of your application")
    same(said, ["done"], "what the instance had done when your application ended")


async def errors_come_out(to_asgi3: Any) -> None:
    """What either of the two calls raises reaches the server."""

    def fails(scope: Any) -> Any:
        async def instance(receive: Any, send: Any) -> None:
            raise RuntimeError("on purpose, in the second call")

        return instance

    for app, scope, kind in (
        (Remembering, {"type": "lifespan"}, NotImplementedError),
        (fails, SCOPE, RuntimeError),
    ):
        single = adapted(to_asgi3, app)
        try:
            await within(PATIENCE, single(scope, None, None), "the end of your application")
        except kind:
            continue
        raise Broken(f"{kind.__name__} was raised in the application, and did not come out")


async def its_own_type_error(to_asgi3: Any) -> None:
    """An application of ASGI 2 whose first call raises what a wrong call raises."""
    said = "on purpose, in the first call"

    class Unmade:
        def __init__(self, scope: Any) -> None:
            raise TypeError(said)

    single = adapted(to_asgi3, Unmade)
    came = None
    try:
        await within(PATIENCE, single(SCOPE, None, None), "the end of your application")
    except TypeError as error:
        came = str(error)
    same(came, said, "the TypeError that came out, of an application that raises one itself")


ASGI2_TO_ASGI3 = Exercise(
    name="asgi2-to-asgi3",
    chapter=11,
    title="One way to call",
    effort=2,
    subject="to_asgi3",
    points=(
        Point("a class", serves(Remembering, b"%s"), "", LEGACY),
        Point(
            "an instance for each request",
            an_instance_each,
            "calling app(scope) once, for all. The instance belongs to one connection; in a shared "
            "one every client reads what the others left in `self`.",
            LEGACY,
        ),
        Point("a function in a function", serves(closure, b"closure %s"), "", LEGACY),
        Point(
            "to its end",
            nobody_is_lost,
            "calling instance(receive, send) without `await`. That makes a coroutine and runs "
            "nothing of it; or, in a task of its own, nobody waits for it.",
            LEGACY,
        ),
        Point(
            "what it raises",
            errors_come_out,
            "catching what the application raises. A server learns from an exception that lifespan "
            "is not known, and answers 500 for it: both are lost.",
            "ASGI Specification 3.0, Error Handling",
        ),
        Point(
            "a TypeError of its own",
            its_own_type_error,
            "trying one way to call, and the other way after a TypeError. It may come from inside "
            "of the application; then the second call hides what really happened.",
            "ASGI Specification 3.0, Error Handling",
        ),
        Point(
            "ASGI 3 already",
            serves(function, b"function %s"),
            "calling every application twice. One of ASGI 3 has no instance.",
            "ASGI Specification 3.0, Applications",
        ),
        Point(
            "an object of ASGI 3",
            serves(Configured(), b"object %s"),
            "asking `iscoroutinefunction(app)` alone. An object with an async `__call__` is no "
            "function, yet that is what most frameworks give you.",
            "ASGI Specification 3.0, Applications",
        ),
        Point(
            "a lambda of ASGI 3",
            serves(lambda scope, receive, send: function(scope, receive, send), b"function %s"),
            "asking what the application *is*. A plain function that returns a coroutine is called "
            "as an `async def` is: count what a call needs.",
            "ASGI Specification 3.0, Applications",
        ),
        Point(
            "a class of ASGI 3",
            serves(Endpoint, b"endpoint %s"),
            "taking every class for ASGI 2. This one takes scope, receive and send, and its "
            "instance is awaited: Starlette's endpoints are made so.",
            "ASGI Specification 3.0, Applications",
        ),
        Point("a partial of ASGI 2", serves(functools.partial(closure), b"closure %s")),
    ),
    hints=(
        "Two questions: how does one tell them apart, and what belongs into each call?",
        "inspect.signature(app).parameters has three entries for ASGI 3 and one for ASGI 2, "
        "whatever app is. Make the instance inside of the function that you return.",
        """
        For ASGI 2:

            async def single(scope, receive, send):
                instance = app(scope)
                await instance(receive, send)

            return single
        """,
    ),
    afterwards="""
        Uvicorn runs ASGI 2 applications to this day: --interface asgi2 says so, and "auto" guesses.
        It asks a class whether its instances can be awaited, and everything else whether it, or its
        __call__, is a coroutine function (Config.load in uvicorn/config.py); so a lambda of ASGI 3
        is taken for ASGI 2, and its first request fails. Daphne uses asgiref's
        guarantee_single_callable. Hypercorn 0.18 tells only ASGI from WSGI.

        The middleware of two lines that you wrote is what a server calls a compatibility layer.
        """,
)


# --- channel-layer ----------------------------------------------------------------------------

DRAFT = "ASGI draft (Channels 1)"
LISTENING = 0.3  # seconds in which a loop that never rests shows itself


def in_a_loop(main: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], None]:
    """Return a point that runs a coroutine in a loop which notices when it never rests."""

    def run(layer_class: Any) -> None:
        with asyncio.Runner(loop_factory=watched_loop) as runner:
            runner.run(main(layer_class))

    return run


def watched_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of asyncio with a watched selector."""
    return asyncio.SelectorEventLoop(Watched(selectors.DefaultSelector()))


async def take(layer: Any, *channels: str) -> tuple[str, Any]:
    """Receive, with patience, and look at what came."""
    waited = awaitable(layer.receive(*channels), "receive")
    came = await within(PATIENCE, waited, f"a message in {', '.join(channels)}")
    if not isinstance(came, tuple) or len(came) != 2:
        raise Broken(f"receive returns (channel, message); yours returned {came!r:.80}")
    return came


def put(layer: Any, channel: str, message: Any) -> asyncio.Task[None]:
    """Let a sender wait in a task of its own."""
    return asyncio.ensure_future(awaitable(layer.put(channel, message), "put"))


def full_of(layer: Any) -> type[BaseException]:
    """Return the learner's Full."""
    module = sys.modules.get(type(layer).__module__)
    found = getattr(module, "Full", None)
    return found if isinstance(found, type) else _by_name(layer)


def _by_name(layer: Any) -> type[BaseException]:
    names = type(layer).__init__.__globals__
    if not isinstance(names.get("Full"), type):
        raise Broken("there is no class Full beside Layer")
    kind: type[BaseException] = names["Full"]
    return kind


def is_full(layer: Any, channel: str) -> bool:
    """Send one more message; tell whether it was refused."""
    full = full_of(layer)
    try:
        layer.send(channel, {"n": "one more"})
    except full:
        return True
    return False


@in_a_loop
async def in_order(kind: Any) -> None:
    """Three messages, one after the other."""
    layer = kind(10)
    for n in range(3):
        layer.send("a", {"n": n})
    came = [await take(layer, "a") for _ in range(3)]
    same(came, [("a", {"n": n}) for n in range(3)], "what was received from a channel")


@in_a_loop
async def each_its_own(kind: Any) -> None:
    """Two channels."""
    layer = kind(10)
    layer.send("a", {"n": 1})
    layer.send("b", {"n": 2})
    same(await take(layer, "b"), ("b", {"n": 2}), "what was received from b")
    layer.send("b", {"n": 3})
    same(await take(layer, "b", "a"), ("b", {"n": 3}), "what was received from b and a")
    same(await take(layer, "b", "a"), ("a", {"n": 1}), "what was received from b and a then")


@in_a_loop
async def a_copy(kind: Any) -> None:
    """The sender changes its message afterwards."""
    layer, message = kind(10), {"headers": [[b"a", b"1"]]}
    layer.send("a", message)
    message["headers"].append([b"b", b"2"])
    same((await take(layer, "a"))[1], {"headers": [[b"a", b"1"]]}, "the message that was sent")


@in_a_loop
async def refused(kind: Any) -> None:
    """One more than the capacity, in one of two channels."""
    layer = kind(2)
    for channel in ("a", "b"):
        layer.send(channel, {"n": 0})
        layer.send(channel, {"n": 1})
    same(is_full(layer, "a"), True, "Full for the third message, where the capacity is 2")
    await take(layer, "a")
    same(is_full(layer, "a"), False, "Full, where one of two messages was taken out")
    same(is_full(kind(1), "new"), False, "Full for the first message of a channel")


@in_a_loop
async def readers_wait(kind: Any) -> None:
    """Readers of two channels wait; a message comes for the one that came later."""
    layer = kind(10)
    first, later = (asyncio.ensure_future(take(layer, channel)) for channel in ("a", "b"))
    await asyncio.sleep(LISTENING)
    layer.send("b", {"n": 2})
    same(await later, ("b", {"n": 2}), "what the waiting reader of b got")
    layer.send("a", {"n": 1})
    same(await first, ("a", {"n": 1}), "what the waiting reader of a got")


@in_a_loop
async def once_each(kind: Any) -> None:
    """Three readers, thirty messages."""
    layer, seen = kind(100), []

    async def read() -> None:
        for _ in range(10):
            seen.append((await take(layer, "a"))[1]["n"])

    readers = [asyncio.ensure_future(read()) for _ in range(3)]
    for n in range(30):
        layer.send("a", {"n": n})
        if n % 4 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*readers)
    same(sorted(seen), list(range(30)), "what three readers together got")


@in_a_loop
async def senders_wait(kind: Any) -> None:
    """Two senders wait for room."""
    layer = kind(1)
    layer.send("a", {"n": 0})
    senders = []
    for n in (1, 2):
        senders.append(put(layer, "a", {"n": n}))
        await asyncio.sleep(0)
    await asyncio.sleep(LISTENING)
    same([sender.done() for sender in senders], [False, False], "the end of put in a full channel")
    came = [(await take(layer, "a"))[1]["n"] for _ in range(3)]
    same(came, [0, 1, 2], "what was received")
    await within(PATIENCE, asyncio.gather(*senders), "the end of both senders")
    same(is_full(layer, "a"), False, "Full for an empty channel")


@in_a_loop
async def cancelled(kind: Any) -> None:
    """A reader is cancelled in the moment in which a message comes; a sender, while it waits."""
    layer = kind(1)
    reader = asyncio.ensure_future(awaitable(layer.receive("a"), "receive"))
    await asyncio.sleep(0.01)
    layer.send("a", {"n": 1})
    reader.cancel()
    await asyncio.wait([reader])
    if reader.cancelled():
        same(await take(layer, "a"), ("a", {"n": 1}), "what the next reader got")
    layer.send("a", {"n": 2})
    sender = put(layer, "a", {"n": 3})
    await asyncio.sleep(0.01)
    sender.cancel()
    await asyncio.wait([sender])
    same(await take(layer, "a"), ("a", {"n": 2}), "what was received after a sender was cancelled")
    same(is_full(layer, "a"), False, "Full, where a sender was cancelled")


@in_a_loop
async def others_wait_on(kind: Any) -> None:
    """Two readers wait, and one is cancelled; then two senders."""
    layer = kind(1)
    reader = await the_other_of(
        "readers", *(awaitable(layer.receive("a"), "receive") for _ in range(2))
    )
    layer.send("a", {"n": 1})
    came = await within(PATIENCE, reader, "the end of the reader that was not cancelled")
    same(came, ("a", {"n": 1}), "what the reader got that was not cancelled")
    layer.send("a", {"n": 2})
    puts = (awaitable(layer.put("a", {"n": n}), "put") for n in (3, 4))
    sender = await the_other_of("senders", *puts)
    same(await take(layer, "a"), ("a", {"n": 2}), "what was received")
    await within(PATIENCE, sender, "the end of the sender that was not cancelled")
    same(await take(layer, "a"), ("a", {"n": 4}), "what the sender put that was not cancelled")


async def the_other_of(who: str, *waiting: Any) -> asyncio.Future[Any]:
    """Let two wait in tasks, cancel the first, and return the second, which waits still."""
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(each) for each in waiting]
    first, second = tasks
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first], timeout=PATIENCE)
    await asyncio.sleep(0.01)
    if second.cancelled():
        raise Broken(f"two {who} waited; one was cancelled, and the other was cancelled with it")
    return second


@contextmanager
def posting(kind: Any, capacity: int) -> Iterator[tuple[Served, list[Any]]]:
    """Serve an application that sends each body into a layer; a GET takes one out again."""
    layers: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not layers:
            layers.append(kind(capacity))
        layer, status, body = layers[0], 202, b""
        if scope["method"] == "GET":
            status, body = 200, (await take(layer, "posts"))[1]["body"]
        else:
            message = {"body": (await receive())["body"]}
            try:
                layer.send("posts", message)
            except full_of(layer):
                status = 503
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": body})

    with serving(app, lifespan="off") as server:
        yield server, layers


def over_the_wire(kind: Any) -> None:
    """Three posts, room for two."""

    def post(server: Served, body: bytes) -> int:
        return server.connect().send(request("/posts", method="POST", body=body)).response().status

    with posting(kind, 2) as (server, _):
        statuses = [post(server, body) for body in (b"one", b"two", b"three")]
        same(statuses, [202, 202, 503], "the answers to three posts")
        taken = server.connect().send(request("/posts")).response()
        same(taken.body, b"one", "the oldest post")
        same(post(server, b"four"), 202, "the answer to a post when there is room again")


CHANNEL_LAYER = Exercise(
    name="channel-layer",
    chapter=11,
    title="A channel layer with a capacity",
    effort=3,
    subject="Layer",
    points=(
        Point("in order", in_order, "", f"{DRAFT}, Channel Semantics"),
        Point(
            "each channel its own",
            each_its_own,
            "one queue for all channels. A reader of b must not have to look at what waits in a.",
            f"{DRAFT}, Channels and Messages",
        ),
        Point(
            "a copy",
            a_copy,
            "handing over the sender's own dict, or a flat copy of it. In another process nobody "
            "could change it afterwards, so here nobody may: copy.deepcopy.",
            f"{DRAFT}, Channels and Messages",
        ),
        Point(
            "refused when full",
            refused,
            "counting all messages of the layer. The capacity is each channel's: a crowd in one "
            "must not close the others.",
            f"{DRAFT}, Capacity",
        ),
        Point(
            "readers wait",
            readers_wait,
            "waking one of those who wait, whichever channel it waits for, or looking again and "
            "again. Wake all of them, or have a list for each channel; and sleep meanwhile.",
        ),
        Point("once each", once_each, "", f"{DRAFT}, Channels and Messages"),
        Point(
            "senders wait",
            senders_wait,
            "waking nobody when a message is taken out. It is `receive` that makes room, so it is "
            "`receive` that must wake who waits in `put`.",
            f"{DRAFT}, Capacity",
        ),
        Point(
            "somebody is cancelled",
            cancelled,
            "handing a message to a reader that waits, through its future. If the reader is "
            "cancelled before it runs, the message is gone with it. Leave the message in the queue "
            "and only wake the reader: it takes the message when it runs. Or a task with a `get` "
            "of asyncio.Queue for each channel, that is cancelled when it has a message already.",
        ),
        Point(
            "the others wait on",
            others_wait_on,
            "sharing one future among all who wait. To cancel a task cancels the future that it "
            "waits for, and with it all who wait for the same. Give each a future of its own.",
        ),
        Point("503 over the wire", over_the_wire, "", f"{DRAFT}, Capacity"),
    ),
    hints=(
        "A queue for each channel is easy. Who waits, for what, and who wakes it?",
        "Let all who wait have a future in one list. Whoever changes a queue sets all of them, and "
        "each looks again, in a loop, whether what it waits for is true.",
        """
        Waiting:

            async def until(self, true):
                while not true():
                    changed = asyncio.get_running_loop().create_future()
                    self.waiting.append(changed)
                    try:
                        await changed
                    finally:
                        self.waiting.remove(changed)

        `put` waits until there is room, `receive` until one of its queues has something. Both wake
        all others afterwards.
        """,
    ),
    afterwards="""
        The two ways to meet a full queue are all of backpressure: to be refused (a server says 503)
        or to wait (a stream stands still). Waking everybody costs little while few wait; with
        thousands you would keep a list for each channel, as the reference does.

        Uvicorn needs no queue of messages between server and application: its receive() waits on an
        asyncio.Event, and a buffer that grows beyond 64 KiB stops reading from the socket
        (HIGH_WATER_LIMIT in uvicorn/protocols/http/flow_control.py). Hypercorn has a queue for each
        request, asyncio.Queue with a limit of max_app_queue_size: a capacity, as you built it.
        """,
    seconds=4.0,
)


EXERCISES = (CGI_HEAD, ASGI2_TO_ASGI3, CHANNEL_LAYER)
