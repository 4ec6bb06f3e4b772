"""The exercises of chapter 08: an event loop by hand."""

from __future__ import annotations

import inspect
import math
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from workbench.contracts import Broken, tiny
from workbench.exercises.coroutines import Watched, awaitable
from workbench.exercises.model import Exercise, Point, Slip
from workbench.exercises.talking import same

# --- round-robin ------------------------------------------------------------------------------


def worker(log: list[str], name: str, turns: int) -> Generator[str, None, str]:
    """Write down each turn; return the name in capitals."""
    for number in range(1, turns + 1):
        log.append(f"{name}{number}")
        yield "nothing that matters"
    return name.upper()


def turns_of(wanted: str, **workers: int) -> Callable[[Any], None]:
    """Return a point: so many turns for each worker come in this order."""

    def run(round_robin: Any) -> None:
        log: list[str] = []
        round_robin([worker(log, name, turns) for name, turns in workers.items()])
        same(" ".join(log), wanted, "the turns came in another order")

    return run


def results(round_robin: Any) -> None:
    """What they returned, in the order in which they were given."""
    workers = [worker([], name, turns) for name, turns in (("a", 3), ("b", 1), ("c", 2))]
    same(
        round_robin(workers), ["A", "B", "C"], "the results of a, b and c, which ends in the middle"
    )
    same(round_robin([]), [], "the results of nobody")


def one_use(round_robin: Any) -> None:
    """The generators themselves may come from a generator."""
    workers = (worker([], name, 2) for name in "ab")
    same(round_robin(workers), ["A", "B"], "the results of generators that come from a generator")


def an_error(round_robin: Any) -> None:
    """An error comes out."""

    def bad() -> Generator[None, None, None]:
        yield
        raise LookupError("on purpose")

    try:
        round_robin([worker([], "a", 3), bad()])
    except LookupError:
        return
    raise Broken("a generator raised LookupError, and nothing came out of round_robin")


ROUND_ROBIN = Exercise(
    name="round-robin",
    chapter=8,
    title="Generators in turns",
    effort=1,
    subject="round_robin",
    points=(
        Point(
            "two in turns",
            turns_of("a1 b1 a2 b2", a=2, b=2),
            "running each one to its end. One `next` is one turn; then it is somebody else's. Or "
            "keeping those that have ended in the round, for ever.",
        ),
        Point(
            "one ends early",
            turns_of("a1 b1 c1 b2 c2 c3", a=1, b=2, c=3),
            "removing from a list while a `for` goes over it: the one behind the gap loses a turn. "
            "Or ending everything with the first that ends.",
        ),
        Point(
            "their results",
            results,
            "losing what they returned, or putting it down in the order in which they ended. The "
            "StopIteration carries it, as `value`.",
            "Python Language Reference, Yield expressions",
        ),
        Point(
            "generators from a generator", one_use, "going over them twice, or asking for len()."
        ),
        Point(
            "an error in one of them",
            an_error,
            "catching every exception, where only StopIteration means the end.",
        ),
    ),
    hints=(
        "Who has had a turn goes to the end of a line. Which of Python's containers is a line?",
        "A deque of (number, generator). Take one from the left, call next(generator); if it did "
        "not raise StopIteration, append it at the right.",
        """
        The heart of it:

            number, generator = ready.popleft()
            try:
                next(generator)
            except StopIteration as end:
                results[number] = end.value
            else:
                ready.append((number, generator))
        """,
    ),
    afterwards="""
        These lines are a scheduler: replace "to the end of the line" by "beside the socket that it
        waits for", and you have the chapter's Rounds; call what is in line callbacks, and you have
        the `_ready` of an event loop.

        asyncio's loop has exactly this deque (BaseEventLoop._ready), and in each round calls as
        many as were in it when the round began. Uvicorn and Hypercorn run on that, or on uvloop,
        which has such a deque too, above libuv.
        """,
)


# --- slow-reader ------------------------------------------------------------------------------

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
LATE = 300_000  # requests whose answers are read late: more than the kernel keeps
UNREAD = 150_000  # requests whose answers nobody reads
CALM = 0.3  # seconds in which a server's thread has done nothing: it has done all it can
SPIN = 0.1  # seconds of work in which a thread that has moved no byte is said to go in circles
IDLE = 0.4  # seconds in which nobody asks
NOTHING = 0.008  # seconds of work in these: a busy machine leaves more to who goes in circles
ASKED = 1200  # requests of each of two clients, which wait before the server begins
TURN = 1000  # bytes: so many may be read in one turn


class Meter:
    """Notes what the sockets of a server that a learner writes have moved.

    ``reads`` has who read how many bytes, in order, ``total`` is their sum; ``moves`` counts reads
    and sends.
    """

    def __init__(self) -> None:
        self.reads: list[tuple[Metered, int]] = []
        self.total = 0
        self.moves = 0

    def on(self, serve: Any, begin: Callable[[], object] = lambda: None) -> Any:
        """Return ``serve`` with sockets that are metered; ``begin`` is called before it."""

        def metered(listener: Any) -> Any:
            accept = listener.accept

            def accepts() -> tuple[Any, Any]:
                sock, address = accept()
                return Metered(sock, self), address

            listener.accept = accepts
            begin()
            return serve(listener)

        return metered

    @property
    def longest(self) -> int:
        """The most bytes that were read from one client before another one had its turn."""
        longest = run = 0
        last = None
        for sock, count in list(self.reads):
            run = run + count if sock is last else count
            last, longest = sock, max(longest, run)
        return longest


