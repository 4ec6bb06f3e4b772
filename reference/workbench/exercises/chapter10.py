"""The exercises of chapter 10: lifespan, streams, backpressure."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from handmade.aio import Asyncio
from handmade.lifespan import LifespanFailed
from handmade.protocol import HttpProtocol
from handmade.service import Timeouts
from workbench import library
from workbench.contracts import Broken, find
from workbench.contracts.adapters import LearnersShell
from workbench.contracts.probes import Moment
from workbench.contracts.wire import Wire, request
from workbench.exercises.coroutines import Steps, awaitable, kind, taken_note_of, within
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.serving import PATIENCE, application, serving
from workbench.exercises.talking import same

Scope = dict[str, Any]
HASTY = Timeouts(graceful=0.1, drain=0.0, startup=1.0, shutdown=1.0)


def falls_to(count: Callable[[], int], wanted: int, when: str) -> None:
    """Wait a while for a number to be reached."""
    pause = threading.Event()
    for _ in range(50):
        if count() == wanted:
            return
        pause.wait(0.01)
    same(count(), wanted, f"the number of readers {when}")


# --- count-readers ----------------------------------------------------------------------------

LONG = 10_000  # lines: more than anybody reads


def counted(make_app: Any, lines: int) -> tuple[set[object], Any]:
    """Return an empty set of readers and the learner's application for it."""
    readers: set[object] = set()
    return readers, application(make_app(readers, lines), "make_app()")


def three_at_once(make_app: Any) -> None:
    """Three clients read at a time."""
    readers, app = counted(make_app, LONG)
    with serving(app, lifespan="off", timeouts=HASTY) as server:
        for _ in range(3):
            server.connect().send(request()).until(b"line 0\n", "the first line of a stream")
        same(len(readers), 3, "the number of readers while three are reading")


def to_the_end(make_app: Any) -> None:
    """One client reads a short stream to its end."""
    readers, app = counted(make_app, 3)
    with serving(app, lifespan="off") as server:
        body = server.connect().send(request()).response().body
        same(body, b"line 0\nline 1\nline 2\n", "the stream, as the client got it")
        falls_to(lambda: len(readers), 0, "after a whole stream")


def one_leaves(make_app: Any) -> None:
    """A client leaves in the middle, another one stays."""
    readers, app = counted(make_app, LONG)
    with serving(app, lifespan="off", timeouts=HASTY) as server:
        wires = [server.connect().send(request()) for _ in range(2)]
        for wire in wires:
            wire.until(b"line 0\n", "the first line of a stream")
        if len(readers) != 2:  # then nobody can see whose place is given back
            raise Slip("the number of readers while two are reading", got=len(readers), wanted=2)
        wires[0].reset()
        falls_to(lambda: len(readers), 1, "after one of two has left")


def the_server_stops(make_app: Any) -> None:
    """The server cancels a request whose time is up."""
    readers, app = counted(make_app, LONG)
    with serving(app, lifespan="off", timeouts=HASTY) as server:
        # Not of the block: this client stays when the block, and with it the server, ends.
        wire = Wire(server.server.address, PATIENCE).send(request())
        wire.until(b"line 0\n", "the first line of a stream")
    with wire:
        falls_to(lambda: len(readers), 0, "after the server has cancelled the request")


COUNT_READERS = Exercise(
    name="count-readers",
    chapter=10,
    title="How many are reading",
    effort=1,
    subject="make_app",
    points=(
        Point(
            "three at once",
            three_at_once,
            "counting behind the stream, or by something that two requests share, such as the "
            "path. A fresh object() is equal to nothing else.",
        ),
        Point(
            "to the end",
            to_the_end,
            "never taking the reader out of the set.",
        ),
        Point(
            "one of two leaves",
            one_leaves,
            "a line behind `await stream(...)`. When the client leaves, stream raises OSError, and "
            "the line is never reached: it belongs into a finally.",
            "ASGI HTTP 2.5, Disconnected Client",
        ),
        Point(
            "the server stops",
            the_server_stops,
            "`except OSError` or `except Exception` instead of `finally`. A cancelled request ends "
            "by asyncio.CancelledError, which is no Exception.",
            "Python, asyncio.Task.cancel",
        ),
    ),
    hints=(
        "In how many ways can `await stream(send, lines)` end?",
        "Three ways: it returns, it raises OSError, it is cancelled. One word of Python covers "
        "all of them.",
        """
        Nearly all of it:

            readers.add(reader)
            try:
                await stream(send, lines)
            finally:
                readers.discard(reader)
        """,
    ),
    afterwards="""
        You have made the one promise that a streaming view must keep: what it took, it gives back,
        however it ends.

        Uvicorn's send does not tell: for HTTP it announces version 2.3 of the specification, older
        than the OSError, and drops what comes for a client that is gone. There a stream without
        end runs on for nobody, unless it races receive (Starlette's StreamingResponse does, where
        the version is below 2.4). When it stops it waits for requests, without limit unless
        --timeout-graceful-shutdown is set, and then cancels them: your finally runs.
        """,
    seconds=6.0,
)


