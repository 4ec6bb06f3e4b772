"""The exercises of chapter 05: many clients."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.probes import Moment, ok
from workbench.contracts.wire import Wire, request
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.talking import same
from workbench.running import Server, running

PATIENCE = 1.2  # seconds for one answer
THREADS = 3
MORE = 8  # clients: more than threads
LONG = 16_000_000  # bytes: more than the kernel takes for a client that does not read


def answers(environ: Any, start_response: Any) -> list[bytes]:
    """Be an application that answers at once."""
    return ok(start_response)


@contextmanager
def quiet_threads() -> Iterator[list[BaseException]]:
    """Let a learner's thread die of a client without a word: the report says what follows from it.

    Where something is broken, another error that a thread has died of is raised instead. The
    context gives the list of these errors.
    """
    before, died = threading.excepthook, list[BaseException]()

    def note(args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, Exception) and not isinstance(args.exc_value, OSError):
            died.append(args.exc_value)

    threading.excepthook = note
    try:
        yield died
    except Broken as broken:
        if died:
            raise died[0] from broken
        raise
    finally:
        threading.excepthook = before


def noted(died: list[BaseException], serve: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return ``serve``, whose error is put into ``died``, unless it is an OSError."""

    def run(listener: Any) -> None:
        try:
            serve(listener)
        except OSError:
            raise
        except Exception as error:
            died.append(error)
            raise

    return run


# --- littles-law ------------------------------------------------------------------------------


def needs(wanted: int, *arguments: float) -> Callable[[Any], None]:
    """Return a point: so many threads are needed."""

    def run(threads_needed: Any) -> None:
        shown = ", ".join(f"{number:g}" for number in arguments)
        got = threads_needed(*arguments)
        if type(got) is not int or got != wanted:
            raise Broken(f"threads_needed({shown}) is {wanted}, yours returned {got!r}")

    return run


def runs_so_many(threads_needed: Any) -> None:
    """60 requests a second of 0.1 s: six are under way at a time, so six must run together."""
    everybody = threading.Barrier(6)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            everybody.wait(0.7)
        except threading.BrokenBarrierError:
            return ok(start_response, b"alone")
        return ok(start_response, b"together")

    number = threads_needed(60, 0.1)
    if not isinstance(number, int) or not 1 <= number <= 100:
        raise Broken(f"threads_needed(60, 0.1) is 6, and no pool can have {number!r} threads")
    with running(app, threads=number) as server, ExitStack() as stack:
        wires = [stack.enter_context(Wire(server.address, PATIENCE)) for _ in range(6)]
        for wire in wires:
            wire.send(request())
        bodies = [wire.response().body for wire in wires]
    same(bodies, [b"together"] * 6, f"a pool of {number} threads does not run 6 requests at once")


LITTLES_LAW = Exercise(
    name="littles-law",
    chapter=5,
    title="How many threads does a pool need",
    effort=1,
    subject="threads_needed",
    points=(
        Point(
            "40 requests a second of 0.1 s",
            needs(4, 40, 0.1),
            "dividing where the law multiplies. L = λ W: requests a second, times seconds each.",
            "Little's law",
        ),
        Point(
            "a part of a thread",
            needs(5, 45, 0.1),
            "rounding to the nearest number, or down. 4.5 busy threads do not fit into 4: the line "
            "would grow for ever.",
        ),
        Point(
            "exactly seven",
            needs(7, 100, 0.07),
            "rounding up what floating point has left over: 100 * 0.07 is 7.000000000000001. Round "
            "to some decimals before you round up.",
        ),
        Point(
            "a little more than four",
            needs(5, 404, 0.01),
            "rounding to so few decimals that 4.04 becomes 4. Only what floating point has left "
            "over may go: nine decimals are enough for that.",
        ),
        Point("an hour each", needs(3600, 1, 3600)),
        Point(
            "next to nobody",
            needs(1, 0, 0.1),
            "a pool without threads. Nobody comes on average, and still somebody may.",
        ),
        Point(
            "half of them idle",
            needs(8, 40, 0.1, 0.5),
            "adding half of the number. If 4 are busy and half of the pool is idle, the 4 are the "
            "other half: divide by 1 - idle.",
        ),
        Point(
            "nine of ten idle",
            needs(10, 10, 0.1, 0.9),
            "rounding before the division. 1 - 0.9 is 0.09999999999999998, so what is divided by "
            "it has something left over again: round at the end.",
        ),
        Point("a pool of that size", runs_so_many),
    ),
    hints=(
        "Which letter of L = λ W do you know, and which one do you want?",
        "rate * seconds threads are busy, on average. They are the part 1 - idle of the pool.",
        """
        Nearly all of it:

            busy = rate * seconds
            return max(1, ceil(round(busy / (1 - idle), 9)))
        """,
    ),
    afterwards="""
        The law gives averages. A pool of exactly L threads would be busy all the time and its line
        would grow with every gust, so real pools have room: 50 to 70 percent busy is usual.

        Gunicorn asks you for the same number, as --workers times --threads, and knows nothing of
        your W. Its advice for both (two to four for each core, in gunicorn/config.py) is a guess
        about W: too small for an application that waits much, too large for one that only computes.
        """,
)