class Metered:
    """A socket, and a note of what it has moved."""

    def __init__(self, sock: socket.socket, meter: Meter) -> None:
        self._sock, self._meter = sock, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _read(self, count: int) -> None:
        self._meter.moves += 1
        self._meter.total += count
        self._meter.reads.append((self, count))

    def recv(self, size: int, *flags: int) -> bytes:
        """Read, and note it."""
        data = self._sock.recv(size, *flags)
        self._read(len(data))
        return data

    def recv_into(self, buffer: Any, *more: int) -> int:
        """Read, and note it."""
        count = self._sock.recv_into(buffer, *more)
        self._read(count)
        return count

    def send(self, data: Any, *flags: int) -> int:
        """Send, and note it."""
        count = self._sock.send(data, *flags)
        self._meter.moves += 1
        return count


def ordinary(serve: Any) -> None:
    """One request, then two in one piece, then the end."""
    with tiny.serving(serve) as (server, _), socket.create_connection(server.address, 1) as sock:
        tiny.answered(sock, "the first request got no answer")
        sock.sendall(tiny.REQUEST * 2)
        came = b""
        while len(came) < 2 * 44:
            came += receive(sock, "the answers to two requests in one piece")
        sock.shutdown(socket.SHUT_WR)
        same(receive(sock, "the end of the connection"), b"", "after the client's end")


def receive(sock: socket.socket, what: str) -> bytes:
    """Return what comes next; raise Broken when nothing does."""
    try:
        return sock.recv(65536)
    except TimeoutError:
        raise Broken(f"your server is still waiting; {what} did not come") from None
    except OSError as error:
        raise Broken(f"{what} did not come: {error.strerror}") from None


def in_thousands(serve: Any) -> None:
    """Two clients have sent a lot when the server begins: it reads from both, in turns."""
    meter, ready = Meter(), threading.Event()
    asked = tiny.SHORT * ASKED
    with (
        tiny.serving(meter.on(serve, lambda: ready.wait(2.0))) as (server, _),
        socket.create_connection(server.address, 1) as one,
        socket.create_connection(server.address, 1) as other,
    ):
        for sock in (one, other):
            sock.sendall(asked)
        ready.set()
        end = time.monotonic() + 1.0
        while meter.total < 2 * len(asked) and time.monotonic() < end:
            time.sleep(0.005)
    most = max((count for _, count in meter.reads), default=0)
    if most > TURN:
        raise Broken(f"{most:,} bytes were taken at once, and {TURN:,} are the most in one turn")
    if meter.longest > 5 * TURN:
        raise Broken(
            f"{meter.longest:,} bytes of one client were read in a row, while those of another "
            "one were waiting"
        )


def rests_meanwhile(serve: Any) -> None:
    """A client asks a lot and reads nothing: when all is done that can be done, nothing is."""
    meter = Meter()
    with tiny.serving(meter.on(serve)) as (server, clock), asking(server, UNREAD):
        settle(clock, meter, UNREAD)


@contextmanager
def asking(server: Any, requests: int) -> Iterator[socket.socket]:
    """Give a client for whom a thread asks so many times, and who has read nothing yet."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.connect(server.address)
        sock.settimeout(2.0)
        pouring = threading.Thread(target=pour, args=(sock, tiny.SHORT * requests), daemon=True)
        pouring.start()
        yield sock
        pouring.join(0.0)


def every_byte(serve: Any) -> None:
    """All is asked, and then all is read, and nothing more."""
    meter = Meter()
    with tiny.serving(meter.on(serve)) as (server, clock), asking(server, LATE) as sock:
        with suppress(Broken):  # the point before tells it
            settle(clock, meter, LATE)  # this client reads nothing meanwhile
        wanted, came = LATE * len(ANSWER), 0
        while came < wanted:
            data = receive(sock, f"byte {came:,} of {wanted:,} that answer {LATE:,} requests")
            if not data:
                raise Broken(f"the connection ended after {came:,} of {wanted:,} bytes")
            must_continue(data, came)
            came += len(data)
        sock.shutdown(socket.SHUT_WR)
        more = receive(sock, "the end of the connection, after the last answer and my own end")
        same(more, b"", f"something came behind the {LATE:,} answers that were asked for")


def must_continue(data: bytes, came: int) -> None:
    """Demand that ``data``, behind ``came`` bytes, goes on in the answers."""
    at = came % len(ANSWER)
    wanted = (ANSWER * (len(data) // len(ANSWER) + 2))[at : at + len(data)]
    if data != wanted:
        wrong = next(n for n, (a, b) in enumerate(zip(data, wanted, strict=True)) if a != b)
        raise Broken(
            f"byte {came + wrong:,} of the answers is not what it should be: some bytes were sent "
            "twice, or not at all",
            got=data[max(0, wrong - 20) : wrong + 40],
            wanted=wanted[max(0, wrong - 20) : wrong + 40],
        )


def pour(sock: socket.socket, data: bytes) -> None:
    """Send all of it, however long it takes to be read."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[sock.send(rest[:65536]) :]
        except TimeoutError:  # of sending: the server reads on when its answers are read
            continue
        except OSError:  # what came of it, the reader tells; or the check is over
            return


def settle(clock: Any, meter: Meter, requests: int) -> None:
    """Wait until a server has read so many requests, or reads no more, for nobody reads from it.

    Raise Broken when it does not read on, and does not rest either. On a busy machine a thread
    that has work may still stand for a while: so time alone does not tell that it rests.
    """
    clock.accepted.acquire(timeout=1.0)
    before, since, still = (0.0, -1), 0.0, time.monotonic()
    while meter.total < requests * len(tiny.SHORT) and time.monotonic() - still < CALM:
        now, moves = clock.read(), meter.moves
        now = 0.0 if math.isnan(now) else now  # where nobody tells, the moves alone count
        if moves != before[1]:
            since = now
        if (now, moves) != before:
            before, still = (now, moves), time.monotonic()
        if now - since > SPIN:
            raise Broken(
                "beside a client that does not read its thread works and works, and neither reads "
                "nor sends a byte"
            )
        time.sleep(0.01)


def after_all(serve: Any) -> None:
    """A client has got a lot, late, and asks no more; the server rests."""
    with (
        tiny.serving(serve) as (server, clock),
        socket.create_connection(server.address, 1) as sock,
    ):
        asked = tiny.SHORT * 30_000
        pouring = threading.Thread(target=pour, args=(sock, asked), daemon=True)
        pouring.start()
        pouring.join(0.2)
        came = 0
        while came < 30_000 * len(ANSWER):
            try:
                data = receive(sock, "the rest of many answers")
            except Broken as broken:  # that is the fault of the point before
                raise Slip(broken.problem) from None
            if not data:
                raise Slip(f"the connection ended after {came:,} bytes of many answers")
            came += len(data)
        used = clock.read()
        time.sleep(IDLE)  # nothing happens, so there is nothing to wait for
        used = clock.read() - used
    if used > NOTHING:
        raise Broken(
            f"with nobody asking and nothing to send, its thread worked for {used * 1000:.0f} of "
            f"{IDLE * 1000:.0f} ms"
        )


def resets(serve: Any) -> None:
    """One client resets in the middle of a lot; another one asks afterwards."""
    with tiny.serving(serve) as (server, _):
        with socket.create_connection(server.address) as other:
            tiny.answered(other, "the first request got no answer")
            other.sendall(tiny.SHORT * 500)
            hard = (1).to_bytes(4, sys.byteorder) + bytes(4)  # linger for 0 s: a reset
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hard)
        with socket.create_connection(server.address) as sock:
            for _ in range(5):
                tiny.answered(sock, "a client got no answer after another one had reset")


SLOW_READER = Exercise(
    name="slow-reader",
    chapter=8,
    title="Callbacks for a client that does not read",
    effort=2,
    subject="serve",
    points=(
        Point("an ordinary client", ordinary, "forgetting to close: recv gives b'' at the end."),
        Point("beside a silent one", tiny.silent),
        Point(
            "beside one that does not read",
            tiny.slow_reader,
            "a send that waits. sendall on a socket that blocks waits for this one client, with "
            "all others behind it; on one that does not block it raises in the middle.",
        ),
        Point(
            "a thousand bytes in a turn",
            in_thousands,
            "reading all that there is. A client that sends without a pause would keep the turn "
            "for ever: take 1000 bytes and go; the selector tells who is next.",
        ),
        Point(
            "rest, while nobody reads",
            rests_meanwhile,
            "asking for EVENT_READ and not reading: select returns at once, again and again. "
            "While you want nothing from a client, do not ask for it.",
        ),
        Point(
            "every byte",
            every_byte,
            "losing what the network did not take, or the beginning of a request (self.buf). send "
            "returns how many bytes it took, and raises BlockingIOError when it takes none; the "
            "rest must stay in line. sendall does not tell how many went before it raised, so "
            "trying again sends them twice.",
            "Python Library Reference, socket.send",
        ),
        Point(
            "rest, after all is sent",
            after_all,
            "asking for EVENT_WRITE for ever. A socket can nearly always be written to, so select "
            "returns at once, again and again. Ask for it only as long as something is left.",
        ),
        Point(
            "a client that resets",
            resets,
            "letting an OSError of one client out of its callback. It ends the loop, and so all "
            "clients.",
        ),
    ),
    hints=(
        "There are two reasons for a turn: something to read, and room to send. `events` tells.",
        "Keep unsent bytes in self.out, and cut off what send took. Then selector.modify: "
        "EVENT_READ | EVENT_WRITE while something is left in it, else EVENT_READ.",
        """
        Sending:

            try:
                del self.out[: self.sock.send(self.out)]
            except BlockingIOError:
                pass
            events = EVENT_READ | EVENT_WRITE if self.out else EVENT_READ
            self.selector.modify(self.sock, events, self.turn)

        and around both, `except OSError` that unregisters and closes.
        """,
    ),
    afterwards="""
        One client's slowness now costs bytes instead of everybody's time. But how many bytes? A
        client that asks for ever and never reads fills your memory. The remedy is to read no more
        from it while its line is long: backpressure, in chapter 10.

        asyncio's transports do what you did, and tell the protocol by pause_writing when more than
        64 KiB are in line. Uvicorn awaits that in `send` (FlowControl in
        uvicorn/protocols/http/flow_control.py); an application that does not await its sends gains
        nothing by it.
        """,
    seconds=8.0,
)