# --- open-and-close ---------------------------------------------------------------------------


class Resources:
    """Openers that keep a log. ``broken`` fails to open, ``stuck`` fails to close."""

    def __init__(self, broken: str = "", stuck: str = "") -> None:
        self.log: list[str] = []
        self._broken = broken
        self._stuck = stuck
        self.openers = {name: self._opener(name) for name in ("pool", "cache", "mail")}

    def _opener(self, name: str) -> Callable[[], Coroutine[Any, Any, Resource]]:
        async def opener() -> Resource:
            await asyncio.sleep(0.005)
            if name == self._broken:
                raise ConnectionError(f"no {name} at {name}.example")
            self.log.append(f"{name} opened")
            return Resource(name, self.log, name == self._stuck)

        return opener


class Resource:
    """Something that must be closed."""

    def __init__(self, name: str, log: list[str], fails: bool) -> None:
        self.name = name
        self._log = log
        self._fails = fails

    async def close(self) -> None:
        """Close it."""
        await asyncio.sleep(0.005)
        if self._fails:
            raise ConnectionError(f"{self.name} does not let go")
        self._log.append(f"{self.name} closed")


class Inner:
    """The application inside: it answers with the names of the resources in its state."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Be an ASGI application."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the inner application got the scope {scope['type']!r}")
        self.log.append("a request")
        things = [value for value in scope.get("state", {}).values() if type(value) is Resource]
        body = " ".join(thing.name for thing in things).encode()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": body})


OPENED = ["pool opened", "cache opened", "mail opened"]
CLOSED = ["mail closed", "cache closed", "pool closed"]


def lived(with_resources: Any, resources: Resources) -> tuple[bytes, str]:
    """Serve one request; return its answer and what the server has logged by the end."""
    app = application(with_resources(Inner(resources.log), resources.openers), "with_resources()")
    with serving(app, timeouts=HASTY) as server:
        body = server.connect().send(request()).response().body
    return body, server.server.log_text()


def opened_first(with_resources: Any) -> None:
    """All is open before the first request, which finds it in its state."""
    resources = Resources()
    body, _ = lived(with_resources, resources)
    same(resources.log[:4], [*OPENED, "a request"], "what happened up to the first request")
    same(body, b"pool cache mail", "the resources that the request found in its state")


def closed_last(with_resources: Any) -> None:
    """All is closed after the last request, the last one first."""
    resources = Resources()
    lived(with_resources, resources)
    same(resources.log[4:], CLOSED, "what happened after the last request")


def halfway(with_resources: Any) -> None:
    """The third of three cannot be opened."""
    resources = Resources(broken="mail")
    app = application(with_resources(Inner(resources.log), resources.openers), "with_resources()")
    try:
        with serving(app, timeouts=HASTY) as server:
            server.connect().send(request()).response()
    except LifespanFailed as error:
        said = str(error)
    else:
        raise Broken("the server runs, although the application could not start up")
    wanted = [*OPENED[:2], *CLOSED[1:]]
    same(resources.log, wanted, "what was opened and closed when the mail could not be opened")
    if "no mail at mail.example" not in said:
        raise Broken("the server was not told why", got=said, wanted="no mail at mail.example")


def one_does_not_close(with_resources: Any) -> None:
    """The second of three raises when it is closed."""
    resources = Resources(stuck="cache")
    _, said = lived(with_resources, resources)
    same(resources.log[4:], [CLOSED[0], CLOSED[2]], "what was closed, when the cache raised")
    if "cache does not let go" not in said:
        raise Broken("the server was not told why", got=said, wanted="cache does not let go")


OPEN_AND_CLOSE = Exercise(
    name="open-and-close",
    chapter=10,
    title="What is opened is closed",
    effort=2,
    subject="with_resources",
    points=(
        Point(
            "open before the first request",
            opened_first,
            "saying startup.complete too early, or keeping the resources to yourself. The server "
            'copies scope["state"] of the lifespan for each request.',
            "ASGI Lifespan 2.0, Lifespan State",
        ),
        Point(
            "closed after the last",
            closed_last,
            "closing in the order of opening. The last one may need the first: close it first.",
            "ASGI Lifespan 2.0, Shutdown",
        ),
        Point(
            "the startup fails halfway",
            halfway,
            "letting the error out, or leaving open what is open already. When the application "
            "raises during startup the server takes that for 'knows no lifespan' and serves: say "
            "startup.failed, with the reason.",
            "ASGI Lifespan 2.0, Startup Failed",
        ),
        Point(
            "one does not close",
            one_does_not_close,
            "one error that keeps the rest from being closed, or that nobody is told of.",
            "ASGI Lifespan 2.0, Shutdown Failed",
        ),
    ),
    hints=(
        "Which class of contextlib closes a number of things in reverse, whatever happens?",
        "AsyncExitStack: push_async_callback(resource.close) after each opening. Both receive() "
        "calls stand inside its block; where did an error come from, before startup.complete or "
        "behind it?",
        """
        The heart of it:

            async with AsyncExitStack() as stack:
                await receive()
                for name, opener in openers.items():
                    resource = scope["state"][name] = await opener()
                    stack.push_async_callback(resource.close)
                await send({"type": "lifespan.startup.complete"})
                await receive()

        and around it try, except Exception, else.
        """,
    ),
    afterwards="""
        Starlette's and FastAPI's `lifespan=` is this: one async context manager, of which the part
        before `yield` is the startup.

        An exception during startup that gets out is "no lifespan" to Uvicorn and Hypercorn too:
        they log a line and serve. Both end on startup.failed. Hypercorn gives a startup 60 seconds
        (startup_timeout); Uvicorn waits without a limit, so what hangs there hangs the deployment.
        """,
    seconds=6.0,
)


# --- find-the-blocking-call -------------------------------------------------------------------

BLOCKED = 0.15  # seconds
SEEN = 0.6  # of it: what a heart must see at least of a loop that is held


def made(catalogue: Any) -> Any:
    """Return the learner's application."""
    found = catalogue()
    kind(found.lag, "lag")
    kind(found.find, "find")
    return application(found, "Catalogue()")


