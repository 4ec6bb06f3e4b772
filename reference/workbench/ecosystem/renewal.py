"""Who answers while workers end and others take their place: asked without a pause, and drawn.

    seen = beside(reloaded, way="workers")      # by the server's signal for it
    seen = beside(crashed, way="workers")       # one worker ends in the middle of a request
    renewals(seen, "A reload under load")       # every answer a stroke, every loss a cross

Four clients ask all the time: two on a fresh connection for each request, two on one that they
keep.  Each request is 20 ms inside the application, so that hardly ever none is under way.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from workbench.contracts import Broken
from workbench.contracts.wire import Wire, request
from workbench.picture import BLUE, GREY, RED, Picture

from .looking import STEP, heard, tried, who_serves, workers
from .starting import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN = 0.4  # seconds that are watched before and behind
MOST = 5.0  # seconds for a change
PATIENCE = 4.0  # seconds for an answer
CLIENTS = (False, False, True, True)  # does it keep its connection?


@dataclass(frozen=True)
class Asked:
    """One request: when it was over, in seconds from the start, and the process that answered it.

    ``pid`` is 0 where no answer came, and ``came`` tells what came instead.
    """

    at: float
    pid: int
    came: str
    kept: bool


@dataclass
class Renewal:
    """What was seen of one server; ``at`` is when it happened, ``own`` what the cause came to."""

    asked: list[Asked]
    at: float
    before: set[int]
    own: str = ""
    alive: bool = True

    @property
    def lost(self) -> list[Asked]:
        """The requests that were not answered."""
        return [each for each in self.asked if not each.pid]

    @property
    def pids(self) -> list[int]:
        """The processes that have answered, in the order of their first answer."""
        return list(dict.fromkeys(each.pid for each in self.asked if each.pid))

    @property
    def new(self) -> set[int]:
        """The processes that answered, and were not there before."""
        return set(self.pids) - self.before

    @property
    def gap(self) -> float:
        """The longest time in which nobody was answered, in seconds."""
        times = [each.at for each in self.asked if each.pid]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    def __repr__(self) -> str:
        how = sorted({each.came + (", kept" if each.kept else "") for each in self.lost})
        words = f"{len(self.lost)} of {len(self.asked)} lost"
        words += f" ({'; '.join(how)})" if how else ""
        first = min((each.at for each in self.asked if each.pid in self.new), default=0.0)
        words += (
            f"; a new one answers after {first - self.at:.1f} s" if self.new else "; nobody new"
        )
        words += f"; at most {self.gap:.2f} s without an answer"
        return f"{self.own}{words}" + ("" if self.alive else "; the server has ended")


def reloaded(run: Run) -> Renewal | str:
    """Ask for new workers by the signal that the server has for it, under load."""
    if not run.server.reload:
        return "has no signal for it"
    number = getattr(signal, run.server.reload)

    def renew() -> str:
        os.kill(run.pid, number)
        return ""

    return watched(run, renew, all_new=True)


def crashed(run: Run) -> Renewal:
    """Have one worker end in the middle of a request, under load."""
    return watched(run, lambda: f"its client: {tried(run, request('/crash'), 2.0)}; ")


def watched(run: Run, change: Callable[[], str], *, all_new: bool = False) -> Renewal:
    """Ask without a pause while something changes, until a new process answers.

    ``all_new``: until none of the old ones is left.
    """
    before = who_serves(run)
    asking = [_Client(run, kept) for kept in CLIENTS]
    begun = time.monotonic()
    for each in asking:
        each.start()
    _for(MARGIN)
    at = time.monotonic()
    own = change()
    end = at + MOST
    while time.monotonic() < end and run.live.alive:
        new = {each.pid for client in asking for each in list(client.asked)} - before - {0}
        if new and not (all_new and before & set(workers(run))):
            break
        time.sleep(STEP)
    _for(MARGIN)
    for each in asking:
        each.over.set()
    for each in asking:
        each.join(PATIENCE + 1)
    found = sorted((each for client in asking for each in client.asked), key=lambda a: a.at)
    found = [Asked(each.at - begun, each.pid, each.came, each.kept) for each in found]
    return Renewal(found, at - begun, before, own, run.live.alive)


def _for(seconds: float) -> None:
    """Let the clients ask for so long."""
    threading.Event().wait(seconds)


class _Client(threading.Thread):
    """Asks until it is over."""

    def __init__(self, run: Run, kept: bool) -> None:
        super().__init__(daemon=True)
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._run, self._kept = run, kept
        self._wire: Wire | None = None

    def run(self) -> None:
        """Ask again and again, with no more than a breath between."""
        while not self.over.wait(0.002):
            pid, came = self._ask()
            self.asked.append(Asked(time.monotonic(), pid, came, self._kept))
        self._leave()

    def _ask(self) -> tuple[int, str]:
        """Ask once; return who answered, or 0, and what came."""
        fields = () if self._kept else ("Connection: close",)
        try:
            if self._wire is not None and self._wire.readable(0.0):
                self._leave()  # closed before we have asked: in order
            if self._wire is None:
                self._wire = Wire(self._run.live.address, PATIENCE)
            answer, came = heard(self._wire.send(request("/pid?ms=20", *fields)))
        except Broken as broken:
            answer, came = None, broken.problem.rpartition("] ")[2].lower()
        good = answer is not None and answer.complete and answer.status == 200
        if not self._kept or answer is None or not good or answer.value("connection") == "close":
            self._leave()
        return (int(answer.body) if answer is not None and good else 0), came

    def _leave(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None


# --- the picture ------------------------------------------------------------------------------


def renewals(seen: Mapping[str, Any], title: str) -> Picture:
    """Draw who answered when: a row for each process, a stroke for each answer, × for each loss."""
    there = {name: each for name, each in seen.items() if isinstance(each, Renewal)}
    counts = "; ".join(f"{name}: {len(each.lost)} of {len(each.asked)} lost, "
                       f"{len(each.before)} old and {len(each.new)} new processes"
                       for name, each in there.items())  # fmt: skip
    text = f"{title}\n{seen!r}"
    return Picture(lambda: _draw(there, title), text, f"{title}: who answered when. {counts}.")


def _draw(seen: dict[str, Renewal], title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 0.6 + 0.95 * len(seen)), layout="constrained")
    panels = figure.subplots(len(seen), 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    for axes, (name, each) in zip(panels, seen.items(), strict=True):
        rows = [*[pid for pid in each.pids if pid in each.before],
                *[pid for pid in each.pids if pid not in each.before]]  # fmt: skip
        for row, pid in enumerate(rows):
            times = [a.at - each.at for a in each.asked if a.pid == pid]
            old = pid in each.before
            axes.plot(times, [row] * len(times), "|", ms=8, color=GREY if old else BLUE)
        lost = [a.at - each.at for a in each.lost]
        axes.plot(lost, [len(rows)] * len(lost), "x", ms=6, mew=1.6, color=RED)
        axes.axvline(0, color="black", lw=0.8, ls="--")
        axes.set_yticks(
            range(len(rows) + 1), [*_named(rows, each.before), "lost"], fontsize=7.5,
        )  # fmt: skip
        axes.set_ylim(len(rows) + 0.6, -0.6)
        axes.set_ylabel(f"{name}\n{len(each.lost)} lost", fontsize=8.5, rotation=0, ha="right",
                        va="center", labelpad=8)  # fmt: skip
    panels[-1].set_xlabel("seconds from the dashed line")
    return figure


def _named(rows: list[int], before: set[int]) -> list[str]:
    """Return a label for each process: old 1, old 2, new 1, ..."""
    old = [pid for pid in rows if pid in before]
    new = [pid for pid in rows if pid not in before]
    return [
        f"old {old.index(pid) + 1}" if pid in before else f"new {new.index(pid) + 1}"
        for pid in rows
    ]