# --- add-sleep --------------------------------------------------------------------------------

NAP = 0.04  # seconds


def watched(kind: Any) -> Any:
    """Make a learner's loop, with a selector that says when it can never wake, or never rests."""
    loop = kind()
    loop.selector = Watched(loop.selector, lambda: len(loop.ready))
    return loop


def run(loop: Any, coroutine: Any) -> Any:
    """Run a coroutine to its end on a learner's loop; nothing of it is left."""
    try:
        return loop.run(coroutine)
    finally:
        coroutine.close()
        if isinstance(getattr(loop, "selector", None), selectors.BaseSelector):
            loop.selector.close()


def nap(loop: Any, seconds: float) -> Any:
    """Call ``sleep``, and demand something to await."""
    return awaitable(loop.sleep(seconds), "sleep")


def pause(loop: Any) -> Any:
    """Return something to await for one round."""
    future = inspect.unwrap(type(loop).run).__globals__["Future"](loop)
    loop.call_soon(future.set_result, None)
    return future


def one_nap(kind: Any) -> None:
    """It takes as long as it should, and the thread sleeps meanwhile."""
    loop = watched(kind)

    async def main() -> str:
        await nap(loop, NAP * 2)
        return "awake"

    began = time.monotonic()
    same(run(loop, main()), "awake", "the result of the coroutine that slept")
    took_about(time.monotonic() - began, NAP * 2, "one nap")
    if loop.selector.slept < NAP:
        raise Broken("the loop did not sleep in its selector, where sockets could have woken it")


def took_about(took: float, wanted: float, what: str) -> None:
    """Demand a duration: never shorter, and not much longer on a busy machine."""
    if not wanted - 0.005 <= took < wanted + 0.35:
        raise Broken(f"{what} should take {wanted:.2f} s, and took {took:.2f} s")


def side_by_side(kind: Any) -> None:
    """Ten naps, the longest begun first."""
    loop = watched(kind)
    woken: list[int] = []

    async def one(number: int) -> None:
        await nap(loop, NAP * number)
        woken.append(number)

    async def main() -> None:
        tasks = [loop.create_task(one(number)) for number in range(10, 0, -1)]
        for task in tasks:
            await task

    began = time.monotonic()
    run(loop, main())
    took_about(time.monotonic() - began, NAP * 10, f"naps of {NAP} to {NAP * 10:g} s, side by side")
    same(woken, list(range(1, 11)), "the order in which ten naps ended")


def one_moment(kind: Any) -> None:
    """Three calls are due at the very same moment."""
    loop = watched(kind)
    called: list[str] = []
    loop.time = lambda: 1000.0
    for name in "abc":
        loop.call_later(0.0, called.append, name)
    del loop.time

    async def main() -> None:
        await nap(loop, NAP)

    loop.time = lambda: 1000.0 + time.monotonic()
    run(loop, main())
    same(called, ["a", "b", "c"], "three calls for the same moment")


def hears(kind: Any) -> None:
    """Bytes come in the middle of a nap."""
    loop = watched(kind)
    ours, theirs = socket.socketpair()
    heard: list[float] = []

    def hear() -> None:
        heard.append(time.monotonic())
        ours.recv(10)

    async def main() -> None:
        loop.add_reader(ours.fileno(), hear)
        await nap(loop, NAP * 8)
        loop.remove_reader(ours.fileno())

    def speak() -> None:
        with suppress(OSError):  # the loop has failed, and the sockets are closed
            theirs.send(b"x")

    timer = threading.Timer(NAP, speak)
    with ours, theirs:
        began = time.monotonic()
        timer.start()
        run(loop, main())
        timer.join()
    if not heard or heard[0] - began > NAP * 6:
        when = f"after {heard[0] - began:.2f} s" if heard else "never"
        raise Broken(f"bytes came after {NAP} s of a nap of {NAP * 8:g} s, and were heard {when}")