async def holds() -> None:
    """Hold the loop."""
    threading.Event().wait(BLOCKED)


async def measured(catalogue: Any, work: Coroutine[Any, Any, Any]) -> tuple[float, int]:
    """Return what the learner's ``lag`` says of a coroutine, and how many tasks it has left."""

    async def asked() -> tuple[Any, int]:
        before = asyncio.all_tasks()
        found = await awaitable(made(catalogue).lag(work), "lag()")
        return found, len(asyncio.all_tasks() - before)  # in this turn: nobody has run since

    try:
        found, left = await within(3.0, asked(), "the end of lag()")
    finally:
        work.close()  # it may never have been awaited: that is told otherwise
    if not isinstance(found, int | float):
        raise Broken("lag() returns a number of seconds", got=found)
    return float(found), left


async def heart_is_late(catalogue: Any) -> None:
    """The work holds the loop for a while."""
    late, _ = await measured(catalogue, holds())
    if not SEEN * BLOCKED < late < BLOCKED + 1.0:
        raise Broken(
            f"the loop was held for {BLOCKED} s, and lag() says {late:.3f}",
            got=late,
            wanted=BLOCKED,
        )


async def heart_is_free(catalogue: Any) -> None:
    """The work awaits; and the heart has ended with it."""
    held, _ = await measured(catalogue, holds())
    if held < SEEN * BLOCKED:
        raise Slip(
            f"for work that holds the loop for {BLOCKED} s lag() says {held:.3f}, so what it says "
            "of work that awaits tells nothing: the point above comes first"
        )
    for _ in range(3):  # somebody else may have taken the processor from us
        free, left = await measured(catalogue, asyncio.sleep(BLOCKED))
        if left:
            raise Broken("the heart has not ended when lag() returns")
        if free < SEEN * held:
            return
    raise Broken(
        f"for work that awaits lag() says {free:.3f} s, for work that holds the loop {held:.3f}"
    )