# --- pool -------------------------------------------------------------------------------------


@contextmanager
def pool(serve: Any, app: Any = answers) -> Iterator[Callable[[], Wire]]:
    """Run a learner's pool; give a function that opens connections."""

    def run(listener: Any) -> None:
        serve(listener, app, THREADS)

    with (
        quiet_threads() as died,
        running(serve=noted(died, run), patience=1.0) as server,
        ExitStack() as stack,
    ):
        yield lambda: stack.enter_context(Wire(server.address, PATIENCE))


def one_client(serve: Any) -> None:
    """One client asks twice on one connection."""
    with pool(serve) as connect:
        wire = connect()
        for _ in range(2):
            same(wire.send(request()).response().status, 200, "the client is not answered")


def in_reverse(serve: Any) -> None:
    """As many clients as threads; the last one asks first."""
    with pool(serve) as connect:
        wires = [connect() for _ in range(THREADS)]
        for wire in reversed(wires):
            same(wire.send(request()).response().status, 200, "the last one asks first")


class Crowd:
    """An application that keeps everybody inside until the door is opened."""

    def __init__(self) -> None:
        self.full = Moment(f"{THREADS} requests to run at once", PATIENCE)
        self.over = Moment("one request more", 0.2)
        self.door = threading.Event()
        self.most = 0
        self.threads: set[threading.Thread] = set()  # not their numbers, which are used again
        self._inside = 0
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        """Be a WSGI application."""
        with self._lock:
            self.threads.add(threading.current_thread())
            self._inside += 1
            self.most = max(self.most, self._inside)
            if self._inside >= THREADS:
                self.full.happens()
            if self._inside > THREADS:
                self.over.happens()
        self.door.wait(PATIENCE)
        with self._lock:
            self._inside -= 1
        return ok(start_response)


def bounded(serve: Any) -> None:
    """More clients than threads: so many run, the rest wait, and the same threads serve all."""
    crowd = Crowd()
    with pool(serve, crowd) as connect:
        wires = [connect().send(request("/", "Connection: close")) for _ in range(MORE)]
        try:
            crowd.full.wait()
        except Broken:
            raise Slip(
                f"{THREADS} threads were asked for, and of {MORE} requests only {crowd.most} run "
                "at a time: is there a thread too few, or a lock around them?"
            ) from None
        try:
            crowd.over.wait()
        except Broken:
            crowd.door.set()
        else:
            raise Broken(f"{THREADS} threads were asked for, and more than {THREADS} requests run")
        for served, wire in enumerate(wires):
            try:
                same(wire.response().status, 200, "a client who waited for a thread")
            except Broken:
                raise Slip(
                    f"{served} of {MORE} clients were answered by {THREADS} threads, and then "
                    "nobody: does a thread get the next client when one has left?"
                ) from None
            wire.close()  # until then the server lingers, and its thread is not free
    if len(crowd.threads) > THREADS:
        number = len(crowd.threads)
        raise Broken(f"{MORE} clients were served by {number} threads, {THREADS} were asked for")


def hung_up(serve: Any) -> None:
    """Twice as many clients as threads connect and hang up; then others ask."""
    with pool(serve) as connect:
        leaving = [connect() for _ in range(2 * THREADS)]
        for wire in reversed(leaving):  # so that some are gone before a thread has them
            wire.reset()
        wires = [connect() for _ in range(THREADS)]
        for wire in reversed(wires):
            same(wire.send(request()).response().status, 200, "a client after those who hung up")