def others_go_on(kind: Any) -> None:
    """One sleeps, one has a hundred turns meanwhile."""
    loop = watched(kind)
    ended: list[str] = []

    async def sleeper() -> None:
        await nap(loop, NAP * 3)
        ended.append("the sleeper")

    async def worker() -> None:
        for _ in range(100):
            await pause(loop)
        ended.append("the worker")

    async def main() -> None:
        tasks = [loop.create_task(sleeper()), loop.create_task(worker())]
        for task in tasks:
            await task

    began = time.monotonic()
    run(loop, main())
    same(ended, ["the worker", "the sleeper"], "who ended first, of a sleeper and one who works")
    took_about(time.monotonic() - began, NAP * 3, "a nap beside a hundred turns of another task")


def naps_of_nothing(kind: Any) -> None:
    """sleep(0) lets the other one have a turn."""
    loop = watched(kind)
    log: list[str] = []

    async def one(name: str) -> None:
        for number in (1, 2):
            log.append(f"{name}{number}")
            await nap(loop, 0)

    async def main() -> None:
        for task in [loop.create_task(one(name)) for name in "ab"]:
            await task

    run(loop, main())
    same(" ".join(log), "a1 b1 a2 b2", "the turns of two tasks that sleep for 0 s")


def one_round(kind: Any) -> None:
    """Somebody makes himself ready in each of his turns; another one sleeps meanwhile."""
    loop = kind()
    gives_up = time.monotonic() + NAP * 15
    state = ["begun"]

    def again() -> None:
        if state == ["begun"] and time.monotonic() < gives_up:
            loop.call_soon(again)
        else:
            state.append("gave up" if state == ["begun"] else "was told")

    async def main() -> None:
        loop.call_soon(again)
        await nap(loop, NAP)
        state.append("woken")
        await nap(loop, NAP)

    run(loop, main())
    if state != ["begun", "woken", "was told"]:
        raise Broken("a callback that calls itself again had all turns: nobody's nap could end")


def only_a_socket(kind: Any) -> None:
    """Nobody is ready and no timer is set: the loop waits for a socket, as long as it takes."""
    loop = watched(kind)
    ours, theirs = socket.socketpair()
    future = inspect.unwrap(kind.run).__globals__["Future"](loop)
    loop.add_reader(ours.fileno(), future.set_result, "heard")

    async def main() -> Any:
        heard = await future
        loop.remove_reader(ours.fileno())
        return heard

    timer = threading.Timer(NAP * 2, theirs.send, [b"x"])
    with ours, theirs:
        timer.start()
        try:
            same(run(loop, main()), "heard", "the result of a task that waits for a socket alone")
        finally:
            timer.join()
    limited = [limit for limit in loop.selector.limits if limit]
    if limited:
        raise Broken(
            "with nobody ready and no timer set, the selector is asked once, without a limit "
            f"(None); yours was asked {len(limited)} times, the first time with {limited[0]:g} s"
        )


def a_round_by_hand(kind: Any) -> None:
    """One call is in line, two timers are due and a socket has something: one round calls all."""
    loop = watched(kind)
    called: list[str] = []
    loop.time = lambda: 1000.0
    ours, theirs = socket.socketpair()

    def first() -> None:
        called.append("the first timer")
        loop.call_soon(called.append, "what the first timer put in line")

    def hear() -> None:
        called.append("the socket")
        loop.remove_reader(ours.fileno())
        loop.call_soon(called.append, "what the socket put in line")

    loop.call_later(0.0, first)
    loop.call_later(0.0, called.append, "the second timer")
    loop.call_soon(called.append, "who was in line")
    loop.add_reader(ours.fileno(), hear)
    with ours, theirs:
        theirs.send(b"x")
        loop.run_once()
        once = list(called)
        loop.run_once()
    loop.selector.close()
    same(once[:1], ["who was in line"], "who was called first in a round")
    wanted = ["the first timer", "the second timer", "the socket"]
    same(sorted(once[1:]), wanted, "who else was called in the round")
    rest = ["what the first timer put in line", "what the socket put in line"]
    same(sorted(called[4:]), rest, "who was called in the next round")


