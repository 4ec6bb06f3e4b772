"""Something that grows, or swings, over time: how to watch it and how to draw it.

`watch` looks at numbers many times a second; `curves` draws what it, or anybody else, has seen; and
`spans` draws who did what from when to when. Drawing measures nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from workbench.picture import BLUE, GREEN, GREY, ORANGE, PALE, RED, Picture, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]
MIB = 1 << 20
LOOKS = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "D", "-."), (RED, "v", ":"))
BINS = 8  # lines of the text

# --- Watching ---------------------------------------------------------------------------------


def watch(
    seconds: float, every: float = 0.02, **numbers: Callable[[], float]
) -> dict[str, list[tuple[float, float]]]:
    """Call each function ``every`` so many seconds; return what they said, with the time.

    The waiting is in this thread, so the server that is watched must run in another one.
    """
    began = time.monotonic()
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in numbers}
    while (now := time.monotonic() - began) < seconds:
        for name, number in numbers.items():
            seen[name].append((now, number()))
        time.sleep(every)
    return seen


def memory_from_here() -> Callable[[], float]:
    """Return a function that tells by how many MiB this process has grown since now."""
    import psutil  # type: ignore[import-untyped]  # published without types

    process = psutil.Process()
    before = process.memory_info().rss
    return lambda: (process.memory_info().rss - before) / MIB


# --- Curves -----------------------------------------------------------------------------------


def curves(
    series: Mapping[str, Curve], y: str, x: str = "seconds", title: str = "", line: float = 0.0
) -> Picture:
    """Draw numbers over time, a line for each name; ``line`` is a level to compare with, or 0."""
    peaks = ", ".join(f"{name} up to {_most(curve):.3g}" for name, curve in series.items())
    return Picture(
        draw=lambda: _draw_curves(series, x, y, title, line),
        text=_curves_text(series, x, y, title),
        alt=f"{title}. {y} over {x}: {peaks}.",
    )


def _most(curve: Curve) -> float:
    return max([value for _, value in curve], default=0.0)


def _curves_text(series: Mapping[str, Curve], x: str, y: str, title: str) -> str:
    """Write a table: the largest number of each stretch of time."""
    end = max([curve[-1][0] for curve in series.values() if curve], default=0.0) or 1.0
    width = max(10, *(len(name) + 2 for name in series))
    lines = [title] if title else []
    lines.append(f"{x:>9}" + "".join(f"{name:>{width}}" for name in series) + f"   {y}")
    for number in range(BINS):
        low, high = end * number / BINS, end * (number + 1) / BINS
        row = f"{high:>9.2f}"
        for curve in series.values():
            within = [value for at, value in curve if low <= at <= high]
            row += f"{max(within):>{width}.1f}" if within else " " * width
        lines.append(row)
    return "\n".join(lines)


def _draw_curves(series: Mapping[str, Curve], x: str, y: str, title: str, line: float) -> Figure:
    figure = blank(3.1)
    axes = figure.subplots()
    for (name, curve), (colour, marker, style) in zip(series.items(), LOOKS * 2, strict=False):
        at, values = [at for at, _ in curve], [value for _, value in curve]
        axes.plot(
            at, values, color=colour, marker=marker, linestyle=style, label=name,
            markersize=4.5, markevery=max(1, len(at) // 10), linewidth=1.6,
        )  # fmt: skip
    if line:
        axes.axhline(line, color=GREY, linewidth=1, linestyle=(0, (1, 2)))
        axes.annotate(f"{line:g}", (1.0, line), xycoords=("axes fraction", "data"), color=GREY)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(left=0)
    axes.margins(y=0.08)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_title(title)
    axes.legend(loc="upper left")
    return figure


# --- Spans ------------------------------------------------------------------------------------


class Span(NamedTuple):
    """Someone did something from ``start`` to ``end``, in seconds.

    ``sign`` tells how it is drawn: "#" for what works, "-" for what waits, "." for what idles.
    """

    who: str
    start: float
    end: float
    what: str = ""
    sign: str = "#"


def spans(
    rows: Sequence[Span],
    marks: Sequence[tuple[float, str]] = (),
    title: str = "",
    columns: int = 78,
) -> Picture:
    """Draw a bar for each span, a row for each person, and a line across for each mark."""
    told = [f"{row.who} from {row.start:.2f} to {row.end:.2f} s {row.what}" for row in rows]
    told += [f"{name} at {at:.2f} s" for at, name in marks]
    return Picture(
        draw=lambda: _draw_spans(rows, marks, title),
        text=_spans_text(rows, marks, title, columns),
        alt=f"{title}. {'; '.join(told)}.",
    )


def _ends(rows: Sequence[Span], marks: Sequence[tuple[float, str]]) -> float:
    return max([row.end for row in rows] + [at for at, _ in marks], default=0.0) or 1.0


def _spans_text(
    rows: Sequence[Span], marks: Sequence[tuple[float, str]], title: str, columns: int
) -> str:
    end = _ends(rows, marks)
    people = list(dict.fromkeys(row.who for row in rows))
    names = max([len(who) for who in people], default=0) + 2
    room = columns - names - 2
    lines = [title] if title else []
    for at, name in marks:
        place = round(at / end * room)
        lines.append(" " * (names + place) + f"▼ {name}, {at:.2f} s")
    for who in people:
        signs = [" "] * (room + 1)
        for row in rows:
            if row.who == who:
                start, stop = round(row.start / end * room), round(row.end / end * room)
                width = max(1, stop - start)
                signs[start : start + width] = f" {row.what} ".center(width, row.sign)[:width]
        lines.append(f"{who:<{names}}{''.join(signs)}".rstrip())
    lines.append(" " * names + f"0 s{f'{end:.2f} s':>{room - 3}}")
    return "\n".join(lines)


def _draw_spans(rows: Sequence[Span], marks: Sequence[tuple[float, str]], title: str) -> Figure:
    people = list(dict.fromkeys(row.who for row in rows))
    figure = blank(1.3 + 0.42 * len(people))
    axes = figure.subplots()
    for row in rows:
        place = people.index(row.who)
        axes.barh(
            place, row.end - row.start, left=row.start, height=0.62, edgecolor=GREY, linewidth=0.8,
            color={"#": PALE, "-": "#FBEBCB", ".": "#FFFFFF"}[row.sign],
            hatch={"#": "", "-": "////", ".": "...."}[row.sign],
        )  # fmt: skip
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
        axes.text(row.start + (row.end - row.start) / 2, place, row.what, ha="center",
                  va="center", fontsize=8.5, bbox=ground)  # fmt: skip
    for at, name in marks:
        axes.axvline(at, color=RED, linewidth=1.4, linestyle="--")
        axes.annotate(
            name, (at, 1.0), xycoords=("data", "axes fraction"), color=RED, fontsize=9,
            ha="center", va="bottom",
        )  # fmt: skip
    axes.set_yticks(range(len(people)), people)
    axes.set_ylim(len(people) - 0.4, -0.6)
    axes.set_xlim(0, _ends(rows, marks) * 1.02)
    axes.set_xlabel("seconds")
    axes.tick_params(axis="y", length=0)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
