"""The same board on six engines: how each is started, and how they are measured side by side.

    with fleet() as engines:
        seen = engines.measure(clients=8, seconds=0.3, wait=0.1)
    scoreboard(seen)

Names of engines come in, and knobs: clients, wait, work. Out comes what the load generator saw of
each, with the processor time and the memory of its processes. Every engine is a command in a
process of its own, and so is their upstream. What is compared is measured in turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.board.upstream import upstream
from workbench.cpu import tree_cpu
from workbench.load import LoadResult, load
from workbench.running import Server, running

THREADS, PROCESSES = 8, 4
MIB = 1 << 20
PATIENCE = 20.0  # seconds for a server to start, beside all others, on a machine that is busy


@dataclass(frozen=True)
class Engine:
    """One way to serve the board. ``places``: how many requests can wait at once; 0: all."""

    name: str
    command: str
    places: int
    waits: str  # where a request waits for the upstream
    client: str  # what it asks the upstream by


SERVE = "{python} -m handmade serve --port {port} "
WSGI, ASGI = SERVE + "workbench.board.wsgi:app ", SERVE + "workbench.board.asgi:app "
SMALL = SERVE + "workbench.small_board:app "
FORKED = f"--threads 1 --connections 1 --workers {PROCESSES}"
CALLBACKS = "{python} -m workbench.callback_server --port {port}"
HTTPX, CLIENT = "httpx", "the small client"
COROUTINE = "in a selector, as a coroutine"
ALL = (
    Engine("one at a time", WSGI + "--threads 1", 1, "in the only thread", HTTPX),
    Engine(
        "threads", WSGI + f"--threads {THREADS}", THREADS, f"in one of {THREADS} threads", HTTPX
    ),
    Engine("processes", WSGI + FORKED, PROCESSES, f"in one of {PROCESSES} processes", HTTPX),
    Engine("callbacks", CALLBACKS, 0, "in a selector, as a callback", CLIENT),
    Engine("loop by hand", SMALL + "--loop handmade", 0, COROUTINE, CLIENT),
    Engine("asyncio", ASGI + "--loop asyncio", 0, COROUTINE, HTTPX),
)
MORE = (Engine("asyncio, small client", SMALL + "--loop asyncio", 0, COROUTINE, CLIENT),)
ENGINES = {engine.name: engine for engine in (*ALL, *MORE)}
SIX = tuple(engine.name for engine in ALL)


@dataclass(frozen=True)
class Seen:
    """What was seen of one engine: its best run, and what it took."""

    engine: Engine
    best: LoadResult
    cpu: float  # seconds of processor time for each answer, over all runs
    memory: float  # MiB of all its processes, shared pages counted once; nan where nobody tells

    @property
    def rate(self) -> float:
        """Answers per second in the best run."""
        return self.best.rate


class Fleet:
    """Engines that run, and one way to ask all of them."""

    def __init__(self, servers: dict[str, Server], upstream_url: str) -> None:
        self.servers = servers
        self.upstream_url = upstream_url

    def measure(
        self,
        clients: int = 8,
        seconds: float | None = 0.3,
        requests: int | None = None,
        wait: float = 0.1,
        ms: float = 0,
        path: str = "",
        rounds: int = 1,
        names: Sequence[str] = (),
        **more: Any,
    ) -> dict[str, Seen]:
        """Ask all engines in turns, ``rounds`` times; keep each one's best run.

        ``wait`` and ``ms`` are the knobs of the slow route: seconds of waiting for the upstream,
        then milliseconds of work. ``path`` asks another route; ``names`` are some of the engines.
        Each request is a connection.
        """
        path = path or f"/slow?wait={wait:g}&ms={ms:g}"
        runs: dict[str, list[LoadResult]] = {name: [] for name in names or self.servers}
        used = dict.fromkeys(runs, 0.0)
        for _ in range(rounds):
            for name, found in runs.items():
                server = self.servers[name]
                before = cpu_of(server.pid)
                run = load(server, clients, seconds, requests, path, keep_alive=False, **more)
                used[name] += cpu_of(server.pid) - before
                found.append(run)
        return {name: self._seen(name, found, used[name]) for name, found in runs.items()}

    def _seen(self, name: str, runs: Sequence[LoadResult], used: float) -> Seen:
        answers = sum(len(run.answered) for run in runs)
        best = max(runs, key=lambda run: run.rate)
        cpu = used / answers if answers else float("nan")
        return Seen(ENGINES[name], best, cpu, memory_of(self.servers[name].pid))


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and all below it, of the threads that they have now.

    The kernel counts them in nanoseconds in one place, and in hundredths of a second in the other.
    """
    used = tree_cpu(pid)
    try:
        stats = [
            stat.read_text()
            for each in used
            for stat in Path(f"/proc/{each}/task").glob("*/schedstat")
        ]
    except OSError:
        stats = []
    return sum(int(text.split()[0]) for text in stats) / 1e9 if stats else sum(used.values())


def memory_of(pid: int) -> float:
    """Return the MiB of a process and all below it; pages that they share count once."""
    import psutil  # type: ignore[import-untyped]  # published without types

    try:
        root = psutil.Process(pid)
        everybody = [root, *root.children(recursive=True)]
        full = [process.memory_full_info() for process in everybody]
    except psutil.Error:
        return float("nan")
    pages: int = sum(getattr(info, "pss", info.rss) for info in full)
    return pages / MIB


@contextmanager
def fleet(names: Sequence[str] = SIX, wait: float = 0.1) -> Iterator[Fleet]:
    """Run an upstream and the engines of these names, all at once; they are gone afterwards."""
    with ExitStack() as stack:
        url = stack.enter_context(upstream(wait))
        env = {"BOARD_UPSTREAM": url}

        def start(name: str) -> Server:
            # At once into the stack: should another one fail, this one is ended all the same.
            command = ENGINES[name].command
            return stack.enter_context(running(command=command, patience=PATIENCE, env=dict(env)))

        with ThreadPoolExecutor() as starters:
            servers = dict(zip(names, starters.map(start, names), strict=True))
        for name, server in servers.items():
            warm(server, ENGINES[name].places)
        yield Fleet(servers, url)


def warm(server: Server, places: int, wait: float = 0.05) -> None:
    """Ask until all workers are up: until so many answers come side by side."""
    together = min(places or 4, 4)
    for _ in range(40):
        run = load(server, together, requests=2 * together, path=f"/slow?wait={wait:g}",
                   keep_alive=False)  # fmt: skip
        if run.elapsed < 2 * wait + 0.5 * wait * together:
            return
