"""Three exercises of chapter 15: ``port-to-async``, ``hidden-wait``, ``off-the-loop``."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from logging.handlers import HTTPHandler
from typing import Any
from urllib.parse import urlsplit

from workbench.contracts import Broken
from workbench.contracts.wire import Answer, request
from workbench.exercises.measuring import answered, burst, faster
from workbench.exercises.model import Exercise, Point
from workbench.exercises.serving import Served, application, serving
from workbench.exercises.strip import SOLUTIONS, strip
from workbench.exercises.talking import same
from workbench.load import load
from workbench.running import running
from workbench.strict_upstream import Strict, strict_upstream

CROWD = 8


def get(served: Served, path: str = "/", patience: float = 2.0) -> Answer:
    """Ask once, on a connection of its own."""
    return served.connect(patience).send(request(path, "Connection: close")).response()


def parsed(answer: Answer, what: str) -> Any:
    """Return the JSON of an answer with status 200."""
    same(answer.status, 200, f"the status of {what}")
    try:
        return json.loads(answer.body)
    except ValueError:
        raise Broken(f"{what} is not JSON", got=answer.body) from None


@cache
def given(name: str) -> dict[str, Any]:
    """Return what was handed out with an exercise, by name, whatever the learner made of it."""
    file = f"ch15_{name.replace('-', '_')}.py"
    source = strip((SOLUTIONS / file).read_text(encoding="utf-8"))
    found: dict[str, Any] = {"__name__": f"given_{name}"}
    exec(compile(source, f"solutions/{file}", "exec"), found)
    return found


# --- port-to-async ----------------------------------------------------------------------------

QUESTION = 0.15  # seconds that the upstream takes for one
CLOSED = "http://127.0.0.1:9"  # nobody listens there


@contextmanager
def ported(make_app: Any, url: str) -> Iterator[Served]:
    """Serve a learner's application."""
    with serving(application(make_app(url), "make_app"), tolerant=True) as served:
        yield served


def the_same_answers(make_app: Any) -> None:
    """The page, and another path."""
    with strict_upstream(0.02) as up, ported(make_app, up.url) as served:
        waited = {"waited": 0.02}
        page = get(served)
        same(parsed(page, "the page"), {"weather": waited, "news": waited}, "the page")
        same(page.value("content-type"), "application/json", "the page's content-type")
        same(get(served, "/else").status, 404, "the status of another path")
        same(up.stats()["paths"], {"/weather": 1, "/news": 1}, "what the upstream was asked")


def without_an_upstream(make_app: Any) -> None:
    """Nobody listens at the upstream's address."""
    with ported(make_app, CLOSED) as served:
        same(get(served).status, 502, "the status of the page, when the upstream is not there")


def one_client(make_app: Any) -> None:
    """Ten pages, one after the other."""
    with strict_upstream(0.005) as up, ported(make_app, up.url) as served:
        for _ in range(10):
            same(get(served).status, 200, "the status of the page")
        made = up.stats()["connections"]
    if made > 4:
        raise Broken(
            f"ten pages, one after the other, made {made} connections to the upstream: 2 are "
            "enough, when they are kept for the next page"
        )


def eight_at_once(make_app: Any) -> None:
    """Eight pages at once, against the blocking application on two threads."""
    blocking = given("port-to-async")["blocking"]
    with (
        strict_upstream(QUESTION) as up,
        running(blocking(up.url), threads=2) as theirs,
        ported(make_app, up.url) as yours,
    ):
        burst(yours.server, 1)  # opens the first connections
        faster(
            lambda: burst(yours.server, CROWD), lambda: burst(theirs, CROWD), 2.5,
            "eight pages at once", "the blocking one on two threads",
        )  # fmt: skip


def one_alone(make_app: Any) -> None:
    """One page, against the blocking application."""
    blocking = given("port-to-async")["blocking"]
    with (
        strict_upstream(QUESTION) as up,
        running(blocking(up.url), threads=2) as theirs,
        ported(make_app, up.url) as yours,
    ):
        burst(yours.server, 1)
        burst(theirs, 1)
        faster(
            lambda: burst(yours.server, 1), lambda: burst(theirs, 1), 1 / 0.75,
            "one page alone", "the blocking one",
        )  # fmt: skip


PORT_TO_ASYNC = Exercise(
    name="port-to-async",
    chapter=15,
    title="From a blocking page to an asynchronous one",
    effort=2,
    subject="make_app",
    points=(
        Point("the same answers", the_same_answers),
        Point(
            "no upstream",
            without_an_upstream,
            "an error that nobody catches becomes a 500: where the questions are awaited, "
            "httpx.HTTPError comes out. (Out of a TaskGroup it comes in an ExceptionGroup: write "
            "`except* httpx.HTTPError`, and answer behind it.)",
        ),
        Point(
            "one client for all pages",
            one_client,
            "a new AsyncClient for each request. It opens new connections each time, and reads the "
            "list of trusted certificates anew, which takes longer than a page.",
        ),
        Point(
            "eight at once, 2.5 times as fast",
            eight_at_once,
            "a call that blocks in an `async def`: httpx.Client in there stops the loop, and "
            "everybody stands in line. `async` in front of a function changes nothing of what it "
            "calls.",
            seconds=20.0,
        ),
        Point(
            "one alone, in 0.75 of the time",
            one_alone,
            "awaiting the news only when the weather has come. asyncio.gather begins both.",
            seconds=15.0,
        ),
    ),
    hints=(
        "Which calls of `blocking` wait? They, and nothing else, become awaits.",
        "Make one httpx.AsyncClient in make_app. `await client.get(...)` instead of "
        "client.get(...); two coroutines in asyncio.gather wait side by side.",
        """
        The heart of it:

            async def ask(name):
                return (await client.get(f"/{name}")).json()

            try:
                weather, news = await asyncio.gather(ask("weather"), ask("news"))
            except httpx.HTTPError:
                ...  # 502

        And the lifespan scope: receive, send startup.complete, receive, close the client, send
        shutdown.complete.
        """,
    ),
    afterwards="""
        Two gains, and they are different ones. Eight clients at once: there are as many places as
        there are clients, where two threads had two. One alone: two waits of one page side by side,
        which threads could do too, with a pool inside of the request.

        Uvicorn would serve your port as it is; so does Gunicorn with its ASGI worker. `blocking` on
        Gunicorn's gthread worker draws level at --threads 8, when eight is all who come.
        """,
    seconds=6.0,
    measures=True,
)

# --- hidden-wait ------------------------------------------------------------------------------


def sells(mended: Any) -> None:
    """One sale, with price and receipt."""
    shop = given("hidden-wait")["Shop"]
    with strict_upstream(0.02) as up:
        with serving(shop(up.url), tolerant=True) as theirs:
            wanted = parsed(get(theirs), "a sale of the shop as it was")
        with ported_shop(mended, up) as yours:
            same(parsed(get(yours), "a sale"), wanted, "a sale")


@contextmanager
def ported_shop(mended: Any, up: Strict) -> Iterator[Served]:
    """Serve a mended shop."""
    with serving(application(mended(up.url), "mended"), tolerant=True) as served:
        try:
            yield served
        finally:
            hush(up)


def hush(up: Strict) -> None:
    """Let handlers that log at an upstream say nothing of it when that is gone.

    Somebody may listen to a queue with lines in it when a point has seen enough.
    """
    where = urlsplit(up.url).netloc
    for handler in gc.get_objects():
        if type(handler) is HTTPHandler and handler.host == where:
            vars(handler)["handleError"] = lambda record: None


def logs(mended: Any) -> None:
    """Five sales, five lines in the log."""
    with strict_upstream(0.01) as up, ported_shop(mended, up) as yours:
        for _ in range(5):
            same(get(yours).status, 200, "the status of a sale")
        end, lines = time.monotonic() + 3.0, 0
        while lines < 5 and time.monotonic() < end:
            lines = up.stats()["paths"].get("/log", 0)
            time.sleep(0.02)
        prices = up.stats()["paths"].get("/price/apples", 0)
    same(prices, 5, "how often the upstream was asked for a price, in five sales")
    same(lines, 5, "lines that have reached the upstream's /log within 3 s, after five sales")


def sells_to_many(mended: Any) -> None:
    """Eight at once, against the shop as it is."""
    shop = given("hidden-wait")["Shop"]
    with (
        strict_upstream(0.05) as up,
        serving(shop(up.url), tolerant=True) as theirs,
        ported_shop(mended, up) as yours,
    ):
        faster(
            lambda: burst(yours.server, CROWD), lambda: burst(theirs.server, CROWD), 2.5,
            "eight sales at once", "the shop as it was",
        )  # fmt: skip


HIDDEN_WAIT = Exercise(
    name="hidden-wait",
    chapter=15,
    title="The line that waits",
    effort=2,
    subject="mended",
    points=(
        Point("the same sale", sells),
        Point(
            "every sale is logged",
            logs,
            "taking the line out, or putting lines into a queue that nobody empties. What was "
            "asked for is the log, without the wait.",
        ),
        Point(
            "eight at once, 2.5 times as fast",
            sells_to_many,
            "mending a suspect. The hash takes a tenth of a millisecond, the lock is free again "
            "before anybody notices, and the price is awaited. Which call speaks to the network "
            "without an await? Or the right call in a thread, awaited: a handler takes one line at "
            "a time, so eight sales still stand in line for its lock. A queue and one listener let "
            "them go.",
            seconds=15.0,
        ),
    ),
    hints=(
        """
        Slow, and idle: somebody waits without an await. Our server tells where; read its log from
        the top, for the shop asks a library, and the library waits. In a cell:

            %run ../exercises/ch15_hidden_wait.py
            with upstream() as url, running(Shop(url), slow_callback=0.05) as server:
                load(server, 8, requests=8)
                print(server.log_text())
        """,
        "self.log.info hands the line to an HTTPHandler, which sends it over the network and waits "
        "for the answer. The handler may wait, but in another thread.",
        """
        The standard library has the pair for it:

            lines = queue.SimpleQueue()
            shop.log.removeHandler(shop.handler)
            shop.log.addHandler(logging.handlers.QueueHandler(lines))
            logging.handlers.QueueListener(lines, shop.handler).start()

        A sale puts its line into the queue and goes on. Awaiting `asyncio.to_thread(...)` in its
        place does not suffice: the handler has a lock, and eight threads would stand in line for
        it.
        """,
    ),
    afterwards="""
        Logging is the classic: no await in sight, and a handler that somebody configured elsewhere
        goes to the network, to a full disk, to a terminal that nobody reads. So do DNS
        (socket.getaddrinfo), drivers of databases, and the first import of a large module.

        Uvicorn writes its access log in the loop's thread too, to a stream: cheap, until the other
        end of the pipe stops reading. asyncio's own debug mode tells which task took longer than
        0.1 s; our --debug-blocking tells the line too.
        """,
    seconds=6.0,
    measures=True,
)

# --- off-the-loop -----------------------------------------------------------------------------

MOST = 2
WARM = 8.0  # seconds for workers to start


@contextmanager
def reporting(app: Any) -> Iterator[Served]:
    """Serve an application that makes reports, when it has made some."""
    with serving(application(app, "make_app"), tolerant=True) as served:
        end = time.monotonic() + WARM
        while True:
            run = load(served.server, 4, requests=4, path="/report", keep_alive=False, timeout=WARM)
            answered(served.server, run, "four who want a report")
            if run.elapsed < 1.0 or time.monotonic() > end:
                break
        yield served