def asked(catalogue: Any, number: int) -> float:
    """Ask so many times at once; return the seconds until all have their answers."""
    titles = ["sockets", "parsers", "loops", "nothing"][:number]
    with serving(made(catalogue), lifespan="off") as server:
        wires = [server.connect(3.0) for _ in titles]
        began = time.monotonic()
        for wire, title in zip(wires, titles, strict=True):
            wire.send(request(f"/?{title}"))
        bodies = [wire.response().body.decode() for wire in wires]
        took = time.monotonic() - began
    wanted = [
        library.label(title, library.signature(title), library.SHELVES.get(title, "-"))
        for title in titles
    ]
    same(bodies, wanted, "what the clients get")
    return took


def four_at_once(catalogue: Any) -> None:
    """Four clients ask in the same moment.

    One after the other they can never be faster than four times what the library waits, however
    idle the machine; side by side they are slower than 2.5 times only when it is very busy.
    """
    one = asked(catalogue, 1)
    for _ in range(4):
        four = asked(catalogue, 4)
        if four < 2.5 * library.FAR:
            return
        if four > 3.9 * library.FAR:
            break
    raise Broken(f"one answer takes {one:.2f} s, four at once take {four:.2f} s")


FIND_THE_BLOCKING_CALL = Exercise(
    name="find-the-blocking-call",
    chapter=10,
    title="Who holds the loop",
    effort=2,
    subject="Catalogue",
    points=(
        Point(
            "a heart that is late",
            heart_is_late,
            "a heart that never got its first turn, or not the last one: create_task starts "
            "nothing before you await. Or the mean of all beats, where the worst one was asked "
            "for.",
        ),
        Point(
            "a heart that is free",
            heart_is_free,
            "counting the 10 ms of sleep as lateness, or the time of the whole work, or leaving "
            "the heart behind. cancel() only asks a task to end: it ends in a turn of its own, so "
            "wait for that, by asyncio.wait([task]).",
        ),
        Point(
            "four at once",
            four_at_once,
            "moving a quick call to a thread, or making the slow one an `async def`: that word "
            "changes nothing in what it calls. Measure each of the four calls by itself.",
            "Python, Developing with asyncio, Running Blocking Code",
        ),
    ),
    hints=(
        """
        How late is a beat that wanted to come while the loop was held? When does it come?

        To call your own code, in a cell:

            %run ../exercises/ch10_find_the_blocking_call.py

            async def part():
                library.normalise("Sockets")

            await Catalogue().lag(part())
        """,
        "lag: create_task(heart()), await asyncio.sleep(0), await work, one more beat, cancel, and "
        "wait for the heart's end. Then measure four small coroutines, one for each call of the "
        "library.",
        """
        The call is shelf_of. The mend:

            shelf = await asyncio.to_thread(library.shelf_of, title)

        The heart: due = time.monotonic() + 0.01, sleep, worst = max(worst, time.monotonic() - due).
        """,
    ),
    afterwards="""
        Four answers now take as long as one, with four threads of asyncio's pool: as in chapter 05,
        for this one call. A better mend is a library that awaits, if there is one.

        Uvicorn has no watchdog. What asyncio brings itself is PYTHONASYNCIODEBUG=1, with which the
        loop logs every callback of more than 0.1 s, after it has ended and without its inner
        lines. In production people export the lag of a heart like yours as a metric.
        """,
    seconds=9.0,
)


# --- send-that-waits --------------------------------------------------------------------------


async def turns() -> None:
    """Let everybody have a few turns."""
    for _ in range(5):
        await asyncio.sleep(0)


def outlet_of(kind_: Any) -> Any:
    """Return a learner's outlet."""
    outlet = kind_()
    kind(outlet.wait, "wait")
    return outlet


async def waiting(outlet: Any, number: int = 1) -> list[asyncio.Task[None]]:
    """Start tasks that wait at an outlet."""

    async def wait() -> None:
        await awaitable(outlet.wait(), "wait()")

    tasks = [asyncio.create_task(wait()) for _ in range(number)]
    for task in tasks:
        task.add_done_callback(taken_note_of)
    await turns()
    return tasks