ADD_SLEEP = Exercise(
    name="add-sleep",
    chapter=8,
    title="Time for a loop",
    effort=2,
    subject="Loop",
    points=(
        Point(
            "one nap",
            one_nap,
            "selecting without a limit, though a timer is set: then nothing ever wakes the loop. "
            "Or with a limit of 0, over and over: that waits busily. Or sleeping elsewhere.",
        ),
        Point(
            "ten naps side by side",
            side_by_side,
            "naps that stand in line behind each other, or timers that are called in the order "
            "in which they were set. The earliest is due first: heapq keeps it in front.",
        ),
        Point(
            "three for one moment",
            one_moment,
            "a heap of (time, callback). Of two equal times it compares the next thing, and "
            "functions have no order. Put a number between: next(self.numbers).",
            "Python Library Reference, heapq, Priority Queue Implementation Notes",
        ),
        Point(
            "bytes in the middle of a nap",
            hears,
            "sleeping with time.sleep. A loop has one place to wait, and that must be woken by "
            "sockets too: select(timeout).",
        ),
        Point(
            "others go on",
            others_go_on,
            "waiting for the next timer though somebody is ready. Then every turn of anybody "
            "takes as long as the nap.",
        ),
        Point("sleep(0)", naps_of_nothing, "returning at once from sleep(0), without a turn."),
        Point(
            "one turn in a round",
            one_round,
            "calling until `ready` is empty. Who calls call_soon in each turn would keep the loop "
            "to himself, and no socket would be looked at again.",
        ),
        Point(
            "only a socket",
            only_a_socket,
            "a limit of your own. Whoever looks again after a while works for nothing, and hears "
            "no sooner: select(None) returns when a socket has something.",
        ),
        Point(
            "all who are due",
            a_round_by_hand,
            "taking one timer in a round: the next one would be late, by a whole round. Or calling "
            "timers and sockets at once: put them into `ready`, behind who is in line already, and "
            "call only as many as are in it then.",
        ),
    ),
    hints=(
        "Where does the thread sleep, and who can wake it there? What must it know beforehand?",
        "timers is a heap of (due, number, call). The limit for select is 0 with somebody ready, "
        "else timers[0][0] - time(), never below 0, or None without timers.",
        """
        The round:

            timeout = None
            if self.ready:
                timeout = 0.0
            elif self.timers:
                timeout = max(0.0, self.timers[0][0] - self.time())
            for key, _ in self.selector.select(timeout):
                self.ready.append(key.data)
            while self.timers and self.timers[0][0] <= self.time():
                self.ready.append(heapq.heappop(self.timers)[2])
            for _ in range(len(self.ready)):
                self.ready.popleft()()
        """,
    ),
    afterwards="""
        That is the heart of asyncio: BaseEventLoop._run_once in asyncio/base_events.py has the same
        four parts, the heap of timers, the limit for select, and the fixed number of turns. What it
        has on top is slow_callback_duration, which logs who kept the loop for more than 0.1 s, in
        debug mode.

        Uvicorn and Hypercorn set timers for idle connections on that heap. At many thousand clients
        a timer each is a cost; Uvicorn sets its keep-alive timer anew after every response, our
        reference looks at all clients once a second instead.
        """,
)


# --- add-timeout ------------------------------------------------------------------------------


def cancelled_of(kind: Any) -> type[BaseException]:
    """Return the learner's Cancelled."""
    found: type[BaseException] = inspect.unwrap(kind.run).__globals__["Cancelled"]
    return found


def a_sleeper(kind: Any) -> None:
    """A task that sleeps is cancelled; whoever awaits it hears of it."""
    loop, cancelled = kind(), cancelled_of(kind)
    log: list[str] = []

    async def sleeper() -> None:
        try:
            await loop.sleep(NAP * 50)
        except cancelled:
            log.append("told")
            raise

    async def main() -> None:
        task = loop.create_task(sleeper())
        await loop.sleep(NAP)
        same(task.cancel(), True, "cancel() of a task that sleeps")
        log.append("asked")
        try:
            await task
        except cancelled:
            log.append("heard")
        same(task.cancel(), False, "cancel() of a task that has ended")

    began = time.monotonic()
    run(loop, main())
    same(log, ["asked", "told", "heard"], "what happened around a cancelled sleep")
    took_about(time.monotonic() - began, NAP, "a sleeper that is cancelled")


def before_the_first_turn(kind: Any) -> None:
    """A task is cancelled that has not begun."""
    loop, cancelled = kind(), cancelled_of(kind)
    log: list[str] = []

    async def never() -> None:
        log.append("it ran")

    async def main() -> None:
        task = loop.create_task(never())
        task.cancel()
        try:
            await task
        except cancelled:
            log.append("heard")

    run(loop, main())
    same(log, ["heard"], "what happened to a task that was cancelled before its first turn")


def turn_in_line(kind: Any) -> None:
    """A task is cancelled when what it waits for is done, and it has not had its turn yet."""
    loop, cancelled = kind(), cancelled_of(kind)
    future = inspect.unwrap(kind.run).__globals__["Future"](loop)
    log: list[str] = []

    async def waiter() -> float:
        try:
            await future
        except cancelled:
            log.append("told")
        began = time.monotonic()
        await loop.sleep(NAP * 2)  # a turn too many would end this
        return time.monotonic() - began

    async def main() -> float:
        task = loop.create_task(waiter())
        await loop.sleep(NAP)
        future.finish("it is there")
        same(task.cancel(), True, "cancel() of a task whose turn is in line")
        slept: float = await task
        return slept

    slept = run(loop, main())
    same(log, ["told"], "what happened to a task that was cancelled when its turn was in line")
    took_about(slept, NAP * 2, "a sleep behind that")


def cleans_up(kind: Any) -> None:
    """The finally of a cancelled task waits."""
    loop, cancelled = kind(), cancelled_of(kind)
    log: list[str] = []

    async def tidy() -> None:
        try:
            await loop.sleep(NAP * 50)
        finally:
            log.append("begins to clean up")
            await loop.sleep(NAP)
            log.append("is clean")

    async def main() -> None:
        task = loop.create_task(tidy())
        await loop.sleep(NAP)
        task.cancel()
        try:
            await task
        except cancelled:
            log.append("heard")

    run(loop, main())
    wanted = ["begins to clean up", "is clean", "heard"]
    if log != wanted:
        raise Broken(
            f"the finally of a cancelled task waits, so this should happen: {', '.join(wanted)}; "
            f"what happened: {', '.join(log)}"
        )


