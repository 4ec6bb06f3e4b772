"""What one call costs in processor time, of this process and of the children it waited for.

Calls come in, seconds and a picture come out. Several kinds of call are measured in turns, so that
what else the machine does falls on all of them alike; the least of each is taken.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.load import duration
from workbench.picture import BLUE, Picture, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDS = 5


def spent() -> float:
    """Return the CPU seconds of this process so far, all threads and ended children included."""
    return time.process_time() + spent_by_children()


def spent_by_children() -> float:
    """Return the CPU seconds of the children that were waited for."""
    try:
        import resource
    except ImportError:  # Windows, where os.times says 0 for them
        times = os.times()
        return times.children_user + times.children_system
    # Not os.times: it counts in ticks, mostly of 10 ms, and a shell ends within one of them.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Costs:
    """CPU seconds per call, by name."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self.seconds = dict(seconds)

    def __getitem__(self, name: str) -> float:
        return self.seconds[name]

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as much the one costs as the other."""
        return self.seconds[name] / self.seconds[other]

    def picture(self, title: str) -> Picture:
        """Draw a bar for each, on a scale of powers of ten; multiples are of the first."""
        text = "\n".join([title, *(f"{n:<28} {w}" for n, w in self._words().items())])
        alt = f"{title}. Bars: " + "; ".join(f"{n}: {w}" for n, w in self._words().items()) + "."
        return Picture(lambda: self._draw(title), text, alt)

    def _words(self) -> dict[str, str]:
        base = next(iter(self.seconds.values()))
        return {n: f"{duration(s)}  (× {s / base:,.1f})" for n, s in self.seconds.items()}

    def _draw(self, title: str) -> Figure:
        figure = blank(0.8 + 0.36 * len(self.seconds))
        axes = figure.subplots()
        bars = axes.barh(list(self.seconds), list(self.seconds.values()), 0.6, color=BLUE)
        axes.bar_label(bars, list(self._words().values()), padding=4, fontsize=9)
        axes.set_xscale("log")
        low, high = min(self.seconds.values()), max(self.seconds.values())
        axes.set_xlim(low / 3, high * 12)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("CPU seconds per call, each step ten times the one before")
        axes.set_title(title)
        return figure


async def costs(calls: Mapping[str, tuple[Callable[[], Any], int]], rounds: int = ROUNDS) -> Costs:
    """Measure each call: ``{"name": (function, times)}``; what it returns is awaited if it can be.

    A round makes each call ``times`` times.
    """
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, (call, times) in calls.items():
            seconds = await _round(call, times)
            least[name] = min(seconds, least.get(name, seconds))
    return Costs(least)


async def _round(call: Callable[[], Any], times: int) -> float:
    begun = spent()
    for _ in range(times):
        result = call()
        if inspect.isawaitable(result):
            await result
    return (spent() - begun) / times
