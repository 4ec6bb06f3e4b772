"""One calm client, beside one that disturbs it: what does a tiny server make of the two?

A function that serves a listening socket comes in. It is run three times for a moment: with the
calm client alone, beside a client that sends half a head and then nothing, and beside a greedy one
that asks again as soon as it has an answer. Out comes what the calm client waited each time, and
how much processor time the server's thread took. Clients that ask are processes of their own, so
none of them takes the interpreter from the server.
"""

from __future__ import annotations

import json
import math
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.picture import BLUE, GREY, ORANGE, PALE, RED, Picture, blank
from workbench.running import running

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from workbench.running import Server

HALF = b"GET /posts HTTP/1.1\r\nHost: boa"
PROGRAM = Path(__file__).with_name("duel_client.py")
PATIENCE = 5.0  # seconds for a client to start, to ask and to report, on a machine that is busy
SITUATIONS = ("alone", "beside a silent one", "beside a greedy one")


@dataclass(frozen=True)
class Duel:
    """What the calm client saw: its waits in each situation, in seconds; none for no answer.

    ``cpu`` is the share of a core that the server's thread took while the calm client and the
    silent one were there, nan where the system does not tell; ``rate`` is what the greedy got.
    """

    name: str
    alone: list[float]
    silent: list[float]
    greedy: list[float]
    rate: float
    cpu: float

    @property
    def waits(self) -> tuple[float, float, float]:
        """The calm client's median wait in each situation, in seconds; nan for no answer."""
        alone, silent, greedy = map(_median, (self.alone, self.silent, self.greedy))
        return alone, silent, greedy


def _median(waits: list[float]) -> float:
    return statistics.median(waits) if waits else math.nan


class _Clock:
    """Notes whom a server accepts, and in which thread; reads that thread's processor time."""

    def __init__(self) -> None:
        self.accepted = threading.Semaphore(0)
        self.thread = 0
        self.kept: list[socket.socket] = []  # a server that fails forgets its sockets unclosed

    def socket(self, sock: socket.socket) -> socket.socket:
        """Be a tap: called in the server's thread with each accepted socket."""
        self.thread = threading.get_ident()
        self.kept.append(sock)
        self.accepted.release()
        return sock

    def read(self) -> float:
        """Return the seconds of processor time so far; nan where nobody tells."""
        if not hasattr(time, "pthread_getcpuclockid") or not self.thread:
            return math.nan
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread))


@contextmanager
def served(serve: Callable[[socket.socket], Any]) -> Iterator[tuple[Server, _Clock]]:
    """Run a server, with a clock of its thread's processor time."""
    clock = _Clock()
    with running(serve=serve, tap=clock) as server:  # type: ignore[arg-type]  # a tap of sockets
        yield server, clock
    for sock in clock.kept:
        sock.close()


def duel(serve: Callable[[socket.socket], Any], name: str = "") -> Duel:
    """Let the calm client meet the server alone and beside two others. Takes half a second."""
    with served(serve) as (server, _):
        alone = _calm(server)
    with served(serve) as (server, clock), socket.create_connection(server.address) as other:
        other.sendall(HALF)
        clock.accepted.acquire(timeout=PATIENCE)
        began, used = time.monotonic(), clock.read()
        silent = _calm(server)
        cpu = (clock.read() - used) / (time.monotonic() - began)
    with ExitStack() as stack:
        with served(serve) as (server, clock):
            client = stack.enter_context(_client(server, "greedy"))
            clock.accepted.acquire(timeout=PATIENCE)
            greedy = _calm(server)
        # The server is gone, so the greedy one comes to its end.
        rate = float(client.communicate(timeout=PATIENCE)[0])
    return Duel(name or serve.__name__, alone, silent, greedy, rate, cpu)


def _calm(server: Server) -> list[float]:
    """Let the calm client ask; return its waits."""
    with _client(server, "calm") as client:
        waits: list[float] = json.loads(client.communicate(timeout=PATIENCE)[0])
    return waits


@contextmanager
def _client(server: Server, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Run a client; it is gone afterwards in any case."""
    # -I keeps the modules beside the program from shadowing the standard library's.
    words = [sys.executable, "-I", str(PROGRAM), str(server.port), kind]
    client = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        yield client
    finally:
        if client.poll() is None:
            client.kill()
            client.communicate()


# --- Pictures ---------------------------------------------------------------------------------


def duels(*seen: Duel, title: str = "How long a calm client waits") -> Picture:
    """Draw one or several duels: the calm client's median wait, and the server's processor time."""
    told = "; ".join(
        f"{one.name}: {', '.join(_words(one))}, {one.cpu:.0%} of a core" for one in seen
    )
    return Picture(lambda: _draw(seen, title), _text(seen, title), f"{title}. {told}.")


def _words(one: Duel) -> list[str]:
    """Say for each situation how long the calm client waited."""
    return [_wait(seconds) for seconds in one.waits]


def _wait(seconds: float) -> str:
    return "no answer" if math.isnan(seconds) else f"{seconds * 1e3:.2f} ms"


def _text(seen: Sequence[Duel], title: str) -> str:
    names = max(len("server"), *(len(one.name) for one in seen)) + 2
    heads = (*SITUATIONS, "its thread's CPU")
    lines = [title, f"{'server':<{names}}" + "".join(f"{head:>21}" for head in heads)]
    for one in seen:
        cells = [*_words(one), f"{one.cpu:.0%}"]
        lines.append(f"{one.name:<{names}}" + "".join(f"{cell:>21}" for cell in cells))
    return "\n".join(lines)


def _draw(seen: Sequence[Duel], title: str) -> Figure:
    figure = blank(1.75 + 0.62 * len(seen))
    waits, work = figure.subplots(1, 2, sharey=True, width_ratios=(2.4, 1))
    looks = ((PALE, ""), (BLUE, "////"), (ORANGE, "...."))
    longest = max([s for one in seen for s in one.waits if not math.isnan(s)], default=0.001) * 1e3
    for place, (name, (face, hatch)) in enumerate(zip(SITUATIONS, looks, strict=True)):
        rows = [row + (place - 1) * 0.27 for row in range(len(seen))]
        millis = [one.waits[place] * 1e3 for one in seen]
        heights = [0.0 if math.isnan(value) else value for value in millis]
        waits.barh(rows, heights, height=0.25, color=face, edgecolor=GREY, hatch=hatch,
                   linewidth=0.7, label=name)  # fmt: skip
        for row, value, one in zip(rows, heights, seen, strict=True):
            answered = not math.isnan(one.waits[place])
            words = ("" if answered else "✗ ") + _words(one)[place]
            waits.text(value + longest * 0.015, row, words, va="center", fontsize=8.5,
                       color=GREY if answered else RED)  # fmt: skip
    shares = [0.0 if math.isnan(one.cpu) else one.cpu * 100 for one in seen]
    bars = work.barh(range(len(seen)), shares, height=0.5, color=BLUE)
    work.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=3, fontsize=9)
    waits.set_yticks(range(len(seen)), [one.name for one in seen])
    waits.set_ylim(len(seen) - 0.45, -0.55)
    waits.set_xlim(0, longest * 1.25)
    waits.set_xlabel("median wait of the calm client in ms")
    work.set_xlim(0, 125)
    work.set_xlabel("its thread, % of a core")
    for axes in (waits, work):
        axes.tick_params(axis="y", length=0)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.legend(*waits.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure
