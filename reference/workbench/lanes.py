"""Swimlanes: who did what to whom, in which order, as data, as text and as a picture.

Lanes and happenings come in, a `workbench.picture.Picture` comes out. What the lanes stand for is
not known here, so the same drawing serves sockets and environ, scopes and messages, frames.

Text and PNG share one layout, a grid of characters: a column for the row's number, the lanes with
their arrows, and at the right a detail for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from workbench.picture import BLUE, GREY, PALE, RED, Picture, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 100
CHARACTER = 0.0753  # inches: DejaVu Sans Mono at 9 points
ROW = 0.25  # inches
LOOP = "loop"  # the heading of the column that tells who has it
GROUNDS = {"server": "#E4E4E4", "free": "white"}  # of the bars in it; of a task: pale blue
STILL = "┃"  # the same as in the row above
ORANGE_TEXT = "#9C5A00"  # Okabe and Ito's orange is too light to read


@dataclass(frozen=True)
class Happening:
    """One thing that one lane did to another, or to itself.

    ``label`` is a word or two, ``detail`` what it was about; ``data`` the bytes, where there are
    some. ``bad`` marks a failure, ``connection`` tells several clients apart. ``holder`` names who
    has the loop meanwhile, where there is one: a column of its own shows that.
    """

    source: str
    target: str
    label: str
    detail: str = ""
    data: bytes = b""
    bad: bool = False
    connection: int = 1
    holder: str = ""


@dataclass(frozen=True)
class Layout:
    """Where the lanes stand, in characters from the left. One layout serves all steps.

    ``holders`` is the width of the column that tells who has the loop, 0 for none.
    """

    lanes: tuple[str, ...]
    places: dict[str, int]
    detail: int
    holders: int = 0

    @property
    def columns(self) -> int:
        """How wide the whole is."""
        return COLUMNS + min(self.holders, 8)

    @classmethod
    def of(cls, lanes: Sequence[str], rows: Sequence[Happening]) -> Layout:
        """Give each gap the room that its longest label needs."""
        gaps = [
            max(len(left) // 2 + len(right) // 2 + 3, _longest(left, right, rows) + 4)
            for left, right in pairwise(lanes)
        ]
        longest = max([len(row.holder) for row in rows], default=0)
        holders = max(longest, len(LOOP)) + 2 if longest else 0
        places = {lanes[0]: 4 + holders + len(lanes[0]) // 2}
        for lane, before, gap in zip(lanes[1:], lanes, gaps, strict=False):
            places[lane] = places[before] + gap
        own = max(
            [len(row.label) + 4 for row in rows if row.source == row.target == lanes[-1]], default=0
        )
        return cls(tuple(lanes), places, places[lanes[-1]] + max(4, own), holders)


def _longest(left: str, right: str, rows: Sequence[Happening]) -> int:
    return max([len(row.label) for row in rows if {row.source, row.target} == {left, right}] or [4])


def swimlanes(
    lanes: Sequence[str],
    rows: Sequence[Happening],
    shown: int | None = None,
    title: str = "",
    height: int | None = None,
) -> Picture:
    """Draw happenings from the top downward; only the first ``shown`` of them, where that is set.

    The lanes stand where all rows together need them, so the pictures of several steps lie upon
    each other. ``height`` is the number of rows to leave room for, that of the picture otherwise.
    """
    layout = Layout.of(lanes, rows)
    part = list(rows if shown is None else rows[:shown])
    room = max(len(part), height or 0)
    told = f"{title}. " if title else ""
    steps = "; ".join(f"{row.source} to {row.target}: {row.label}" for row in part[:6])
    more = f"; and {len(part) - 6} more" if len(part) > 6 else ""
    alt = f"{told}Swimlanes {', '.join(lanes)}, {len(part)} rows: {steps}{more}."
    return Picture(lambda: _draw(layout, part, room, title), _text(layout, part, title), alt)


# --- Text -------------------------------------------------------------------------------------


def _text(layout: Layout, rows: Sequence[Happening], title: str) -> str:
    head = [" "] * layout.detail
    for lane, place in layout.places.items():
        start = place - len(lane) // 2
        head[start : start + len(lane)] = lane
    if layout.holders:
        head[5 : 5 + len(LOOP)] = LOOP
    lines = [title] if title else []
    lines.append("".join(head).rstrip())
    before = ""
    for number, row in enumerate(rows, 1):
        lines.append(_text_row(layout, number, row, before))
        before = row.holder
    return "\n".join(lines)


def _text_row(layout: Layout, number: int, row: Happening, before: str) -> str:
    holder = f"  {STILL if row.holder == before else row.holder}" if layout.holders else ""
    signs = list(f"{number:>3}{holder}".ljust(layout.detail))
    for place in layout.places.values():
        signs[place] = "│"
    start, end = layout.places[row.source], layout.places[row.target]
    if start == end:
        text = f"● {row.label}"
        signs[start : start + len(text)] = text
    else:
        left, right = sorted((start, end))
        signs[left + 1 : right] = row.label.center(right - left - 1, "─")
        signs[end + (1 if end < start else -1)] = "◀" if end < start else "▶"
    detail = _cut(_detail(row), max(layout.columns - layout.detail, 0))
    return ("".join(signs) + detail).rstrip()


def _detail(row: Happening) -> str:
    other = f"#{row.connection} " if row.connection > 1 else ""
    return f"{other}{'✗ ' if row.bad else ''}{row.detail}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


# --- PNG --------------------------------------------------------------------------------------


def _draw(layout: Layout, rows: Sequence[Happening], height: int, title: str) -> Figure:
    above = 0.62 if title else 0.36
    width = (layout.columns + 2) * CHARACTER
    axes = sheet(above + ROW * (height + 0.8), width)
    if title:
        axes.text(0.12, 0.2, title, fontsize=11, va="center")
    bottom = above + ROW * (height + 0.5)
    for lane, place in layout.places.items():
        x = _x(place)
        axes.plot((x, x), (above, bottom), color="#C4C4C4", linewidth=1, zorder=1)
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#EEF3F7", "edgecolor": "#9FB3C1"}
        axes.text(x, above - 0.12, lane, fontsize=9.5, ha="center", va="center", bbox=box, zorder=4)
    if layout.holders:
        _draw_holders(axes, layout, rows, above)
    for number, row in enumerate(rows):
        y = above + ROW * (number + 1)
        _draw_row(axes, layout, number + 1, row, y)
    figure: Figure = axes.figure
    return figure


def _draw_holders(axes: Any, layout: Layout, rows: Sequence[Happening], above: float) -> None:
    """Draw a bar for each stretch of rows in which the same one has the loop, with its name."""
    left, width = _x(5) - CHARACTER / 2, layout.holders - 1
    axes.text(left, above - 0.12, LOOP, fontsize=9.5, va="center", color=GREY)
    stretches = [list(part) for _, part in groupby(enumerate(rows), lambda pair: pair[1].holder)]
    for part in stretches:
        holder, top = part[0][1].holder, above + ROW * (part[0][0] + 0.58)
        ground = GROUNDS.get(holder, PALE)
        size = width * CHARACTER, ROW * (len(part) - 0.16)
        bar = {"facecolor": ground, "edgecolor": "none", "zorder": 1}
        axes.add_patch(_rectangle((left - 0.04, top), *size, **bar))
        axes.text(left, top + ROW * 0.42, holder, fontsize=8.5, va="center", color="#333333")


def _rectangle(*place: Any, **look: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(*place, **look)


def _draw_row(axes: Any, layout: Layout, number: int, row: Happening, y: float) -> None:
    start, end = _x(layout.places[row.source]), _x(layout.places[row.target])
    # Blue goes to the application, orange comes back; the arrow says the same.
    colour = RED if row.bad else BLUE if start <= end else ORANGE_TEXT
    axes.text(_x(3), y, str(number), fontsize=8.5, ha="right", va="center", color="#767676")
    if start == end:
        axes.plot(start, y, marker="o", color=GREY, markersize=5, zorder=3)
        axes.text(start + 0.1, y, row.label, fontsize=9, va="center", color=GREY)
    else:
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (end, y), (start, y), arrowprops={**arrow, "mutation_scale": 9}, zorder=2)
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
        # The head of the arrow takes a little of the room, so the middle is not the middle.
        middle = (start + end) / 2 + (-0.03 if end > start else 0.03)
        axes.text(
            middle, y, row.label, fontsize=9, ha="center", va="center", color=colour, bbox=ground,
            zorder=3,
        )  # fmt: skip
    detail = _cut(_detail(row), layout.columns - layout.detail)
    axes.text(
        _x(layout.detail), y, detail, fontsize=9, family="DejaVu Sans Mono", va="center",
        color=RED if row.bad else "#333333", parse_math=False,
    )  # fmt: skip


def _x(place: float) -> float:
    return (place + 1) * CHARACTER