POOL = Exercise(
    name="pool",
    chapter=5,
    title="A fixed number of threads",
    effort=2,
    subject="serve",
    points=(
        Point(
            "one client",
            one_client,
            "an accepting loop that is never reached. Thread(target=work()) runs work here and "
            "now; a thread wants the function itself: target=work. Or a thread that nobody starts.",
            "RFC 9112 §9.3",
        ),
        Point(
            "in reverse",
            in_reverse,
            "serving in the thread that accepts, or with fewer threads than are asked for. The "
            "first client says nothing yet, and whoever waits for it serves nobody else.",
        ),
        Point(
            "never more than its threads",
            bounded,
            "a new thread for each client, be it behind a semaphore. Start the threads once, "
            "before the first client, and let them fetch clients from a queue.",
        ),
        Point(
            "clients who hang up",
            hung_up,
            "a thread that ends with the error of one client. serve_client raises OSError when "
            "nobody is there; the loop around it must go on.",
        ),
    ),
    hints=(
        "Two kinds of loops: one accepts, the others serve. What stands between them?",
        "A queue.SimpleQueue: the accepting loop puts sockets in, each thread gets one, serves it, "
        "and gets the next. Then think of what happens to a thread when serve_client raises.",
        """
        The heart of it:

            def work():
                while True:
                    try:
                        serve_client(clients.get(), app)
                    except OSError:
                        continue

        and outside: start the threads, then put what accept returns into the queue.
        """,
    ),
    afterwards="""
        The queue decouples accepting from serving, and the number of threads is yours. But a thread
        still follows one client to its end, so as many slow or idle clients as threads stop it.

        Gunicorn's gthread worker is built like yours, with concurrent.futures for the pool, and
        repairs half of that: its main loop has a selector to which kept-alive connections go back
        between requests, and a new connection that stays silent is handed back after 5 seconds
        (DEFAULT_WORKER_DATA_TIMEOUT in gunicorn/workers/gthread.py). A client that has sent half a
        head still keeps its thread, for as long as it likes.
        """,
    seconds=8.0,
)


# --- graceful ---------------------------------------------------------------------------------


class Held:
    """An application whose request runs until it is let go."""

    def __init__(self) -> None:
        self.begun = Moment("the application to be called", PATIENCE)
        self.go_on = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        """Be a WSGI application."""
        self.begun.happens()
        self.go_on.wait(3.0)
        return ok(start_response, b"the whole answer")


class Stopped:
    """A learner's server that runs; ``ended`` happens when ``serve`` has returned."""

    def __init__(self, subject: Any, server: Server, ended: Moment) -> None:
        self.stop = subject.stop
        self.address = server.address
        self.ended = ended

    def connect(self) -> Wire:
        """Open a connection."""
        return Wire(self.address, PATIENCE)


@contextmanager
def stoppable(
    kind: Any,
    app: Any = answers,
    begin: Callable[[Any, Any], None] = lambda subject, listener: None,
) -> Iterator[Stopped]:
    """Run a learner's server; ``begin`` is called first, with it and with its listener."""
    subject = kind(app)
    ended = Moment("serve() to return after stop()", PATIENCE)

    def serve(listener: Any) -> None:
        begin(subject, listener)
        subject.serve(listener)
        ended.happens()

    with (
        quiet_threads() as died,
        running(serve=noted(died, serve), stop=subject.stop, patience=1.0) as server,
    ):
        yield Stopped(subject, server, ended)


def serves_in_reverse(kind: Any) -> None:
    """Three clients; the last one asks first."""
    with stoppable(kind) as server, ExitStack() as stack:
        wires = [stack.enter_context(server.connect()) for _ in range(3)]
        for wire in reversed(wires):
            same(wire.send(request()).response().status, 200, "the last one asks first")


def stops_when_idle(kind: Any) -> None:
    """Nobody is there."""
    with stoppable(kind) as server:
        with server.connect() as wire:
            wire.send(request("/", "Connection: close")).response()
        threading.Event().wait(0.15)  # it is back in accept
        server.stop()
        server.ended.wait()


def finishes(kind: Any) -> None:
    """A request runs when the server is told to stop."""
    held = Held()
    with stoppable(kind, held) as server, server.connect() as wire:
        wire.send(request())
        held.begun.wait()
        server.stop()
        ended_early = server.ended._event.wait(0.15)
        held.go_on.set()
        answer = wire.response()
        same(answer.body, b"the whole answer", "the answer that was under way")
        if ended_early:
            raise Broken("serve() returned while a request was still running")
        if answer.value("connection") != "close":
            raise Broken("the last answer does not say Connection: close", got=answer.head)
        same(wire.closed("the server stops"), b"", "something came behind the last answer")
        server.ended.wait()


def refuses(kind: Any) -> None:
    """While the last request runs, nobody new gets in."""
    held = Held()
    with stoppable(kind, held) as server, server.connect() as wire:
        wire.send(request())
        held.begun.wait()
        server.stop()
        shut = Moment("the server to refuse new clients", PATIENCE)
        thread = threading.Thread(target=knock, args=(server, shut), daemon=True)
        thread.start()
        try:
            shut.wait()
        finally:
            held.go_on.set()
            thread.join(PATIENCE)
        wire.response()


