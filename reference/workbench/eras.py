"""What happened when, from CGI to today: dates that can be looked up, and a picture of them.

Each date is the one that its source gives for itself; where a document gives two, the notebook says
so. Nothing else is known here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.picture import BLUE, GREEN, GREY, ORANGE, RED, Picture, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Event(NamedTuple):
    """One date: ``when`` is ISO, as exact as the source; ``form`` is the interface it is about."""

    when: str
    form: str
    what: str
    source: str

    @property
    def year(self) -> float:
        """The date as a number on an axis."""
        year, month, day = (*map(int, self.when.split("-")), 7, 1)[:3]
        return year + (month - 1) / 12 + (day - 1) / 365


EVENTS = (
    Event("1993", "CGI", "in use on the web", "RFC 3875, Abstract"),
    Event("2003-12-07", "WSGI", "PEP 333 begun", "PEP 333, Created"),
    Event("2004-10", "CGI", "written down as an RFC", "RFC 3875"),
    Event("2010-09-26", "WSGI", "PEP 3333 begun: Python 3", "PEP 3333, Created"),
    Event("2016-02-21", "ASGI 1", "Channels 0.9, on the ASGI draft", "channels CHANGELOG"),
    Event("2016-04-11", "ASGI 1", "asgiref 1.0", "asgiref CHANGELOG"),
    Event("2017-01-08", "ASGI 1", "Channels 1.0", "channels CHANGELOG"),
    Event("2017-11-28", "ASGI 2", "ASGI 2.0: no channel layer", "ASGI spec, Version History"),
    Event("2018-02-01", "ASGI 2", "Channels 2.0", "channels CHANGELOG"),
    Event("2018-09-06", "ASGI 2", "Lifespan 1.0", "Lifespan spec, Version History"),
    Event("2019-03-20", "ASGI 3", "ASGI 3.0: one call", "ASGI spec, Version"),
    Event("2019-12-02", "ASGI 3", "Django 3.0 speaks ASGI", "Django 3.0 release notes"),
    Event("2020-08-04", "ASGI 3", "Django 3.1: async views", "Django 3.1 release notes"),
    Event("2024-06-05", "ASGI 3", "HTTP & WebSocket 2.5", "that document, Version"),
)
ORANGE_TEXT = "#9C5A00"  # orange is too light to read
COLOURS = {"CGI": GREY, "WSGI": BLUE, "ASGI 1": RED, "ASGI 2": ORANGE, "ASGI 3": GREEN}
MARKERS = {"CGI": "s", "WSGI": "o", "ASGI 1": "v", "ASGI 2": "D", "ASGI 3": "^"}
FIRST, LAST = 1993, 2025


def eras(events: Sequence[Event] = EVENTS, title: str = "Five forms of one application") -> Picture:
    """Draw the dates on an axis that is true to scale, each with a line to its words."""
    lines = [title]
    lines += [f"{e.when:<10}  {e.form:<6}  {e.what:<31}  {e.source}" for e in events]
    told = "; ".join(f"{e.when}: {e.form}, {e.what}" for e in events)
    alt = f"{title}, a timeline. {told}."
    return Picture(lambda: _draw(events, title), "\n".join(lines), alt)


ROW, TOP, AXIS, WORDS = 0.29, 0.62, 0.75, 2.0  # inches


def _draw(events: Sequence[Event], title: str) -> Figure:
    height = TOP + ROW * len(events) + 0.1
    axes = sheet(height, 9.4)
    axes.text(0.12, 0.2, title, fontsize=11, va="center")
    bottom = height - 0.35

    def place(year: float) -> float:
        return TOP + (year - FIRST) / (LAST - FIRST) * (bottom - TOP)

    axes.plot((AXIS, AXIS), (TOP, bottom), color=GREY, linewidth=1.4)
    for year in range(1995, LAST + 1, 5):
        axes.plot((AXIS - 0.07, AXIS), (place(year),) * 2, color=GREY, linewidth=1)
        axes.text(AXIS - 0.12, place(year), str(year), fontsize=8, ha="right", va="center")
    for number, event in enumerate(events):
        _draw_event(axes, event, place(event.year), TOP + ROW * number)
    figure: Figure = axes.figure
    return figure


def _draw_event(axes: Any, event: Event, at: float, row: float) -> None:
    colour = COLOURS[event.form]
    axes.plot((AXIS, WORDS - 0.2, WORDS - 0.06), (at, row, row), color=colour, linewidth=0.9)
    axes.plot(AXIS, at, marker=MARKERS[event.form], color=colour, markersize=5, zorder=3)
    mono = {"family": "DejaVu Sans Mono", "fontsize": 8, "va": "center"}
    axes.text(WORDS, row, event.when, color=GREY, **mono)
    axes.plot(WORDS + 1.02, row, marker=MARKERS[event.form], color=colour, markersize=5)
    axes.text(WORDS + 1.14, row, event.form, fontsize=9.5, weight="bold", va="center",
              color=ORANGE_TEXT if colour == ORANGE else colour)  # fmt: skip
    axes.text(WORDS + 1.82, row, event.what, fontsize=9.5, va="center")
    source = textwrap.shorten(event.source, 40)
    axes.text(WORDS + 4.6, row, source, fontsize=8.5, va="center", color=GREY, style="italic")
