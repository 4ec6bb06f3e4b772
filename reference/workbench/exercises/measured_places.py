"""Two exercises of chapter 15 about places: ``draw-level`` and ``bound-the-upstream``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from workbench.board import wsgi
from workbench.board.upstream import upstream
from workbench.contracts import Broken
from workbench.exercises.coroutines import Steps, awaitable, kind, within
from workbench.exercises.measuring import ENOUGH, HOPELESS, TRIES
from workbench.exercises.model import Exercise, Point
from workbench.exercises.talking import same
from workbench.load import load
from workbench.running import running
from workbench.small_board import SmallBoard
from workbench.strict_upstream import Strict, strict_upstream

# --- draw-level -------------------------------------------------------------------------------


class Pool:
    """A pool on paper: its rate grows with its threads, up to a crowd. Few questions, please.

    With ``moody`` it tells, two times of three, half of the truth.
    """

    def __init__(self, crowd: int, most: int = 64, calls: int = 60, moody: bool = False) -> None:
        self.crowd = crowd
        self.most = most
        self.calls = calls
        self.moody = moody
        self.asked = 0

    def __call__(self, threads: int) -> float:
        """Return answers per second."""
        if not isinstance(threads, int) or threads < 1:
            raise Broken(f"measure({threads!r}): a pool has 1 thread or more, in whole numbers")
        if threads > self.most:
            raise Broken(f"measure({threads}): `most` is {self.most}")
        self.asked += 1
        if self.asked > self.calls:
            raise Broken(f"more than {self.calls} measurements: each takes a moment")
        rate = 10.0 * min(threads, self.crowd)
        return rate / 2 if self.moody and self.asked % 3 else rate


def levels(wanted: int | None, crowd: int, **more: Any) -> Callable[[Any], None]:
    """Return a point: on paper, so many threads draw level with a loop of 240 a second."""
    pool = {name: more.pop(name) for name in ("calls", "moody") if name in more}

    def run(draw_level: Any) -> None:
        got = draw_level(Pool(crowd, more.get("most", 64), **pool), 240.0, **more)
        shown = ", ".join(
            ["measure", "240.0", *(f"{name}={value}" for name, value in more.items())]
        )
        same(got, wanted, f"draw_level({shown}), where {crowd} clients ask, 0.1 s each")

    return run


def on_a_real_pool(draw_level: Any) -> None:
    """Eight clients, a real pool, a real loop, a real upstream."""
    with upstream() as url:
        board = wsgi.make_app(url)

        def rate(server: Any) -> float:
            path = "/slow?wait=0.05"
            return load(server, 8, 0.2, path=path, keep_alive=False, drain=0.1).rate

        def measure(threads: int) -> float:
            with running(board, threads=threads) as server:
                return rate(server)

        with running(SmallBoard(url)) as server:
            loop = max(rate(server) for _ in range(2))
        got = None
        for _ in range(2):
            got = draw_level(measure, loop, share=0.7, most=16)
            if isinstance(got, int) and 4 <= got <= 9:
                break
        else:
            raise Broken(
                f"eight clients, 0.05 s each: 70 % of a loop's {loop:.0f} answers a second are "
                f"reached by about 6 threads (4 to 9 are believed); yours says {got}"
            )
    board.close()


DRAW_LEVEL = Exercise(
    name="draw-level",
    chapter=15,
    title="Where threads draw level",
    effort=1,
    subject="draw_level",
    points=(
        Point("level with all", levels(24, 24, share=1.0)),
        Point(
            "one is enough",
            levels(1, 24, share=0.03),
            "taking it for granted that one thread is too few. Nothing is too few before it was "
            "measured: 0 is.",
        ),
        Point(
            "one fewer is too few",
            levels(22, 24),
            "stopping at the first number that is enough: 1, 2, 4, 8, 16, 32 jumps over 22. "
            "Between the last that was too few and the first that was enough lies the answer.",
        ),
        Point(
            "a large pool",
            levels(240, 400, share=10.0, most=512),
            "counting up by one. Every measurement takes a moment: double first, then halve what "
            "lies between.",
        ),
        Point(
            "nobody draws level",
            levels(None, 10, most=64),
            "believing that enough threads are always enough. Where the crowd is small, or the "
            "work is computing, they are not: say None.",
        ),
        Point(
            "exactly as many as there are",
            levels(20, 24, share=0.8, most=20),
            "leaving `most` out, or asking for more.",
        ),
        Point(
            "a bad moment",
            levels(22, 24, moody=True),
            "believing one measurement. Noise only makes a rate lower, so take the best of three.",
        ),
        Point("a real pool, a real upstream", on_a_real_pool, seconds=25.0),
    ),
    hints=(
        "Which numbers of threads do you know to be too few, and which to be enough? Keep both.",
        "Double until it is enough, or `most` is not. Then halve the stretch between the largest "
        "that was too few and the smallest that was enough. `any(... for _ in range(3))` measures "
        "up to three times, and stops at the first that is good.",
        """
        The second half:

            low = high // 2              # too few
            while high - low > 1:
                middle = (low + high) // 2
                if is_level(middle):
                    high = middle
                else:
                    low = middle
            return high
        """,
    ),
    afterwards="""
        You have found a number by measuring that Little's law would have told you: threads draw
        level when there is one for everybody who waits, share times clients of them. The
        measurement is there to tell you when the law's assumptions are wrong: when the work is
        computing, or the upstream has a pool of its own.

        Gunicorn's --threads is this number, for each worker. Uvicorn has none for its coroutines
        (--limit-concurrency refuses beyond a limit with 503). But a plain `def` route of Starlette
        or FastAPI on it runs in AnyIO's pool of 40 threads: the same law, at 40.
        """,
    seconds=3.0,
    measures=True,
)


# --- bound-the-upstream -----------------------------------------------------------------------

PLACES = 4


class Asked:
    """Asks a strict upstream by httpx; raises when it refuses.

    ``most`` is how many questions were under way at once: a slow client may send them so slowly
    that the upstream has never seen as many.
    """

    def __init__(self, up: Strict) -> None:
        everybody = httpx.Limits(max_connections=None)
        self.client = httpx.AsyncClient(base_url=up.url, limits=everybody, trust_env=False)
        self.done: list[str] = []
        self.most = self._now = 0

    async def __call__(self, path: str) -> bytes:
        """Return the content of the answer."""
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            answer = await self.client.get(path)
        finally:
            self._now -= 1
        answer.raise_for_status()
        self.done.append(path)
        return answer.content


def bounded(kind_: Any, ask: Callable[[str], Awaitable[Any]], most: int) -> Any:
    """Make a learner's object; see that its call can be awaited."""
    return kind(kind_(ask, most), "Bounded.__call__")


async def all_of(made: Any, paths: list[str], seconds: float = 4.0) -> list[Any]:
    """Ask for all paths at once; return the answers."""
    calls = [awaitable(made(path), f"bounded({path!r})") for path in paths]
    answers: list[Any] = await within(
        seconds, asyncio.gather(*calls), "the answers to all questions"
    )
    return answers


async def one_answer(cls: Any) -> None:
    """One question."""
    with strict_upstream(0.02) as up:
        ask = Asked(up)
        async with ask.client:
            [answer] = await all_of(bounded(cls, ask, 1), ["/one"])
    same(answer, b'{"waited": 0.02}\n', "the answer to one question")


async def never_more(cls: Any) -> None:
    """Twenty at once, and an upstream that refuses the fifth."""
    with strict_upstream(0.03, PLACES) as up:
        ask = Asked(up)
        async with ask.client:
            try:
                await all_of(bounded(cls, ask, PLACES), [f"/{n}" for n in range(20)])
            except httpx.HTTPStatusError:
                seen = up.stats()
                raise Broken(
                    f"20 questions, at most {PLACES} at a time: the upstream has refused "
                    f"{seen['refused']} of them, for there were more"
                ) from None
    if ask.most > PLACES:
        raise Broken(f"20 questions, at most {PLACES} at a time: {ask.most} were asked at once")


