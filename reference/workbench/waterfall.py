"""A waterfall: when each resource of a page was asked for, began to come, and was there.

    waterfall({"HTTP/1.1": fetch(...), "HTTP/2": fetch2(...)})

Results by name come in, one picture goes out, a panel for each over one scale of time, so that what
is shorter is shorter. The bars are those of `timeline`: dots wait for a connection, strokes for the
server and the line, and what is solid comes in.

    feeds({"over TCP": feeds2(...), "over QUIC": await feeds3(...)})

Streams that go on and on: a sign for each piece, at the moment when it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.load_result import LoadResult, duration
from workbench.picture import BLUE, PALE, Picture, blank
from workbench.timeline import _SIGNS, _draw_bar, _phase_legend, _text_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def waterfall(results: Mapping[str, LoadResult], title: str = "", columns: int = 78) -> Picture:
    """Draw each result's resources below each other, all over one scale."""
    title = title or "One page, several ways"
    parts = [f"{name}: all there after {duration(r.elapsed)}" for name, r in results.items()]
    return Picture(
        lambda: _draw(results, title),
        _text(results, title, columns),
        f"{title}. {'; '.join(parts)}.",
    )


def _text(results: Mapping[str, LoadResult], title: str, columns: int) -> str:
    longest = max(result.elapsed for result in results.values())
    width = columns - 6
    lines = [title]
    for name, result in results.items():
        lines.append(f"{name}: {duration(result.elapsed)}")
        for number, record in enumerate(result.records, 1):
            lines.append(f"{number:>3} |{_text_bar(record, width, longest)}|")
    signs = [f"{sign} {said}" for sign, said in _SIGNS[:3]]
    return "\n".join([*lines, f"    0{duration(longest):>{width}}", ", ".join(signs)])


def _draw(results: Mapping[str, LoadResult], title: str) -> Figure:
    longest = max(result.elapsed for result in results.values())
    sizes = [max(len(result.records), 3) for result in results.values()]
    figure = blank(1.3 + 0.1 * sum(sizes) + 0.42 * len(sizes))
    panels = figure.subplots(len(sizes), 1, sharex=True, height_ratios=sizes, squeeze=False)[:, 0]
    for axes, (name, result) in zip(panels, results.items(), strict=True):
        for row, record in enumerate(result.records):
            _draw_bar(axes, row, record, longest / 150)
        axes.set_xlim(0, longest * 1.02)
        axes.set_ylim(max(len(result.records), 3) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_title(f"{name}: {duration(result.elapsed)}", fontsize=10)
        axes.axvline(result.elapsed, color="#555555", linewidth=0.8, linestyle="--")
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
    panels[-1].set_xlabel("seconds since the start")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    records = [record for result in results.values() for record in result.records]
    _phase_legend(figure, records, longest / 150)
    return figure


# --- Pieces as they come ----------------------------------------------------------------------

Arrivals = Sequence[Sequence[float]]


def longest_gap(arrivals: Sequence[float]) -> tuple[float, float]:
    """Return when the longest time without a piece began and ended, in seconds."""
    return max(pairwise(arrivals), key=lambda pair: pair[1] - pair[0])


def stalled(streams: Arrivals, seconds: float) -> int:
    """Count the streams on which nothing came for at least so long."""
    gaps = [longest_gap(stream) for stream in streams]
    return sum(end - start >= seconds for start, end in gaps)


def feeds(results: Mapping[str, Arrivals], title: str = "", columns: int = 78) -> Picture:
    """Draw each stream as a line, with a sign for each piece that came, all over one scale."""
    title = title or "Streams, piece by piece"
    parts = [
        f"{name}: longest gaps {', '.join(_gap(stream) for stream in streams)}"
        for name, streams in results.items()
    ]
    return Picture(
        lambda: _draw_feeds(results, title),
        _feeds_text(results, title, columns),
        f"{title}. {'; '.join(parts)}.",
    )


def _gap(stream: Sequence[float]) -> str:
    start, end = longest_gap(stream)
    return duration(end - start)


def _last(results: Mapping[str, Arrivals]) -> float:
    return max(max(stream) for streams in results.values() for stream in streams)


def _feeds_text(results: Mapping[str, Arrivals], title: str, columns: int) -> str:
    longest, width = _last(results), columns - 22
    lines = [title]
    for name, streams in results.items():
        lines.append(name)
        for number, stream in enumerate(streams, 1):
            signs = [" "] * width
            for when in stream:
                signs[min(int(when / longest * width), width - 1)] = "|"
            lines.append(f"{number:>3} {''.join(signs)}  gap {_gap(stream)}")
    return "\n".join([*lines, f"    0{duration(longest):>{width - 1}}"])


def _draw_feeds(results: Mapping[str, Arrivals], title: str) -> Figure:
    longest = _last(results)
    figure = blank(1.1 + sum(0.4 + 0.2 * len(streams) for streams in results.values()))
    sizes = [len(streams) for streams in results.values()]
    panels = figure.subplots(len(sizes), 1, sharex=True, height_ratios=sizes, squeeze=False)[:, 0]
    for axes, (name, streams) in zip(panels, results.items(), strict=True):
        for row, stream in enumerate(streams):
            start, end = longest_gap(stream)
            axes.barh(row, end - start, left=start, height=0.6, color=PALE)
            axes.plot(stream, [row] * len(stream), "|", color=BLUE, markersize=9)
            axes.annotate(
                _gap(stream), (longest * 1.02, row), va="center", fontsize=9, annotation_clip=False
            )
        axes.set_xlim(0, longest * 1.14)
        axes.set_ylim(len(streams) - 0.4, -0.6)
        axes.set_yticks(range(len(streams)), [str(n + 1) for n in range(len(streams))])
        axes.set_title(name, fontsize=10)
    panels[-1].set_xlabel("seconds; at the right the longest gap, which is shaded")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure
