"""CPU time per request of real servers, as a multiple of a server that does nothing.

    cpu_costs(servers_of("asgi")).picture()

Requests per second swing threefold on a shared machine.  The CPU time that a server's process tree
uses for a request swings less, and its ratio to the bare ``asyncio.Protocol`` of ``yardstick`` in
the same run least of all.  So that is what is told; the rounds of all servers are interleaved, the
clients run in a process of their own (``workbench.load``), and how busy they were stands beside
each bar: near 100 % the client was the bottleneck, and the server did not show all it can.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.cpu import tree_cpu
from workbench.load import SATURATED, LoadResult, load
from workbench.picture import BLUE, GREY, ORANGE, Picture, blank

from .servers import RealServer
from .starting import CannotServe, Run, below, serving
from .yardstick import BODY, HEADS, get

if TYPE_CHECKING:
    from matplotlib.figure import Figure

APPS = {"wsgi": "workbench.ecosystem.yardstick:wsgi", "asgi": "workbench.ecosystem.yardstick:app"}
CONNECTIONS = 64
ROUNDS, SECONDS = 3, 0.3
ENOUGH, AGAIN = 0.03, 10  # seconds of CPU that a sample needs, and how often that is tried
WARM = 0.15  # seconds in which caches, threads and connections come up
BARE = RealServer(
    "bare", "bare asyncio.Protocol", "asgi",
    {"plain": "{python} -m workbench.ecosystem.yardstick {port}"},
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One round of one row: CPU seconds of the server, answers, and the result of the clients."""

    cpu: float
    answers: int
    load: LoadResult


Drive = Callable[[float], LoadResult]


def measured(pid: int, drive: Drive, seconds: float) -> Sample:
    """Drive a server for a while; read its CPU time.  Raise RuntimeError for a wrong answer.

    Where others have the processor it is driven again, until the clock's ticks of 10 ms have seen
    enough of it.
    """
    used, answers = 0.0, 0
    for _ in range(AGAIN):
        before = sum(tree_cpu(pid).values())
        result = drive(seconds)
        used += sum(tree_cpu(pid).values()) - before
        answers += len(result.answered)
        wrong = {status: n for status, n in result.statuses.items() if status != 200}
        if wrong or not result.answered:
            raise RuntimeError(f"answers of {wrong}" if wrong else "no answers")
        if used >= ENOUGH:
            break
    return Sample(used, answers, result)


@dataclass
class CpuCosts:
    """What came of it: samples by row and column, the first row being the yardstick.

    ``problems`` tells why a row has none.
    """

    titles: dict[str, str]
    columns: tuple[str, ...]
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The name of the row that all others are compared with."""
        return next(iter(self.titles))

    @property
    def rows(self) -> list[str]:
        """The names of the rows that were measured."""
        return [name for name in self.titles if name not in self.problems]

    def micros(self, name: str, column: str) -> float:
        """Return the CPU time of a request, in µs, over all rounds."""
        own = self.samples[name, column]
        return sum(each.cpu for each in own) / sum(each.answers for each in own) * 1e6

    def ratio(self, name: str, column: str = "", other: str = "") -> float:
        """Return how many times as much a row costs as ``other``, by default the yardstick."""
        column = column or self.columns[0]
        return self.micros(name, column) / self.micros(other or self.base, column)

    def client(self, name: str, column: str) -> float:
        """Return how busy the clients were, as a share of one core; the median."""
        return statistics.median(each.load.client_cpu for each in self.samples[name, column])

    def bottleneck(self, name: str, column: str) -> str:
        """Return who was the limit: "client", "server" or "neither", in most rounds."""
        return statistics.mode(each.load.bottleneck for each in self.samples[name, column])

    def __repr__(self) -> str:
        return self.picture().text

    def picture(self, title: str = "CPU time of a request") -> Picture:
        """Draw it: a bar for each row and column, and how busy the clients were."""
        title = f"{title}, as a multiple of: {self.titles[self.base]}"
        alt = "; ".join(f"{self.titles[row]} {self._words(row)}" for row in self.rows)
        return Picture(lambda: self._draw(title), self._text(title), f"{title}. {alt}.")

    def _words(self, row: str) -> str:
        return ", ".join(f"{self.ratio(row, each):.1f} ({each})" for each in self.columns)

    def _text(self, title: str) -> str:
        wide = max(map(len, self.titles.values())) + 2
        heads = "".join(f"  {each:>15}{'µs':>8}{'client':>8}" for each in self.columns)
        lines = [title, f"{'':<{wide}}{heads}  limit"]
        for row in self.titles:
            if row in self.problems:
                lines.append(f"{self.titles[row]:<{wide}}  {self.problems[row]}")
                continue
            cells = "".join(
                f"  {self.ratio(row, each):>13.1f} ×{self.micros(row, each):>8.1f}"
                f"{self.client(row, each):>8.0%}"
                for each in self.columns
            )
            lines.append(f"{self.titles[row]:<{wide}}{cells}  {self._limits(row)}")
        return "\n".join(lines)

    def _limits(self, row: str) -> str:
        return ", ".join(dict.fromkeys(self.bottleneck(row, each) for each in self.columns))

    def _draw(self, title: str) -> Figure:
        rows, looks = self.rows, ((BLUE, ""), (ORANGE, "////"))
        step = 0.8 / len(self.columns)
        figure = blank(1.3 + (0.24 + 0.2 * len(self.columns)) * len(rows))
        axes = figure.subplots()
        for place, column in enumerate(self.columns):
            at = [row + step * (place - (len(self.columns) - 1) / 2) for row in range(len(rows))]
            ratios = [self.ratio(row, column) for row in rows]
            colour, hatch = looks[place % len(looks)]
            bars = axes.barh(at, ratios, step, color=colour, hatch=hatch, edgecolor="white",
                             label=column)  # fmt: skip
            words = [self._label(row, column) for row in rows]
            axes.bar_label(bars, words, padding=4, fontsize=8.5, color=GREY)
        axes.set_yticks(range(len(rows)), [self.titles[row] for row in rows])
        axes.set_xlim(0, 1.35 * max(self.ratio(row, each) for row in rows for each in self.columns))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(
            "times as much CPU; beside it: µs, and how busy the clients were (● = full)"
        )
        axes.set_title(title)
        if len(self.columns) > 1:
            axes.legend(loc="upper right")  # beside the yardstick, the shortest bar of all
        return figure

    def _label(self, row: str, column: str) -> str:
        full = "●" if self.client(row, column) >= SATURATED else ""
        return (
            f"{self.ratio(row, column):.1f} ×  {self.micros(row, column):.0f} µs, "
            f"client {self.client(row, column):.0%}{full}"
        )


# ---------------------------------------------------------------- measuring


def interleaved(
    costs: CpuCosts,
    drives: Mapping[tuple[str, str], tuple[int, Drive]],
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> CpuCosts:
    """Measure each row and column in turns, and fill the costs.

    A row is warmed up once, in its first column.  One that fails is left out from there on, with
    the reason.
    """
    for number in range(rounds + 1):
        for (row, column), (pid, drive) in drives.items():
            if row in costs.problems or (not number and column != costs.columns[0]):
                continue
            try:
                sample = measured(pid, drive, seconds if number else WARM)
            except (RuntimeError, OSError, TimeoutError) as error:
                costs.problems[row] = " ".join(str(error).split())
                continue
            if number:
                costs.samples.setdefault((row, column), []).append(sample)
    for row in costs.titles:  # less than a tick of the clock, or nothing at all
        own = [costs.samples.get((row, each), []) for each in costs.columns]
        if any(not sum(each.cpu for each in samples) for samples in own):
            costs.problems.setdefault(row, "no CPU time was seen")
    return costs


def cpu_costs(
    servers: Sequence[RealServer],
    heads: Mapping[str, Mapping[str, str]] = HEADS,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> CpuCosts:
    """Measure hello world on these servers, in one worker each, and on the yardstick.

    ``seconds`` are those of one server in one round.  Raise RuntimeError when the yardstick itself
    cannot be measured.
    """
    rows = [BARE, *servers]
    costs = CpuCosts({row.name: row.title for row in rows}, tuple(heads))
    with started(rows, costs.problems) as runs:
        costs.titles |= {name: with_loop(run) for name, run in runs.items()}
        drives = {}
        for head, fields in heads.items():
            for name, run in runs.items():
                drives[name, head] = run.pid, driver(run, "/", fields)
        interleaved(costs, drives, rounds, seconds)
    if costs.base in costs.problems:
        raise RuntimeError(f"{BARE.title}: {costs.problems[costs.base]}")
    return costs


def driver(run: Run, path: str, fields: Mapping[str, str], connections: int = CONNECTIONS) -> Drive:
    """Return what puts load on a path of a server, with these fields in the head."""
    address = run.live.address
    sent = get(path, f"{address[0]}:{address[1]}", fields)
    _, client = cores()
    return lambda seconds: load(
        address, connections, seconds=seconds, request=sent, pid=run.pid, cpu=client
    )


@contextmanager
def started(rows: Sequence[RealServer], problems: dict[str, str]) -> Iterator[dict[str, Run]]:
    """Start servers with hello world, all on one core where there are two, and see them answer."""
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        tries = [(row, pool.submit(_start, row)) for row in rows]
        runs = {}
        for row, tried in tries:
            try:
                inner, run = tried.result()
            except (CannotServe, RuntimeError, OSError) as error:
                problems[row.name] = " ".join(str(error).split())
                continue
            stack.push(inner)
            runs[row.name] = run
        yield runs


def _start(row: RealServer) -> tuple[ExitStack, Run]:
    """Start one server; the stack ends it."""
    with ExitStack() as stack:
        run = stack.enter_context(serving(row, "plain", APPS[row.interface]))
        pin(run.pid, cores()[0])
        hello(run, "/")
        return stack.pop_all(), run


def with_loop(run: Run) -> str:
    """Return the title of a server, and of the event loop that runs its application."""
    title = run.server.title
    if run.server.interface != "asgi" or run.server.name == BARE.name:
        return title
    wire = run.connect().send(get("/loop", "test", {}))
    loop = wire.response(whole=False).body.decode()
    wire.close()
    return title if loop in title else f"{title}, {loop}"


def hello(run: Run, path: str) -> None:
    """Ask once; raise RuntimeError unless the answer is hello world."""
    wire = run.connect().send(get(path, "test", {}))
    answer = wire.response(whole=False)
    wire.close()
    if answer.status != 200 or answer.body != BODY:
        raise RuntimeError(f"{path} is answered with {answer.status} {answer.body[:60]!r}")


def cores() -> tuple[int | None, int | None]:
    """Return a core for the servers and one for the clients; None where they cannot be apart."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    ours = sorted(os.sched_getaffinity(0))
    return (ours[0], ours[-1]) if len(ours) > 1 else (None, None)


def pin(pid: int, core: int | None) -> None:
    """Keep a server's processes, all their threads, on one core."""
    if core is None:
        return
    for process in below(pid):
        with suppress(psutil.Error, OSError):  # a thread that has ended meanwhile
            for thread in process.threads():
                os.sched_setaffinity(thread.id, {core})