def a_report(make_app: Any) -> None:
    """A report, and something small."""
    with serving(application(make_app(), "make_app"), tolerant=True) as served:
        report = parsed(get(served, "/report", WARM), "a report")
        if not isinstance(report, dict) or not isinstance(report.get("rounds"), int):
            raise Broken(f'a report is {{"rounds": a number}}, yours is {report!r}')
        same(parsed(get(served), "another path"), {"hello": "world"}, "the answer at /")


def calm(served: Served) -> float:
    """Return what a calm client waits, p50, beside four who want reports without a pause."""
    with ThreadPoolExecutor() as others:
        work = others.submit(load, served.server, 4, 1.0, path="/report", drain=0.5)
        run = load(served.server, 30, 0.8, rate=20, keep_alive=False, timeout=5.0, drain=2.0)
        work.result()
    answered(served.server, run, "a calm client beside four who want reports")
    return run.latency(50)


def calm_waits_less(make_app: Any) -> None:
    """The calm client, here and there."""
    theirs_app = given("off-the-loop")["OnTheLoop"]()
    with reporting(theirs_app) as theirs, reporting(make_app()) as yours:
        faster(
            lambda: calm(yours), lambda: calm(theirs), 3,
            "a calm client beside four who want reports", "with OnTheLoop it",
        )  # fmt: skip


class Workers:
    """The worker processes of this one: those that are there now, and all that were seen.

    ``new`` have come since it was made, ``seen`` is all of them, ``forked`` those among them that
    are copies of this process. Helpers of multiprocessing are no workers, nor are programs.
    """

    def __init__(self) -> None:
        self.new: set[int] = set()
        self.seen: set[int] = set()
        self.forked: set[int] = set()
        self._before: set[int] = set()
        self.look()
        self._before, self.new = self.new, set()
        self.seen, self.forked = set(), set()

    def look(self) -> int:
        """Look who is there; return how many have come."""
        import psutil  # type: ignore[import-untyped]  # published without types

        self.new = set()
        us = psutil.Process()
        ours = us.cmdline()
        for process in us.children(recursive=True):
            try:
                command, parent = process.cmdline(), process.ppid()
            except psutil.Error:
                continue
            if process.pid in self._before:
                continue
            self.forked.discard(process.pid)
            self.seen.discard(process.pid)  # what looked like a fork may have become a program
            if command == ours:
                self.forked.add(process.pid)
            elif not _is_worker(command, parent == us.pid):
                continue
            self.new.add(process.pid)
        self.seen |= self.new
        return len(self.new)


def _is_worker(command: list[str], is_our_child: bool) -> bool:
    """Tell a worker by its command line: what multiprocessing has started, but for its helpers."""
    words = " ".join(command)
    if "multiprocessing" not in words or "resource_tracker" in words:
        return False
    return not ("forkserver" in words and is_our_child)  # it only forks those who work


def burning() -> int:
    """Return how many threads of this process are in ``burn``."""
    count = 0
    for frame in sys._current_frames().values():
        here: Any = frame
        while here is not None and here.f_code.co_name != "burn":
            here = here.f_back
        count += here is not None
    return count


def most_burning(work: Future[Any]) -> int:
    """Return how many threads were in ``burn`` at most, until some work is done."""
    most = 0
    while not work.done():
        most = max(most, burning())
        time.sleep(0.005)
    return most


def few_and_kept(make_app: Any) -> None:
    """Eight reports at once: how many are made at a time, and by whom?"""
    workers = Workers()
    with reporting(make_app()) as served, ThreadPoolExecutor() as others:
        work = others.submit(load, served.server, 8, 1.0, path="/report", drain=0.5, timeout=5.0)
        threads = others.submit(most_burning, work)  # not here: looking at processes is slow
        while not work.done():
            workers.look()
            time.sleep(0.02)
        answered(served.server, work.result(), "eight who want reports")
    if (made := len(workers.seen)) > MOST:
        raise Broken(
            f"eight clients who want reports made {made} worker processes: {MOST} are wanted, "
            "started once"
        )
    if (most := threads.result()) > MOST:
        raise Broken(f"{most} reports were made at a time, {MOST} at most are wanted")


