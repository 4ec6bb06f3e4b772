"""Many clients that wait, many that are silent, one that reads nothing: what an ASGI server pays.

Run by ``bench_http.py`` under the names crowd, idle and stream. Each prints the same figures for
other servers in the same run.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from workbench.load import load, tree_cpu

WAIT = 0.1  # seconds: what bench_app:asgi_slow waits
SILENT = 5_000  # connections
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
STALLED = 3.0  # seconds for which nothing is read of the endless stream

Start = Callable[[Any, Path], AbstractContextManager[Any]]


def resident(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def bench_crowd(rows: list[Any], start: Start, folder: Path, rounds: int, core: int | None) -> None:
    """Print the rate of a handler that waits, with 1,000 and 5,000 clients, interleaved.

    ``rows`` are ours and another server, then ours with Python's own garbage collection and the
    other one with ours.
    """
    print(
        f"\na handler that waits {WAIT * 1e3:g} ms    clients  per second  of ideal"
        "  µs CPU   p99 ms  bottleneck"
    )
    rates: dict[tuple[str, int], list[float]] = {}
    costs: dict[tuple[str, int], list[float]] = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(start(row, folder)) for row in rows]
        for _ in range(rounds):
            # The garbage of a crowd comes seldom: a short look would not see it collected.
            for clients, seconds in ((1_000, 2.0), (5_000, 6.0)):
                for server in servers:
                    before = sum(tree_cpu(server.pid).values())
                    result = load(server, clients, seconds=seconds, cpu=core, timeout=20.0)
                    used = sum(tree_cpu(server.pid).values()) - before
                    cost = used / len(result.answered)
                    rates.setdefault((server.row.name, clients), []).append(result.rate)
                    costs.setdefault((server.row.name, clients), []).append(cost)
                    ideal = clients / WAIT
                    print(
                        f"{server.row.title:<32}  {clients:>7}  {result.rate:>10.0f}"
                        f"  {result.rate / ideal:>8.0%}  {cost * 1e6:>6.0f}"
                        f"  {result.latency(99) * 1e3:>7.0f}  {result.bottleneck}"
                    )
    ours, theirs, ours_plain, theirs_settled = rows
    best = max(rates[ours.name, 1_000]) * WAIT / 1_000
    print(f"{ours.title}, 1,000 clients: {best:.0%} of ideal; target >= 80%: {told(best >= 0.8)}")
    times = max(rates[ours.name, 5_000]) / max(rates[theirs.name, 5_000])
    print(f"5,000 clients: {times:.2f} x {theirs.title}; target >= 1.2: {told(times >= 1.2)}")
    for one, other in ((theirs, ours), (theirs, ours_plain), (theirs_settled, ours)):
        ratio = min(costs[one.name, 5_000]) / min(costs[other.name, 5_000])
        print(f"CPU for an answer: {one.title}, {ratio:.2f} x {other.title}")


def bench_idle(rows: list[Any], start: Start, folder: Path) -> None:
    """Print what an idle connection costs in memory, after one request on it."""
    print(f"\n{SILENT} idle connections        KiB each")
    for row in rows:
        with start(row, folder) as server:
            for _ in range(3):  # what is imported and remembered at the first requests
                ask(server.address).close()
            before = resident(server.pid)
            with ExitStack() as stack:
                for _ in range(SILENT):
                    stack.enter_context(ask(server.address))
                each = (resident(server.pid) - before) / SILENT / 1024
            target = f"  target <= 3.5: {told(each <= 3.5)}" if row is rows[0] else ""
            print(f"{row.title:<32}  {each:.2f}{target}")


def ask(address: tuple[str, int]) -> socket.socket:
    """Open a connection, get one answer, and leave it open."""
    sock = socket.create_connection(address, timeout=5)
    sock.sendall(REQUEST)
    if b" 200 " not in sock.recv(65536):
        raise RuntimeError("no answer")
    return sock


def bench_stream(rows: list[Any], start: Start, folder: Path) -> None:
    """Print how a server's memory grows while a client reads nothing of an endless stream."""
    print(f"\nan endless stream, {STALLED:g} s unread    MiB grown")
    for row in rows:
        with start(row, folder) as server:
            ask(server.address).close()
            before = resident(server.pid)
            with stalled(server.address):
                end = time.monotonic() + STALLED
                grown = 0
                while time.monotonic() < end:
                    time.sleep(0.1)  # sampling: nothing happens that could be waited for
                    grown = max(grown, resident(server.pid) - before)
            mib = grown / (1 << 20)
            target = f"  target < 2: {told(mib < 2)}" if row is rows[0] else ""
            print(f"{row.title:<32}  {mib:.2f}{target}")


@contextmanager
def stalled(address: tuple[str, int]) -> Iterator[None]:
    """Ask for the endless stream, and read none of it."""
    with socket.create_connection(address, timeout=5) as sock:
        sock.sendall(REQUEST.replace(b"/ ", b"/endless ", 1))
        yield


def told(good: bool) -> str:
    """Say whether a target is met."""
    return "ok" if good else "over"
