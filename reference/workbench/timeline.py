"""Pictures of what the load generator saw.

In come results of `workbench.load`, out come pictures: a PNG for the notebook, the same content as
text for a terminal and for whoever cannot see the PNG. Nothing here measures anything.

No colour stands alone: each has a hatch, a marker or a label beside it.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from workbench.load import UNFINISHED, LoadResult, Record, duration
from workbench.picture import BLUE, GREEN, GREY, ORANGE, PALE, RED, Picture, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = ((BLUE, "o"), (ORANGE, "s"), (GREEN, "D"), (RED, "v"), (GREY, "P"))

# --- One bar per request ----------------------------------------------------------------------


class Phase(NamedTuple):
    """What a part of a bar stands for, in text and in colour."""

    name: str
    sign: str
    face: str
    hatch: str


CONNECTING = Phase("waiting for a connection", ".", "#F2F2F2", "....")
WAITING = Phase("waiting for the first byte", "-", PALE, "////")
RECEIVING = Phase("receiving", "#", BLUE, "")
PHASES = (CONNECTING, WAITING, RECEIVING)


def timeline(result: LoadResult, limit: int = 32, columns: int = 78, title: str = "") -> Picture:
    """Draw one bar per request, from asking to the last byte, in the order they were asked.

    Of more than `limit` requests, evenly chosen ones are drawn. The text is at most `columns` wide.
    """
    if columns < 40:
        raise ValueError(f"a timeline needs at least 40 columns, not {columns}")
    title = title or _timeline_title(result, limit)
    return Picture(
        draw=lambda: _draw_timeline(result, _chosen(result, limit), title),
        text=_timeline_text(result, _chosen(result, limit), title, columns),
        alt=f"Timeline. {title}. {_summary(result)}",
    )


def _chosen(result: LoadResult, limit: int) -> list[tuple[int, Record]]:
    """Choose at most `limit` records, the first and the last among them, with their numbers."""
    records = sorted(result.records, key=lambda record: record.asked)
    if len(records) <= limit:
        places = list(range(len(records)))
    else:
        places = [round(i * (len(records) - 1) / max(limit - 1, 1)) for i in range(limit)]
    return [(place + 1, records[place]) for place in places]


def _timeline_title(result: LoadResult, limit: int) -> str:
    number = len(result.records)
    shown = f", {limit} of them shown" if number > limit else ""
    clients = "1 client" if result.clients == 1 else f"{result.clients} clients"
    return f"{clients}, {number} requests{shown}"


def _summary(result: LoadResult) -> str:
    parts = [f"{len(result.answered)} answered"]
    parts += [f"{number} failed: {reason}" for reason, number in result.errors.items()]
    parts += [f"{result.unfinished} unfinished"] if result.unfinished else []
    return ", ".join(parts) + f"; p50 {duration(result.latency(50))}."


def _spans(record: Record) -> list[tuple[Phase, float, float]]:
    """Cut a request into its phases, each with start and end in seconds."""
    # A stamp that is missing means the request never got that far: the phase before it goes on.
    sent = record.sent if record.sent >= 0 else record.done
    first = record.first if record.first >= 0 else record.done
    sent, first = max(sent, record.asked), max(first, sent)
    cuts = (record.asked, sent, first, record.done)
    return [(phase, cuts[i], cuts[i + 1]) for i, phase in enumerate(PHASES)]


def _ending(record: Record) -> str:
    """Say in a word how a request ended, where that is not an answer with a status below 400."""
    if record.error == UNFINISHED:
        return "unfinished"
    if record.error:
        return "failed"
    return str(record.status) if record.status >= 400 else ""


def _timeline_text(
    result: LoadResult, chosen: list[tuple[int, Record]], title: str, columns: int
) -> str:
    number = max([len(str(place)) for place, _ in chosen], default=1)
    width = columns - number - len(" || unfinished")
    lines = [title[:columns]]
    for place, record in chosen:
        bar = _text_bar(record, width, result.elapsed)
        end = _ending(record) or duration(record.latency)
        lines.append(f"{place:>{number}} |{bar}| {end}")
    scale = f"0{duration(result.elapsed):>{width - 1}}"
    lines.append(f"{'':>{number}}  {scale}")
    # textwrap does not break at a no-break space: a sign stays with its meaning.
    signs = ", ".join(f"{sign} {name}".replace(" ", "\xa0") for sign, name in _SIGNS)
    lines += [line.replace("\xa0", " ") for line in textwrap.wrap(signs, columns)]
    lines += textwrap.wrap(_summary(result), columns)
    return "\n".join(lines)


_SIGNS = [(phase.sign, phase.name) for phase in PHASES]
_SIGNS += [("x", "failed"), (">", "unfinished")]


def _text_bar(record: Record, width: int, elapsed: float) -> str:
    cell = elapsed / width or 1.0
    signs = [" "] * width
    for phase, start, end in _spans(record):
        first = min(int(start / cell), width - 1)
        last = min(int(end / cell), width - 1)
        if end > start:
            signs[first : last + 1] = [phase.sign] * (last + 1 - first)
    signs[min(int(record.done / cell), width - 1)] = _last_sign(record)
    return "".join(signs)


def _last_sign(record: Record) -> str:
    if not record.error:
        return RECEIVING.sign
    return ">" if record.error == UNFINISHED else "x"


def _draw_timeline(result: LoadResult, chosen: list[tuple[int, Record]], title: str) -> Figure:
    figure = blank(1.5 + 0.17 * max(len(chosen), 4))
    axes = figure.add_subplot()
    # An answer of one packet is received in microseconds: give it a width that can be seen.
    least = result.elapsed / 150
    for row, (_, record) in enumerate(chosen):
        _draw_bar(axes, row, record, least)
    axes.set_xlim(0, result.elapsed * (1.13 if any(_ending(r) for _, r in chosen) else 1.01))
    axes.set_ylim(max(len(chosen), 4) - 0.4, -0.6)
    rows = range(0, len(chosen), max(1, len(chosen) // 8))
    axes.set_yticks(rows, [str(chosen[row][0]) for row in rows])
    axes.set_ylabel("request")
    axes.set_xlabel("seconds since the start")
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    _phase_legend(figure, [record for _, record in chosen], least)
    return figure


def _draw_bar(axes: Axes, row: int, record: Record, least: float) -> None:
    for phase, start, end in _spans(record):
        if phase is RECEIVING and not record.error:
            start = max(min(start, end - least), 0.0)
        if end > start:
            axes.barh(
                row,
                end - start,
                left=start,
                height=0.7,
                color=phase.face,
                edgecolor=BLUE if phase is not CONNECTING else "#777777",
                hatch=phase.hatch,
                linewidth=0.5,
            )
    if ending := _ending(record):
        mark = ">" if record.error == UNFINISHED else "x"
        colour = GREY if record.error == UNFINISHED else RED
        axes.plot(record.done, row, marker=mark, color=colour, markersize=6, clip_on=False)
        axes.annotate(
            ending,
            (record.done, row),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
        )


def _phase_legend(figure: Figure, records: list[Record], least: float) -> None:
    from matplotlib.patches import Patch

    seen = {RECEIVING}
    for record in records:
        seen |= {phase for phase, start, end in _spans(record) if end - start > least / 3}
    handles = [
        Patch(
            facecolor=phase.face,
            edgecolor=BLUE if phase is not CONNECTING else "#777777",
            hatch=phase.hatch,
            label=phase.name,
        )
        for phase in PHASES
        if phase in seen
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


# --- Rate and latency against the number of clients -------------------------------------------


def throughput(
    results: Sequence[LoadResult] | Mapping[str, Sequence[LoadResult]],
    threads: int | None = None,
    wait: float | None = None,
    columns: int = 78,
    title: str = "",
) -> Picture:
    """Draw the rate and the latency against the number of clients, as `ramp` measured them.

    `results` is one ramp, or several by name. With `wait`, the seconds for which each request does
    nothing but wait, the ideal rate is drawn: clients / wait, and with `threads` never more than
    threads / wait. That is Little's law.
    """
    series = dict(results) if isinstance(results, Mapping) else {"": results}
    ideal = _ideal(threads, wait)
    title = title or "Rate and latency against the number of clients"
    return Picture(
        draw=lambda: _draw_throughput(series, ideal, _ideal_name(threads, wait), title),
        text=_throughput_text(series, ideal, title, columns),
        alt=f"{title}. {_throughput_alt(series)}",
    )


def _ideal(threads: int | None, wait: float | None) -> Callable[[int], float] | None:
    if wait is None:
        return None
    return lambda clients: min(clients, threads or clients) / wait


def _ideal_name(threads: int | None, wait: float | None) -> str:
    if wait is None:
        return ""
    most = f"min(clients, {threads})" if threads else "clients"
    return f"ideal: {most} / {wait:g} s"


def _throughput_alt(series: Mapping[str, Sequence[LoadResult]]) -> str:
    parts = []
    for name, results in series.items():
        points = ", ".join(f"{r.rate:.0f} with {r.clients}" for r in results)
        parts.append(f"{name or 'Answers per second by clients'}: {points}.")
    return " ".join(parts)


def _throughput_text(
    series: Mapping[str, Sequence[LoadResult]],
    ideal: Callable[[int], float] | None,
    title: str,
    columns: int,
) -> str:
    best = max((r.rate for results in series.values() for r in results), default=0.0)
    width = max(columns - 48, 8)
    lines = [title[:columns]]
    for name, results in series.items():
        lines += [name] if name else []
        lines.append("clients   rate/s  of ideal       p50       p99")
        lines += [_throughput_line(result, ideal, best, width) for result in results]
    return "\n".join(lines)


def _throughput_line(
    result: LoadResult, ideal: Callable[[int], float] | None, best: float, width: int
) -> str:
    share = f"{result.rate / ideal(result.clients):.0%}" if ideal else "-"
    p50, p99 = duration(result.latency(50)), duration(result.latency(99))
    bar = "#" * _length(result.rate, best, width)
    line = f"{result.clients:>7} {result.rate:>8.0f} {share:>9} {p50:>9} {p99:>9}  {bar}"
    return line.rstrip()


def _length(value: float, largest: float, width: int) -> int:
    """Give the length of a text bar: 0 only for nothing."""
    if not largest or math.isnan(value) or value <= 0:
        return 0
    return max(1, round(value / largest * width))


def _draw_throughput(
    series: Mapping[str, Sequence[LoadResult]],
    ideal: Callable[[int], float] | None,
    ideal_name: str,
    title: str,
) -> Figure:
    figure = blank(4.0)
    rate, latency = figure.subplots(1, 2)
    clients = sorted({result.clients for results in series.values() for result in results})
    if ideal:
        line = [ideal(number) for number in clients]
        rate.plot(clients, line, color=GREY, linestyle="--", linewidth=1.2, label=ideal_name)
    for (name, results), (colour, marker) in zip(series.items(), SERIES, strict=False):
        _draw_series(rate, latency, name, results, colour, marker)
    _client_axis(rate, clients, "answers per second")
    _client_axis(latency, clients, "latency in ms")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    for axes in (rate, latency):
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            place = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0)}
            axes.legend(handles, labels, ncols=1 + (len(handles) > 4), **place)
    return figure


def _draw_series(
    rate: Axes,
    latency: Axes,
    name: str,
    results: Sequence[LoadResult],
    colour: str,
    marker: str,
) -> None:
    clients = [result.clients for result in results]
    rates = [result.rate for result in results]
    rate.plot(clients, rates, color=colour, marker=marker, label=name or "measured")
    for percentile, style, face in ((50, "-", colour), (99, ":", "white")):
        millis = [result.latency(percentile) * 1e3 for result in results]
        latency.plot(
            clients,
            millis,
            color=colour,
            marker=marker,
            linestyle=style,
            markerfacecolor=face,
            label=f"{name} p{percentile}".strip(),
        )


def _client_axis(axes: Axes, clients: Sequence[int], label: str) -> None:
    if clients and clients[0] and clients[-1] / clients[0] >= 8:
        axes.set_xscale("log", base=2)
    axes.set_xticks(clients, [str(number) for number in clients])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("clients")
    axes.set_ylabel(label)
    axes.grid(color="#DDDDDD", linewidth=0.6)


# --- Servers side by side ---------------------------------------------------------------------


def compare(
    results: Mapping[str, LoadResult], columns: int = 78, title: str = "", by: str = "rate"
) -> Picture:
    """Draw the rate and the latencies of several servers, by name, under each other.

    ``by``: what the bars of the text and the words beside the picture tell, "rate" or "p50", where
    the question is who waits.
    """
    title = title or "The same load, side by side"
    if by == "p50":
        parts = [f"{name} p50 {duration(r.latency(50))}" for name, r in results.items()]
    else:
        parts = [f"{name} {r.rate:.0f} answers per second" for name, r in results.items()]
    return Picture(
        draw=lambda: _draw_compare(results, title),
        text=_compare_text(results, title, columns, by),
        alt=f"{title}. {', '.join(parts)}.",
    )


def _compare_text(results: Mapping[str, LoadResult], title: str, columns: int, by: str) -> str:
    names = max([len(name) for name in results], default=0)
    values = [result.latency(50) if by == "p50" else result.rate for result in results.values()]
    most = max((value for value in values if not math.isnan(value)), default=0.0)
    width = max(columns - names - 32, 8)
    lines = [title[:columns], f"{'':>{names}}   rate/s       p50       p99"]
    for (name, result), value in zip(results.items(), values, strict=True):
        p50, p99 = duration(result.latency(50)), duration(result.latency(99))
        bar = "#" * _length(value, most, width)
        lines.append(f"{name:>{names}} {result.rate:>8.0f} {p50:>9} {p99:>9}  {bar}".rstrip())
    return "\n".join(lines)


def _draw_compare(results: Mapping[str, LoadResult], title: str) -> Figure:
    figure = blank(1.5 + 0.55 * max(len(results), 2))
    rate, latency = figure.subplots(1, 2, sharey=True)
    rows = range(len(results))
    rates = [result.rate for result in results.values()]
    bars = rate.barh(rows, rates, height=0.5, color=BLUE)
    rate.bar_label(bars, [f"{value:.0f}" for value in rates], padding=3, fontsize=9.5)
    for percentile, shift, face, hatch in ((50, -0.2, BLUE, ""), (99, 0.2, PALE, "////")):
        seconds = [result.latency(percentile) for result in results.values()]
        millis = [0.0 if math.isnan(value) else value * 1e3 for value in seconds]
        places = [row + shift for row in rows]
        bars = latency.barh(
            places,
            millis,
            height=0.36,
            color=face,
            edgecolor=BLUE,
            hatch=hatch,
            linewidth=0.6,
            label=f"p{percentile}",
        )
        latency.bar_label(bars, [duration(s) for s in seconds], padding=3, fontsize=9.5)
    rate.set_yticks(rows, list(results))
    rate.set_ylim(len(results) - 0.4, -0.6)
    rate.set_xlabel("answers per second")
    latency.set_xlabel("latency in ms")
    for axes in (rate, latency):
        axes.margins(x=0.25)
        axes.set_xlim(left=0)
        axes.tick_params(axis="y", length=0)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.legend(*latency.get_legend_handles_labels(), loc="outside lower right", ncols=2)
    return figure