def not_forked(make_app: Any) -> None:
    """No worker is a copy of this process."""
    workers = Workers()
    app = application(make_app(), "make_app")
    with serving(app, tolerant=True) as served, ThreadPoolExecutor() as others:
        work = others.submit(get, served, "/report", WARM)
        while not work.done():
            workers.look()
            time.sleep(0.005)
        parsed(work.result(), "a report")
    if workers.forked:
        raise Broken(
            f"{len(workers.forked)} of {len(workers.seen)} workers are forks of the server, which "
            "has threads: they may wait for ever for a lock that one of those held in that moment"
        )


def gone_at_the_end(make_app: Any) -> None:
    """No worker is left when the lifespan has ended."""
    workers = Workers()
    app = make_app()  # we keep it: nobody shall end its workers by forgetting it
    with reporting(app):
        pass
    end = time.monotonic() + 2.0
    while (left := workers.look()) and time.monotonic() < end:
        time.sleep(0.02)
    del app
    same(left, 0, "worker processes that are left 2 s after the end of the lifespan")


OFF_THE_LOOP = Exercise(
    name="off-the-loop",
    chapter=15,
    title="Work goes where it stops nobody",
    effort=3,
    subject="make_app",
    points=(
        Point(
            "a report",
            a_report,
            "a plain `def report`: whoever calls it awaits what it gives. Or a local function for "
            "a worker process, which must be able to import it.",
        ),
        Point(
            "a calm client waits a third as long",
            calm_waits_less,
            "computing in the loop's thread, behind an `await asyncio.sleep(0)` or in an `async "
            "def`. Only another thread or another process is elsewhere. Or `pool.submit(...)"
            ".result()`, which waits there, in the loop's thread, for who computes elsewhere.",
        ),
        Point(
            "two at a time, by workers that stay",
            few_and_kept,
            "asyncio.to_thread without a bound: its pool has more threads than you have cores, and "
            "all compute at once. Or a new pool for each request: starting a process takes longer "
            "than a report.",
        ),
        Point(
            "by workers that are not forked",
            not_forked,
            "a pool without an `mp_context`, which forks, on Linux and before Python 3.14. A "
            "fork copies the memory and one thread; the locks that the others held stay locked.",
            "Python, multiprocessing, Contexts and start methods",
        ),
        Point(
            "gone at the end",
            gone_at_the_end,
            "workers that nobody ends. What is opened at startup is shut down at shutdown.",
        ),
    ),
    hints=(
        "Somebody else must call burn: loop.run_in_executor(pool, burn, MILLISECONDS) can be "
        "awaited.",
        "Subclass OnTheLoop. Make a pool of WORKERS in open(), shut it down in close(), await it "
        "in report().",
        """
        open and report:

            def open(self):
                context = multiprocessing.get_context("spawn")
                self.pool = ProcessPoolExecutor(WORKERS, mp_context=context)

            async def report(self):
                loop = asyncio.get_running_loop()
                return {"rounds": await loop.run_in_executor(self.pool, burn, MILLISECONDS)}
        """,
    ),
    afterwards="""
        A pool of two threads passes too: the loop gets its turn at the GIL every 5 ms. But two
        threads share one core's worth of Python, two processes have a core each, so reports come up
        to twice as often. The bound matters as much as the place: work beyond the cores only makes
        every report later.

        Uvicorn's and Gunicorn's --workers put whole servers on the other cores instead: each report
        then stops one worker's loop, and the clients who are connected to that one. Work that takes
        seconds belongs in a queue, outside of the server.
        """,
    seconds=30.0,
    measures=True,
)

EXERCISES = (PORT_TO_ASYNC, HIDDEN_WAIT, OFF_THE_LOOP)