def no_second_turn(kind: Any) -> None:
    """The sleep that was cancelled would have ended in the middle of the next one."""
    loop, cancelled = kind(), cancelled_of(kind)

    async def stubborn() -> float:
        try:
            await loop.sleep(NAP * 5)
        except cancelled:
            began = time.monotonic()
            await loop.sleep(NAP * 8)
            return time.monotonic() - began
        return 0.0

    async def main() -> float:
        task = loop.create_task(stubborn())
        await loop.sleep(NAP)
        task.cancel()
        slept: float = await task
        return slept

    took_about(run(loop, main()), NAP * 8, "a sleep behind one that was cancelled")


def twice(kind: Any) -> None:
    """A task is cancelled twice, before it has had the turn in which it hears of it."""
    loop, cancelled = kind(), cancelled_of(kind)
    log: list[str] = []

    async def sleeper() -> float:
        try:
            await loop.sleep(NAP * 50)
        except cancelled:
            log.append("told")
        began = time.monotonic()
        await loop.sleep(NAP)  # a turn too many, or a second Cancelled, would end this
        return time.monotonic() - began

    async def main() -> float:
        task = loop.create_task(sleeper())
        await loop.sleep(NAP)
        same(task.cancel(), True, "cancel() of a task that sleeps")
        try:
            same(task.cancel(), True, "cancel() once more, before the task has had its turn")
        except (ValueError, LookupError) as error:
            what = f"{type(error).__name__}: {error}"
            raise Broken(f"cancel() once more, before the task has had its turn: {what}") from None
        try:
            slept: float = await task
        except cancelled:
            raise Broken("two cancels in one round were thrown twice: they are one") from None
        return slept

    slept = run(loop, main())
    same(log, ["told"], "what happened to a task that was cancelled twice in one round")
    took_about(slept, NAP, "a sleep behind that")


def two_on_one(kind: Any) -> None:
    """Two tasks wait for one future, and one of them is cancelled."""
    loop, cancelled = kind(), cancelled_of(kind)
    future = inspect.unwrap(kind.run).__globals__["Future"](loop)

    async def waiter() -> Any:
        return await future

    async def main() -> Any:
        tasks = [loop.create_task(waiter()) for _ in range(2)]
        await loop.sleep(NAP)
        tasks[0].cancel()
        await loop.sleep(0)
        if not future.done:
            future.finish("it is there")
        await loop.sleep(NAP)
        return [task.done for task in tasks], tasks[1].error, tasks[1].result

    done, error, result = run(loop, main())
    same(done[0], True, "the one of two who wait that was cancelled has ended")
    if not done[1]:
        raise Broken(
            "two tasks wait for one future; one was cancelled, then the future was done, and the "
            "other one never had a turn"
        )
    if not isinstance(error, cancelled):  # asyncio cancels the future, and so tells them all
        same(result, "it is there", "what the other one of two who wait has got")


def too_slow(kind: Any) -> None:
    """A block that takes too long."""
    loop = kind()

    async def main() -> str:
        try:
            async with loop.timeout(NAP):
                await loop.sleep(NAP * 50)
        except TimeoutError:
            return "late"
        return "no error"

    began = time.monotonic()
    same(run(loop, main()), "late", "a block that took longer than its timeout")
    took_about(time.monotonic() - began, NAP, "a block with a timeout")


def in_time(kind: Any) -> None:
    """A block that is done, and more that takes longer than its timeout."""
    loop = kind()

    async def main() -> str:
        async with loop.timeout(NAP * 8):
            await loop.sleep(NAP / 2)
        await loop.sleep(NAP * 9)
        return "undisturbed"

    same(run(loop, main()), "undisturbed", "a block that was done in time, and what follows it")


def own_errors(kind: Any) -> None:
    """An error in the block comes out as it is."""
    loop = kind()

    async def main() -> str:
        try:
            async with loop.timeout(NAP * 8):
                await loop.sleep(NAP / 2)
                raise LookupError("on purpose")
        except LookupError:
            return "as it is"

    same(run(loop, main()), "as it is", "an error inside a block with a timeout")


def late_errors(kind: Any) -> None:
    """The time is up, and then the block's own finally raises."""
    loop, cancelled = kind(), cancelled_of(kind)

    async def main() -> str:
        try:
            async with loop.timeout(NAP):
                try:
                    await loop.sleep(NAP * 50)
                finally:
                    raise LookupError("on purpose")
        except LookupError:
            return "LookupError"
        except cancelled:
            return "Cancelled"
        except TimeoutError:
            return "TimeoutError"

    same(run(loop, main()), "LookupError", "an error in the cleanup of a block that is late")