async def ended(tasks: list[asyncio.Task[None]]) -> int:
    """Return how many of the tasks have ended; raise what one of them has raised."""
    await turns()
    done = [task for task in tasks if task.done()]
    for task in done:
        task.result()
    return len(done)


async def with_room(kind_: Any) -> None:
    """There is room."""
    outlet = outlet_of(kind_)
    await within(0.5, outlet.wait(), "wait() to return, with room")
    outlet.resume()
    await within(0.5, outlet.wait(), "wait() to return after resume()")


async def three_wait(kind_: Any) -> None:
    """There is no room, three wait, and there is room again."""
    outlet = outlet_of(kind_)
    outlet.pause()
    tasks = await waiting(outlet, 3)
    same(await ended(tasks), 0, "how many went on without room")
    outlet.resume()
    await asyncio.wait(tasks, timeout=0.3)
    same(await ended(tasks), 3, "how many of three went on when there was room again")
    outlet.pause()
    same(await ended(await waiting(outlet)), 0, "how many went on after a second pause()")


async def costs_nothing(kind_: Any) -> None:
    """A third of a second without room."""
    outlet = outlet_of(kind_)
    outlet.pause()
    steps = Steps(awaitable(outlet.wait(), "wait()"))

    async def wait() -> None:
        await steps

    task = asyncio.create_task(wait())
    task.add_done_callback(taken_note_of)
    await asyncio.sleep(0.3)
    count = steps.count
    outlet.resume()
    await asyncio.wait([task], timeout=0.3)
    if count > 3:
        raise Broken(
            f"somebody who waited for 0.3 s was woken {count} times meanwhile", got=count, wanted=1
        )


async def paused_again(kind_: Any) -> None:
    """Room comes and goes before anybody has a turn."""
    outlet = outlet_of(kind_)
    outlet.pause()
    tasks = await waiting(outlet, 2)
    outlet.resume()
    outlet.pause()
    same(await ended(tasks), 0, "how many went on when resume() and pause() came in one turn")
    outlet.resume()
    await asyncio.wait(tasks, timeout=0.3)
    same(await ended(tasks), 2, "how many went on at last")


async def gone(kind_: Any) -> None:
    """The connection is lost while two wait, and somebody comes later."""
    outlet = outlet_of(kind_)
    outlet.pause()
    tasks = await waiting(outlet, 2)
    outlet.lost()
    await asyncio.wait(tasks, timeout=0.3)
    tasks += await waiting(outlet)
    for number, task in enumerate(tasks):
        who = "who came later" if number == 2 else "who waited"
        if not task.done():
            raise Broken(f"somebody {who} still waits for a client that has left")
        if not isinstance(task.exception(), OSError):
            raise Broken(
                f"wait() must raise OSError for somebody {who}", got=repr(task.exception())
            )


async def gone_with_room(kind_: Any) -> None:
    """The connection is lost while there is room, and somebody comes later."""
    outlet = outlet_of(kind_)
    outlet.lost()
    (task,) = await waiting(outlet)
    if not task.done():
        raise Broken("somebody who came later still waits for a client that has left")
    if not isinstance(task.exception(), OSError):
        raise Broken(
            "wait() must raise OSError when the connection is gone, with room too",
            got=repr(task.exception()),
        )


async def gone_then_paused(kind_: Any) -> None:
    """The connection is lost, and in the same turn there is no room."""
    outlet = outlet_of(kind_)
    outlet.pause()
    tasks = await waiting(outlet)
    outlet.lost()
    outlet.pause()
    tasks += await waiting(outlet)
    for task, who in zip(tasks, ("who waited", "who came later"), strict=True):
        if not task.done():
            raise Broken(f"somebody {who} still waits: lost() and pause() came in one turn")
        if not isinstance(task.exception(), OSError):
            raise Broken(
                f"wait() must raise OSError for somebody {who}", got=repr(task.exception())
            )


def shell_with(kind_: Any) -> type[Asyncio]:
    """Return our server with the learner's outlet in each connection."""
    outlet_of(kind_)  # here it raises for the learner, in the server it would for nobody

    class Connection(HttpProtocol):
        def __init__(self, shell: Any) -> None:
            super().__init__(shell)
            self.outlet = kind_()

        def pause_writing(self) -> None:
            super().pause_writing()
            self.outlet.pause()

        def resume_writing(self) -> None:
            self.outlet.resume()
            super().resume_writing()

        def connection_lost(self, error: Exception | None) -> None:
            self.outlet.lost()
            super().connection_lost(error)

        async def drain(self) -> None:
            await self.outlet.wait()

    class Shell(Asyncio):
        def connect(self, sock: Any, protocol: Any) -> None:
            super().connect(sock, Connection(self))

    return Shell