def knock(server: Stopped, shut: Moment) -> None:
    """Connect again and again until it is refused, for a while."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.03)):
        try:
            server.connect().close()
        except Broken:
            shut.happens()
            return
        pause.wait(0.03)


def leaves_the_idle(kind: Any) -> None:
    """A client has had its answer, keeps the connection, and asks nothing more."""
    with stoppable(kind) as server, server.connect() as idle:
        idle.send(request()).response()
        server.stop()
        server.ended.wait()


def reads_late(kind: Any) -> None:
    """A client has not read its long answer when the server is told to stop."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        return ok(start_response, bytes(LONG))

    with stoppable(kind, app) as server, server.connect() as wire:
        wire.send(request()).wait_for(b"\r\n\r\n", "the beginning of a long answer")
        server.stop()
        server.ended._event.wait(0.3)  # far more than a look at a flag takes
        same(len(wire.response().body), LONG, "the length of the answer that was under way")
        server.ended.wait()


def stands_in_line(kind: Any) -> None:
    """Three have connected and asked; the server is told to stop when it accepts the first."""
    there = threading.Event()

    def begin(subject: Any, listener: Any) -> None:
        accept = listener.accept

        def stops_too() -> Any:
            listener.accept = accept
            client = accept()
            stop = threading.Thread(target=subject.stop, daemon=True)
            stop.start()
            stop.join(0.3)
            return client

        listener.accept = stops_too
        there.wait(PATIENCE)

    with stoppable(kind, begin=begin) as server, ExitStack() as stack:
        wires = [stack.enter_context(server.connect()).send(request()) for _ in range(3)]
        there.set()
        for wire in wires:
            same(wire.response().status, 200, "one of three who had asked before the stop")
        server.ended.wait()


GRACEFUL = Exercise(
    name="graceful",
    chapter=5,
    title="Stop, and lose nothing",
    effort=3,
    subject="GracefulServer",
    points=(
        Point("in reverse", serves_in_reverse, "serving one client at a time."),
        Point(
            "nobody is there",
            stops_when_idle,
            "an accept that nobody wakes. Give the listener a timeout, and look at your flag "
            "whenever it passes.",
        ),
        Point(
            "a request that runs",
            finishes,
            "returning from serve() before the threads have finished (join them), not telling "
            "Client that we stop, or waiting for one more request after the last answer.",
            "RFC 9112 §9.6",
        ),
        Point(
            "the door is shut",
            refuses,
            "leaving the listener open while the last requests run: the kernel goes on to take "
            "clients whom nobody will serve. Close it first.",
        ),
        Point(
            "an idle client",
            leaves_the_idle,
            "waiting for a client who has nothing to ask. A thread must look at your flag whenever "
            "request_within() returns None.",
            "RFC 9112 §9.3",
        ),
        Point(
            "a late reader",
            reads_late,
            "taking a client for idle whose answer is still being sent: request_within() returns "
            "None for it too. Ask client.sending.",
            "RFC 9112 §9.6",
        ),
        Point(
            "who stands in line",
            stands_in_line,
            "closing the listener while clients stand in its backlog: the kernel resets them. "
            "Accept without waiting until nobody is in line, then close. Or a thread that looks at "
            "the flag before it has looked for its client's request.",
        ),
    ),
    hints=(
        "One threading.Event says that we stop. Who has to look at it, and how often?",
        "Both loops look: the one around accept, after a short timeout, and the one around "
        "request_within. Then serve() accepts who is still in line (listener.settimeout(0): "
        "BlockingIOError when nobody is), closes the listener and joins all threads.",
        """
        The loop of a client's thread:

            while not client.gone:
                request = client.request_within(0.05)
                if request is not None:
                    client.answer(request)
                elif self.stopping.is_set() and not client.sending:
                    break
        """,
    ),
    afterwards="""
        Refuse the new, finish the old, wait for nobody who asks nothing. What is still missing is a
        bound: a request that hangs, or a client that never reads, would hold your server for ever.
        And who connects between the last accept and the close is reset: no server closes that gap
        alone.

        Gunicorn does the same in each worker. On SIGTERM the gthread worker stops accepting, serves
        what it has, and gives kept-alive clients at most two seconds more, for a request that may
        be under way (STOP_KEEPALIVE_LINGER); its arbiter kills workers that still run after
        --graceful-timeout, 30 seconds by default.
        """,
    seconds=8.0,
)

EXERCISES = (LITTLES_LAW, POOL, GRACEFUL)
