"""Three exercises of chapter 15: ``port-to-async``, ``hidden-wait``, ``off-the-loop``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

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
            "httpx.HTTPError comes out.",
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
        yield served


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
            "without an await?",
            seconds=15.0,
        ),
    ),
    hints=(
        """
        Slow, and idle: somebody waits without an await. Our server tells where. In a cell:

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

        (Or an async method that logs by `await asyncio.to_thread(...)`; then a sale waits for it.)
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
            lambda: calm(yours), lambda: calm(theirs), 2,
            "a calm client beside four who want reports", "with OnTheLoop it",
        )  # fmt: skip


def workers() -> set[int]:
    """Return the ids of our worker processes, but for multiprocessing's own helper."""
    import psutil  # type: ignore[import-untyped]  # published without types

    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "multiprocessing" in words and "resource_tracker" not in words:
            found.add(process.pid)
    return found


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
    before = workers()
    seen: set[int] = set()
    most = 0
    with reporting(make_app()) as served, ThreadPoolExecutor() as others:
        work = others.submit(load, served.server, 8, 1.0, path="/report", drain=0.5, timeout=5.0)
        threads = others.submit(most_burning, work)  # not here: looking at processes is slow
        while not work.done():
            now = workers() - before
            seen |= now
            most = max(most, len(now))
            time.sleep(0.02)
        most = max(most, threads.result())
        answered(served.server, work.result(), "eight who want reports")
    if len(seen) > MOST:
        raise Broken(
            f"eight clients who want reports made {len(seen)} worker processes: {MOST} are wanted, "
            "started once"
        )
    if most > MOST:
        raise Broken(f"{most} reports were made at a time, {MOST} at most are wanted")


def gone_at_the_end(make_app: Any) -> None:
    """No worker is left when the lifespan has ended."""
    before = workers()
    app = make_app()  # we keep it: nobody shall end its workers by forgetting it
    with reporting(app):
        pass
    end = time.monotonic() + 2.0
    while (left := workers() - before) and time.monotonic() < end:
        time.sleep(0.02)
    del app
    same(len(left), 0, "worker processes that are left 2 s after the end of the lifespan")


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
            "a calm client waits half as long",
            calm_waits_less,
            "computing in the loop's thread, behind an `await asyncio.sleep(0)` or in an `async "
            "def`. Only another thread or another process is elsewhere.",
        ),
        Point(
            "two at a time, by workers that stay",
            few_and_kept,
            "asyncio.to_thread without a bound: its pool has more threads than you have cores, and "
            "all compute at once. Or a new pool for each request: starting a process takes longer "
            "than a report.",
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