def by_somebody_else(kind: Any) -> None:
    """The task is cancelled from outside, inside a block whose timeout is far."""
    loop, cancelled = kind(), cancelled_of(kind)

    async def inside() -> None:
        async with loop.timeout(NAP * 50):
            await loop.sleep(NAP * 60)

    async def main() -> str:
        task = loop.create_task(inside())
        await loop.sleep(NAP)
        task.cancel()
        try:
            await task
        except cancelled:
            return "Cancelled"
        except TimeoutError:
            return "TimeoutError"
        return "no error"

    same(run(loop, main()), "Cancelled", "a cancel by somebody else, inside a block with a timeout")


def two_blocks(kind: Any) -> None:
    """The outer block is the shorter one; the inner one must not take its error for its own."""
    loop = kind()
    log: list[str] = []

    async def main() -> None:
        try:
            async with loop.timeout(NAP):
                try:
                    async with loop.timeout(NAP * 50):
                        await loop.sleep(NAP * 60)
                except TimeoutError:
                    log.append("the inner one")
        except TimeoutError:
            log.append("the outer one")

    run(loop, main())
    same(log, ["the outer one"], "which of two blocks raised TimeoutError; the outer was due")


ADD_TIMEOUT = Exercise(
    name="add-timeout",
    chapter=8,
    title="Cancellation and timeouts",
    effort=3,
    subject="Loop",
    points=(
        Point(
            "a sleeper is cancelled",
            a_sleeper,
            "setting a mark that nobody looks at. Who waits is in no line: cancel() must see to it "
            "that the task has a turn (call_soon), and resume throws in that turn.",
        ),
        Point(
            "cancelled before its first turn",
            before_the_first_turn,
            "supposing that a task waits for something. Here the first turn is in line already; "
            "it begins with coroutine.throw, and the body never runs.",
        ),
        Point(
            "cancelled with its turn in line",
            turn_in_line,
            "supposing that a task that waits is in the callbacks. The future is done, has emptied "
            "them, and put the task's step in line: that turn will throw, and needs no other.",
        ),
        Point(
            "a finally that waits",
            cleans_up,
            "ending the coroutine with close(), or the task in cancel(). To cancel is to ask: the "
            "coroutine goes on from its await, and may await again. Or a mark that is never taken "
            "back: one cancel throws once.",
        ),
        Point(
            "no second turn",
            no_second_turn,
            "leaving the task's step with the future that it waited for. When that is done, the "
            "task gets a turn that belongs to the old wait, and takes it for the new one's.",
        ),
        Point(
            "cancelled twice in one round",
            twice,
            "taking the step out of the callbacks twice, or putting it in line twice. After the "
            "first cancel the task waits for nothing, its turn is in line: waits_for is None.",
        ),
        Point(
            "two who wait for one",
            two_on_one,
            "callbacks.clear(). Others may wait for that future too: take out your own step alone.",
        ),
        Point(
            "a block that is too slow",
            too_slow,
            "raising in the timer's callback: that is no task's turn.",
        ),
        Point(
            "a block in time",
            in_time,
            "forgetting the timer. It rings behind the block, and cancels whatever the task does "
            "then.",
        ),
        Point(
            "an error in the block", own_errors, "returning True from __aexit__, which swallows."
        ),
        Point(
            "an error in the cleanup of a late block",
            late_errors,
            "raising TimeoutError whenever the timer has rung. Something else may have come out of "
            "the block since: only a Cancelled is turned into a TimeoutError (`kind`).",
        ),
        Point(
            "cancelled by somebody else",
            by_somebody_else,
            "making a TimeoutError of every Cancelled. Only the one that this block's own timer "
            "has asked for is a timeout: note whether it has rung.",
        ),
        Point("one block in another", two_blocks, "as above: whose Cancelled is it?"),
    ),
    hints=(
        "A task that waits is in the callbacks of one future, and nowhere else. Once that future "
        "is done, the task's turn is in line.",
        "cancel() sets a mark. If the future is not done, it takes step out of its callbacks and "
        "calls step soon. resume looks at the mark, and throws instead of sending.",
        """
        cancel, after the question whether it has ended:

            self.cancelling = True
            if self.waits_for is not None and not self.waits_for.done:
                self.waits_for.callbacks.remove(self.step)
                self.waits_for = None
                self.loop.call_soon(self.step)
            return True

        resume: if self.cancelling, reset it and return self.coroutine.throw(Cancelled()).
        __aexit__: cancel the timer; raise TimeoutError if it had rung and kind is Cancelled.
        """,
    ),
    afterwards="""
        asyncio.timeout (Python 3.11) is this class, and it counts: Task.cancelling() tells how many
        cancels are still to be answered, so that one by a timeout and one by somebody else in the
        same round are not taken for one. Yours would call both a timeout; so does our reference.

        Uvicorn lets a request's task run on when its client leaves, and tells the application by
        http.disconnect; at shutdown it cancels what is left after --timeout-graceful-shutdown.
        Hypercorn bounds shutdown too. In both, what you wrote in a finally runs then, and what
        has begun and never awaits cannot be cancelled.
        """,
)

EXERCISES = (ROUND_ROBIN, SLOW_READER, ADD_SLEEP, ADD_TIMEOUT)
