"""A drawing for the first notebook: what a server's threads do while a request waits.

It is schematic: nothing is measured. Chapter 15 measures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.picture import BLUE, GREEN, GREY, ORANGE, PALE, RED, Picture, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (BLUE, GREEN, ORANGE, RED)
WORK, WAIT = 1, 8  # units of time that a request works, waits, and works again
TEXT = """\
WSGI, two threads: a request keeps its thread while it waits
  thread 1  A~~~~~~~~~~~A C~~~~~~~~~~~C
  thread 2  B~~~~~~~~~~~B D~~~~~~~~~~~D
            C and D are in line until a thread is free

ASGI, one thread with an event loop: a request that waits gives the thread back
  the loop  ABCD         ABCD
            A, B, C and D wait at the same time, and nobody holds the thread

  letter: the request's code runs    ~ : its thread stands still"""
ALT = (
    "Schematic, two halves. WSGI with two threads: requests A and B work, wait and work again, "
    "each on a thread of its own; C and D are in line until a thread is free. ASGI with one "
    "thread and an event loop: A, B, C and D each work for a moment, wait at the same time "
    "without holding the thread, and finish one after the other."
)


def two_ways_to_wait() -> Picture:
    """Draw four requests that wait for something slow, on two threads and on one event loop."""
    return Picture(_draw, TEXT, ALT)


LEFT, UNIT, BAR = 1.35, 0.36, 0.34


def _draw() -> Figure:
    axes = sheet(4.55, 9.4)
    _title(axes, 0.25, "WSGI, two threads:", "a request keeps its thread while it waits")
    for row, requests in enumerate(("AC", "BD")):
        y = 0.5 + row * 0.5
        _lane(axes, y, f"thread {row + 1}")
        for place, name in enumerate(requests):
            _request(axes, name, place * (2 * WORK + WAIT + 0.2), y)
    _note(axes, 1.72, "C and D are in line until a thread is free")

    _title(axes, 2.25, "ASGI, one thread with an event loop:", "a request that waits gives it back")
    y = 2.5
    _lane(axes, y, "the loop")
    for place, name in enumerate("ABCD"):
        _work(axes, name, place * WORK, y)
        _work(axes, name, WORK + WAIT + place * WORK, y)
        _away(axes, place, y)
    _note(axes, 4.3, "they wait at the same time, and nobody holds the thread")
    figure: Figure = axes.figure
    return figure


def _title(axes: Any, y: float, bold: str, text: str) -> None:
    axes.text(0.12, y, bold, fontsize=10, weight="bold", va="center")
    axes.text(0.2 + len(bold) * 0.094, y, text, fontsize=10, va="center")


def _note(axes: Any, y: float, text: str) -> None:
    axes.text(LEFT, y, text, fontsize=9, style="italic", color=GREY, va="center")


def _lane(axes: Any, y: float, name: str) -> None:
    axes.text(0.12, y + BAR / 2, name, fontsize=9.5, va="center", color=GREY)
    axes.plot([LEFT, 9.2], [y + BAR, y + BAR], color="#BBBBBB", linewidth=0.8)


def _x(time: float) -> float:
    return LEFT + time * UNIT


def _request(axes: Any, name: str, start: float, y: float) -> None:
    from matplotlib.patches import Rectangle

    _work(axes, name, start, y)
    axes.add_patch(
        Rectangle(
            (_x(start + WORK), y),
            WAIT * UNIT,
            BAR,
            facecolor=PALE,
            edgecolor="#9DB9CC",
            hatch="////",
            linewidth=0.6,
        )
    )
    axes.text(
        _x(start + WORK + WAIT / 2),
        y + BAR / 2,
        "waits",
        fontsize=8.5,
        ha="center",
        va="center_baseline",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
    )
    _work(axes, name, start + WORK + WAIT, y)


def _work(axes: Any, name: str, start: float, y: float) -> None:
    from matplotlib.patches import Rectangle

    color = COLORS["ABCD".index(name)]
    axes.add_patch(
        Rectangle((_x(start), y), WORK * UNIT, BAR, facecolor=color, edgecolor="white", linewidth=1)
    )
    axes.text(
        _x(start + WORK / 2),
        y + BAR / 2,
        name,
        color="white",
        weight="bold",
        fontsize=9,
        ha="center",
        va="center_baseline",
    )


def _away(axes: Any, place: int, y: float) -> None:
    """Draw the wait of one request below the loop: a line that belongs to no thread."""
    color = COLORS[place]
    begin, end = _x((place + 1) * WORK), _x(WORK + WAIT + place * WORK)
    middle = y + BAR + 0.3 + place * 0.26
    axes.plot(
        [begin - UNIT / 2, begin - UNIT / 2, end + UNIT / 2, end + UNIT / 2],
        [y + BAR, middle, middle, y + BAR],
        color=color,
        linewidth=1.3,
        linestyle=(0, (4, 2)),
    )
    axes.text(
        (begin + end) / 2,
        middle,
        f"{'ABCD'[place]} waits",
        fontsize=8.5,
        ha="center",
        va="center_baseline",
        color="#222222",
        bbox={"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"},
    )