def in_the_server(kind_: Any) -> None:
    """A client reads nothing of 80 MB, and then all of it."""
    find("asgi", "a slow reader").run(LearnersShell(shell_with(kind_)))


def who_leaves(kind_: Any) -> None:
    """A client that reads nothing resets its connection."""
    ended_ = Moment("the stream to end when its client has left", PATIENCE)
    errors: list[BaseException] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            for _ in range(1000):
                await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            ended_.happens()

    def shell(service: Any, threads: int, **how: Any) -> Asyncio:
        return shell_with(kind_)(service, **how)

    with serving(app, shell=shell, lifespan="off", timeouts=HASTY) as server:
        wire = server.connect().send(request())
        wire.wait_for(b"200 OK", "the head of the stream")
        time.sleep(0.1)  # until it waits
        wire.reset()
        ended_.wait()
    if not errors or not isinstance(errors[0], OSError):
        raise Broken("the application's send must raise OSError", got=repr(errors))


SEND_THAT_WAITS = Exercise(
    name="send-that-waits",
    chapter=10,
    title="Backpressure by hand",
    effort=3,
    subject="Outlet",
    points=(
        Point("there is room", with_room, "waiting for a resume() that never needs to come."),
        Point(
            "three wait",
            three_wait,
            "never waiting, or going round in circles without an await, or waking one of three: "
            "one future for all is replaced by that of the next who comes. An asyncio.Event wakes "
            "everybody.",
        ),
        Point(
            "waiting costs nothing",
            costs_nothing,
            "`while ...: await asyncio.sleep(0)`. That is a busy loop with manners: everybody has "
            "a turn, and the processor is never free.",
        ),
        Point(
            "paused again",
            paused_again,
            "trusting a wake-up. Between set() and your turn somebody may have cleared it: look "
            "again when you wake, in a while.",
        ),
        Point(
            "the client is gone",
            gone,
            "waiting for room at a connection that will never have any. lost() must wake who "
            "waits, and wait() must raise then, and ever after.",
            "ASGI HTTP 2.5, Disconnected Client",
        ),
        Point(
            "gone with room left",
            gone_with_room,
            "looking whether the client is gone only while there is no room. Our `drain` may do "
            "so, because `send` has looked before it; wait() has nobody who looks for it.",
            "ASGI HTTP 2.5, Disconnected Client",
        ),
        Point(
            "gone, then paused",
            gone_then_paused,
            "waiting for room alone, and asking only afterwards who is there. pause() takes back "
            "what lost() has set, so nobody comes to the question: the condition of the loop must "
            "ask for both.",
            "ASGI HTTP 2.5, Disconnected Client",
        ),
        Point("80 MB that nobody reads", in_the_server),
        Point("a reset in the middle", who_leaves, "", "ASGI HTTP 2.5, Disconnected Client"),
    ),
    hints=(
        "Two facts are enough: is there room, and is anybody there? Who waits, waits for one of "
        "the two to change.",
        "An asyncio.Event that is set while there is room: set(), clear(), await event.wait(). "
        "lost() sets it too, or nobody wakes; and who wakes looks at both facts again.",
        """
        The heart of it:

            while not (self._gone or self._room.is_set()):
                await self._room.wait()
            if self._gone:
                raise ConnectionResetError("the client has left")
        """,
    ),
    afterwards="""
        This is all there is to backpressure on the side of the server: two callbacks and a wait.

        Uvicorn's FlowControl (uvicorn/protocols/http/flow_control.py) is an asyncio.Event with the
        names pause_writing and resume_writing, and connection_lost sets the event, so that nobody
        waits for a client that is gone. It looks once after waking, and not in a while: at the
        worst one block more is written for each who waits. Our reference has a Bell in place of the
        Event, for it runs on a loop that has no asyncio.
        """,
    seconds=4.0,
)

EXERCISES = (COUNT_READERS, OPEN_AND_CLOSE, FIND_THE_BLOCKING_CALL, SEND_THAT_WAITS)