async def as_many_as_allowed(cls: Any) -> None:
    """Twelve questions at most four at a time, against one after the other."""
    paths = [f"/{n}" for n in range(12)]
    best, other = float("inf"), float("inf")
    with strict_upstream(0.08) as up:
        ask = Asked(up)
        async with ask.client:
            for turn in range(TRIES):
                began = time.monotonic()
                for path in paths:
                    await ask(path)
                other = min(other, time.monotonic() - began)
                began = time.monotonic()
                await all_of(bounded(cls, ask, PLACES), paths)
                best = min(best, time.monotonic() - began)
                if other >= 2.5 * best:
                    return
                if turn + 1 >= ENOUGH and other < HOPELESS * 2.5 * best:
                    break
    raise Broken(
        f"12 questions one after the other take {other:.2f} s, with yours at most {PLACES} at a "
        f"time {best:.2f} s: {other / best:.1f} times as fast, 2.5 is wanted"
    )


async def a_slow_one(cls: Any) -> None:
    """One slow question keeps one place, not all."""
    paths = ["/slow?wait=0.7", *(f"/{n}?wait=0.02" for n in range(9))]
    with strict_upstream(0.02) as up:
        ask = Asked(up)
        async with ask.client:
            await all_of(bounded(cls, ask, 2), paths)
    behind = len(ask.done) - 1 - ask.done.index(paths[0])
    same(
        behind,
        0,
        "questions that had their answer only after the slow one, which has one place of 2",
    )


class Fails:
    """Fails, or waits until it is ``over``, as it is told; counts who is inside."""

    def __init__(self) -> None:
        self.inside = 0
        self.peak = 0
        self.over = asyncio.Event()

    async def __call__(self, path: str) -> str:
        """Do what the path says."""
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        try:
            if path == "/fail":
                raise ConnectionError("on purpose")
            await (self.over.wait() if path == "/long" else asyncio.sleep(0.01))
            return path
        finally:
            self.inside -= 1


async def after_failures(cls: Any) -> None:
    """Questions that fail, then one that does not."""
    made = bounded(cls, Fails(), 2)
    for _ in range(4):
        try:
            await within(0.5, made("/fail"), "the error of a question that fails")
        except ConnectionError:
            continue
        raise Broken("ask raised an error, and your call did not: whoever asks must be told")
    same(
        await within(0.5, made("/fine"), "an answer, after four that failed"), "/fine", "the answer"
    )


async def after_cancels(cls: Any) -> None:
    """Two askers who are cancelled inside; then two at a time again."""
    ask = Fails()
    made = bounded(cls, ask, 2)
    tasks = await two_inside(ask, made, 2)
    await all_cancelled(tasks)
    ask.peak = 0
    await all_of(made, ["/one", "/two"], 0.8)
    same(ask.peak, 2, "how many of two are under way, after two were cancelled inside")


async def after_cancels_in_line(cls: Any) -> None:
    """Three askers who are cancelled in line, while two stay inside; then nobody else comes in."""
    ask = Fails()
    made = bounded(cls, ask, 2)
    tasks = await two_inside(ask, made, 5)
    await all_cancelled(tasks[2:])
    late = asyncio.ensure_future(awaitable(made("/late"), "bounded(...)"))
    await asyncio.sleep(0.05)
    same(ask.peak, 2, "most at a time, after three were cancelled in line, and a late one came")
    ask.over.set()
    same(await within(0.5, late, "an answer for who came late"), "/late", "the answer")


