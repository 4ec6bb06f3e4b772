"""Pictures of engines side by side: who waited for whom, what each gave and took, and a ceiling.

What `workbench.engines` has seen comes in; PNG and text come out. Nothing here measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.engines import Seen
from workbench.load import LoadResult, Record, duration
from workbench.picture import BLUE, GREY, ORANGE, PALE, RED, Picture, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3  # panels beside each other
WIDTH = 24  # characters of a panel

# --- Who waited for whom ----------------------------------------------------------------------


def lineup(runs: Mapping[str, LoadResult], wait: float, title: str = "") -> Picture:
    """Draw one small timeline for each engine, all on one scale of time.

    ``wait``: seconds that each request takes by itself. They are the end of its bar; what comes
    before is waiting for others.
    """
    title = title or f"Who waited for whom: the last {wait:g} s of a bar is its own wait"
    end = max((run.elapsed for run in runs.values()), default=0.0) or 1.0
    told = "; ".join(f"{name}: {_told(run, wait)}" for name, run in runs.items())
    return Picture(
        lambda: _draw_lineup(runs, wait, end, title),
        _lineup_text(runs, wait, end, title),
        f"{title}. {told}.",
    )


def _told(run: LoadResult, wait: float) -> str:
    in_line = sum(_line(record, wait) > wait / 2 for record in run.records)
    last = duration(run.latency(100))
    return f"{in_line} of {len(run.records)} stood in line, the last had its answer after {last}"


def _line(record: Record, wait: float) -> float:
    """Return the seconds that a request waited for others."""
    return max(0.0, record.latency - wait)


def _ordered(run: LoadResult) -> list[Record]:
    return sorted(run.records, key=lambda record: record.done)


def _lineup_text(runs: Mapping[str, LoadResult], wait: float, end: float, title: str) -> str:
    names = list(runs)
    lines = [title]
    for first in range(0, len(names), ACROSS):
        row = names[first : first + ACROSS]
        panels = [_panel(name, runs[name], wait, end) for name in row]
        height = max(len(panel) for panel in panels)
        for panel in panels:
            panel += [""] * (height - len(panel))
        for parts in zip(*panels, strict=True):
            lines.append("  ".join(f"{part:<{WIDTH}}" for part in parts).rstrip())
    return "\n".join([*lines, ". waits for others   # its own wait"])


def _panel(name: str, run: LoadResult, wait: float, end: float) -> list[str]:
    cell = end / WIDTH
    lines = [f"{name}: {duration(run.latency(100))}"[:WIDTH]]
    for record in _ordered(run):
        begin, served, done = record.asked, record.done - wait, record.done
        signs = [" "] * WIDTH
        for place in range(WIDTH):
            middle = (place + 0.5) * cell
            if begin <= middle < done:
                signs[place] = "." if middle < served else "#"
        lines.append("".join(signs))
    return lines


def _draw_lineup(runs: Mapping[str, LoadResult], wait: float, end: float, title: str) -> Figure:
    rows = -(-len(runs) // ACROSS)
    figure = blank(0.9 + 1.65 * rows, 9.0)
    grid = figure.subplots(rows, ACROSS, sharex=True, squeeze=False)
    panels = list(grid.flat)
    for axes, (name, run) in zip(panels, runs.items(), strict=False):
        _draw_panel(axes, run, wait)
        axes.set_title(f"{name}: {duration(run.latency(100))}", fontsize=10)
        axes.set_xlim(0, end * 1.02)
    for axes in panels[len(runs) :]:
        axes.axis("off")
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    _lineup_legend(figure)
    return figure


def _draw_panel(axes: Axes, run: LoadResult, wait: float) -> None:
    for row, record in enumerate(_ordered(run)):
        line = _line(record, wait)
        served = record.latency - line
        axes.barh(row, line, left=record.asked, height=0.72, color="#FFFFFF", edgecolor=GREY,
                  hatch="....", linewidth=0.5)  # fmt: skip
        axes.barh(row, served, left=record.asked + line, height=0.72, color=BLUE, linewidth=0)
    axes.set_ylim(len(run.records) - 0.4, -0.6)
    axes.set_yticks([])
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def _lineup_legend(figure: Figure) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor="#FFFFFF", edgecolor=GREY, hatch="....", label="waits for others"),
        Patch(facecolor=BLUE, label="its own wait"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)


# --- What each gave and took ------------------------------------------------------------------


def scoreboard(seen: Mapping[str, Seen], title: str = "") -> Picture:
    """Draw rate, latencies, processor time for each answer and memory of several engines."""
    title = title or "The same load on every engine"
    told = "; ".join(
        f"{name}: {one.rate:.0f} answers a second, {one.cpu * 1e3:.1f} ms of processor time each, "
        f"{one.memory:.0f} MiB"
        for name, one in seen.items()
    )
    return Picture(
        lambda: _draw_scores(seen, title), _scores_text(seen, title), f"{title}. {told}."
    )


HEADS = ("answers/s", "p50", "p99", "unanswered", "CPU each", "memory")


def _scores_text(seen: Mapping[str, Seen], title: str) -> str:
    names = max([len(name) for name in seen], default=0) + 1
    lines = [title, f"{'':<{names}}" + "".join(f"{head:>11}" for head in HEADS)]
    for name, one in seen.items():
        cells = (
            f"{one.rate:.0f}", duration(one.best.latency(50)), duration(one.best.latency(99)),
            str(one.best.unfinished), f"{one.cpu * 1e3:.2f} ms", f"{one.memory:.0f} MiB",
        )  # fmt: skip
        lines.append(f"{name:<{names}}" + "".join(f"{cell:>11}" for cell in cells))
    return "\n".join(lines)


def _draw_scores(seen: Mapping[str, Seen], title: str) -> Figure:
    figure = blank(1.2 + 0.42 * len(seen), 9.4)
    rate, latency, cpu, memory = figure.subplots(1, 4, sharey=True)
    rows = range(len(seen))
    everyone = list(seen.values())
    _bars(rate, [one.rate for one in everyone], "{:.0f}", "answers per second", BLUE)
    for percentile, shift, face, hatch in ((50, -0.2, BLUE, ""), (99, 0.2, PALE, "////")):
        seconds = [one.best.latency(percentile) for one in everyone]
        millis = [0.0 if value != value else value * 1e3 for value in seconds]
        bars = latency.barh([row + shift for row in rows], millis, height=0.36, color=face,
                            edgecolor=BLUE, hatch=hatch, linewidth=0.5,
                            label=f"p{percentile}")  # fmt: skip
        latency.bar_label(bars, [f"{value:.0f}" for value in millis], padding=2, fontsize=8)
    for row, one in enumerate(everyone):
        if left := one.best.unfinished:
            latency.annotate(f"+{left}\nunanswered", (1.0, row), va="center", ha="right",
                             xycoords=("axes fraction", "data"), fontsize=7.5,
                             color=RED)  # fmt: skip
    latency.set_xlabel("latency in ms (p50 filled)")
    _bars(cpu, [one.cpu * 1e3 for one in everyone], "{:.2f}", "CPU per answer in ms", ORANGE)
    _bars(memory, [one.memory for one in everyone], "{:.0f}", "memory in MiB", GREY)
    rate.set_yticks(rows, list(seen))
    rate.set_ylim(len(seen) - 0.4, -0.6)
    for axes in (rate, latency, cpu, memory):
        axes.margins(x=1.15 if axes is latency else 0.32)
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.label.set_fontsize(9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _bars(axes: Axes, values: Sequence[float], form: str, label: str, colour: str) -> None:
    known = [0.0 if value != value else value for value in values]
    bars = axes.barh(range(len(values)), known, height=0.55, color=colour)
    axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8.5)
    axes.set_xlabel(label)


# --- A ceiling --------------------------------------------------------------------------------


def ceiling(
    points: Mapping[str, tuple[float, float]], title: str, what: str = "answers per second"
) -> Picture:
    """Draw measured numbers below what a law allows: ``{name: (allowed, measured)}``."""
    told = "; ".join(f"{n}: {seen:.0f} of {most:.0f}" for n, (most, seen) in points.items())
    names = max([len(name) for name in points], default=0) + 1
    lines = [title, f"{'':<{names}}{'allowed':>9}{'measured':>10}"]
    lines += [f"{n:<{names}}{most:>9.0f}{seen:>10.0f}" for n, (most, seen) in points.items()]
    return Picture(
        lambda: _draw_ceiling(points, title, what),
        "\n".join(lines),
        f"{title}. {what}, measured of allowed: {told}.",
    )


def _draw_ceiling(points: Mapping[str, tuple[float, float]], title: str, what: str) -> Figure:
    figure = blank(1.3 + 0.42 * len(points))
    axes = figure.subplots()
    for row, (most, seen) in enumerate(points.values()):
        axes.barh(row, seen, height=0.5, color=BLUE, label="measured" if not row else None)
        axes.plot([most, most], [row - 0.38, row + 0.38], color=RED, linewidth=2.4,
                  label="the law allows" if not row else None)  # fmt: skip
        axes.annotate(f"{seen:.0f} of {most:.0f}", (max(seen, most), row), xytext=(8, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    axes.set_yticks(range(len(points)), list(points))
    axes.set_ylim(len(points) - 0.4, -0.6)
    axes.set_xlim(0, max([most for most, _ in points.values()], default=1.0) * 1.2)
    axes.set_xlabel(what)
    axes.tick_params(axis="y", length=0)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.legend(loc="outside lower left", ncols=2)
    return figure