async def two_inside(ask: Fails, made: Any, number: int) -> list[asyncio.Future[Any]]:
    """Let so many ask for long, where there are two places; return their tasks."""
    tasks: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(awaitable(made("/long"), "bounded(...)")) for _ in range(number)
    ]
    await asyncio.sleep(0.05)
    same(ask.inside, 2, f"questions under way, of {number} with two places")
    return tasks


async def all_cancelled(tasks: list[asyncio.Future[Any]]) -> None:
    """Cancel some, and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=0.5)
    if not all(task.cancelled() for task in tasks):
        raise Broken("somebody who asked was cancelled, and it did not come out of your call")


async def costs_nothing(cls: Any) -> None:
    """One inside, one in line, and a third of a second in which nothing happens."""
    ask = Fails()
    made = bounded(cls, ask, 1)
    inside = asyncio.ensure_future(awaitable(made("/long"), "bounded(...)"))
    steps = Steps(awaitable(made("/fine"), "bounded(...)"))

    async def asks() -> None:
        await steps

    in_line = asyncio.ensure_future(asks())
    await asyncio.sleep(0.3)
    count = steps.count
    ask.over.set()
    await within(0.5, asyncio.gather(inside, in_line), "the answers to both")
    if count > 3:
        raise Broken(
            f"somebody who waited for a place for 0.3 s was woken {count} times meanwhile",
            got=count, wanted=1,
        )  # fmt: skip


BOUND_THE_UPSTREAM = Exercise(
    name="bound-the-upstream",
    chapter=15,
    title="At most N at a time",
    effort=2,
    subject="Bounded",
    points=(
        Point("one question", one_answer),
        Point(
            "never more than its places",
            never_more,
            "a bound that is not shared: all calls of one object use the same places, whatever "
            "they ask for. Or looking once after waking: somebody else may have woken first and "
            "have taken the place, so look again, in a while.",
        ),
        Point(
            "as many as are allowed",
            as_many_as_allowed,
            "a Lock, or a loop that asks one after the other: four places, and three stay empty.",
            seconds=15.0,
        ),
        Point(
            "one slow one",
            a_slow_one,
            "batches. If four begin together and the next four when all four are done, one slow "
            "answer keeps three places empty. Whoever is done lets the next one in, at once.",
        ),
        Point(
            "questions that fail",
            after_failures,
            "a place that is given back only after good news. Use `async with`, or a finally.",
        ),
        Point(
            "askers who leave from inside",
            after_cancels,
            "a place that is kept by who was cancelled inside: `except Exception` does not see it, "
            "for CancelledError is no Exception, and a line behind the await is never reached. Use "
            "`async with`, or a finally.",
            "Python, asyncio.Task.cancel",
        ),
        Point(
            "askers who leave the line",
            after_cancels_in_line,
            "giving back what one never had. Who is cancelled in line has no place: acquire stands "
            "in front of the try, not in it.",
            "Python, asyncio.Task.cancel",
        ),
        Point(
            "waiting costs nothing",
            costs_nothing,
            "`while ...: await asyncio.sleep(0)`, or a short sleep in its place. Everybody has a "
            "turn, and the processor is never free: wait for something that wakes you.",
        ),
    ),
    hints=(
        "asyncio has a thing that counts places, and lets those wait who find none.",
        "asyncio.Semaphore(most): acquire takes a place or waits for one, release gives it back. "
        "One for the object, made in __init__.",
        """
        All of __call__:

            async with self.places:
                return await self.ask(path)
        """,
    ),
    afterwards="""
        An upstream with N places and a crowd in front of it: now the line stands with you, where it
        can be seen and refused, and not at the upstream, where it would be timeouts.

        httpx.Limits(max_connections=N) does the same per client. Uvicorn's --limit-concurrency
        bounds the other side: beyond it a client gets 503 at once, instead of a place in line. A
        bound without a limit on the line moves the overload, it does not end it.
        """,
    seconds=6.0,
    measures=True,
)

EXERCISES = (DRAW_LEVEL, BOUND_THE_UPSTREAM)
