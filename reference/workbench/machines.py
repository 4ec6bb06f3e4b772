"""State machines, drawn from the very tables that the code runs on.

A table ``{(state, event type): next state}`` comes in (for an event its name will do; several next
states stand in a tuple, where something else decides); out comes a picture with boxes and arrows,
and as text the same as a matrix, where a dot is a move that is not allowed. `trace`, of
`workbench.tracing`, tells which way through the tables an engine took.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from handmade.http1_states import READING, WRITING, Reading, Writing
from handmade.websocket_states import Receiving
from workbench.picture import BLUE, GREY, ORANGE, Picture, sheet
from workbench.tracing import trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = Mapping[tuple[Any, Any], Any]
Also = Mapping[tuple[Any, str], Any]

# What the connection does by itself, without an event of the table. See the comments there.
ALSO: dict[type[Enum], Also] = {
    Reading: {(Reading.DONE, "next request"): Reading.HEAD, (None, "PeerError"): Reading.FAILED},
    Writing: {(Writing.DONE, "next request"): Writing.IDLE},
    Receiving: {(None, "WebSocketError"): Receiving.FAILED},
}
PALE_ORANGE = "#FBEBCB"
BOX_WIDTH, BOX_HEIGHT = 1.16, 0.44  # inches
MARGIN = 1.02  # from the edge to the middle of a box
COLUMN, LINE = 2.05, 1.15  # from the middle of one box to that of the next


@dataclass(frozen=True)
class Move:
    """One arrow: all moves from one state to another. ``source`` None is any state."""

    source: Any
    target: Any
    label: str
    dashed: bool = False
    lit: bool = False


def draw(
    table: Table,
    lit: Enum | Sequence[Enum] = (),
    *,
    also: Also | None = None,
    places: Mapping[Any, tuple[float, float]] | None = None,
    title: str = "",
) -> Picture:
    """Draw a machine. ``lit`` is the state it is in, or the states it went through, in order.

    ``also`` are moves that no event makes, by a few words; they are dashed, and ``None`` for the
    state means any. ``places`` gives a state's column and line where the layout needs help.
    """
    kind: type[Enum] = type(next(iter(table))[0])
    states = list(kind)
    also = ALSO.get(kind, {}) if also is None else also
    path = [lit] if isinstance(lit, Enum) else list(lit)
    moves = _moves(table, also, path)
    where = {**_places(states, moves), **(places or {})}
    title = title or kind.__name__
    return Picture(
        lambda: _draw(states, moves, where, path, title),
        _text(states, table, also, path, title),
        _alt(states, moves, path, title),
    )


def _moves(table: Table, also: Also, path: Sequence[Any]) -> list[Move]:
    """Join the moves between the same two states into one arrow."""
    steps = set(pairwise(path))
    labels: dict[tuple[Any, Any, bool], list[str]] = {}
    for (state, event), target in table.items():
        for one in _targets(target):
            labels.setdefault((state, one, False), []).append(_word(event))
    for (state, words), target in also.items():
        labels.setdefault((state, target, True), []).append(words)
    return [
        Move(source, target, ", ".join(names), dashed, (source, target) in steps)
        for (source, target, dashed), names in labels.items()
    ]


def _word(event: Any) -> str:
    return event.__name__ if isinstance(event, type) else str(event)


def _targets(target: Any) -> tuple[Any, ...]:
    return target if isinstance(target, tuple) else (target,)


def _alt(states: Sequence[Any], moves: Sequence[Move], path: Sequence[Any], title: str) -> str:
    told = "; ".join(
        f"{move.source.name if move.source else 'any'} to {move.target.name} by {move.label}"
        for move in moves
    )
    here = f" It is in {path[-1].name}." if path else ""
    return f"State machine {title} with {len(states)} states: {told}.{here}"


# --- Text -------------------------------------------------------------------------------------


def _text(states: Sequence[Any], table: Table, also: Also, path: Sequence[Any], title: str) -> str:
    """Write the table as a matrix: a line for each state, a column for each event."""
    events = list(dict.fromkeys(event for _, event in table))
    width = max(len(title), *(len(state.name) for state in states)) + 2
    names = [_word(event) for event in events]
    said = {move: " or ".join(one.name for one in _targets(to)) for move, to in table.items()}
    longest = max(map(len, [*said.values(), *(state.name for state in states)]))
    widths = [max(len(name), longest) + 2 for name in names]
    head = "".join(name.ljust(room) for name, room in zip(names, widths, strict=True))
    lines = [f"  {title.ljust(width)}{head}".rstrip()]
    for state in states:
        sign = ">" if path and state is path[-1] else "*" if state in path else " "
        cells = [said.get((state, event), ".") for event in events]
        row = "".join(cell.ljust(room) for cell, room in zip(cells, widths, strict=True))
        lines.append(f"{sign} {state.name.ljust(width)}{row}{state.value}".rstrip())
    for (state, words), target in also.items():
        lines.append(f"  {state.name if state else 'any state'}, {words}: {target.name}")
    if path:
        lines.append("  > it is here" + (", * it was here" if len(set(path)) > 1 else ""))
    return "\n".join(lines)


# --- PNG --------------------------------------------------------------------------------------


def _places(states: Sequence[Any], moves: Sequence[Move]) -> dict[Any, tuple[float, float]]:
    """Put each state into the column of its distance from the first one, in order of the Enum."""
    distance = {states[0]: 0}
    queue = [states[0]]
    for state in queue:
        for move in moves:
            if move.source is state and move.target not in distance:
                distance[move.target] = distance[state] + 1
                queue.append(move.target)
    last = max(distance.values())
    taken: dict[int, int] = {}
    found = {}
    for state in states:
        column = distance.get(state, last)
        found[state] = (float(column), float(taken.get(column, 0)))
        taken[column] = taken.get(column, 0) + 1
    return found


def _draw(
    states: Sequence[Any],
    moves: Sequence[Move],
    where: Mapping[Any, tuple[float, float]],
    path: Sequence[Any],
    title: str,
) -> Figure:
    above = 1.55 if any(_is_back(move, where) for move in moves) else 1.2
    lines = max(y for _, y in where.values())
    wide = max(x for x, _ in where.values())
    axes = sheet(above + lines * LINE + 0.75, max(wide * COLUMN + 2 * MARGIN, 5.0))
    axes.text(0.15, 0.2, title, fontsize=11, va="center")
    points = {state: (MARGIN + x * COLUMN, above + y * LINE) for state, (x, y) in where.items()}
    for move in moves:
        _draw_move(axes, move, points, above)
    for state in states:
        _draw_state(axes, state, points[state], path)
    figure: Figure = axes.figure
    return figure


def _draw_state(axes: Any, state: Any, point: tuple[float, float], path: Sequence[Any]) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = point
    here, was = bool(path) and state is path[-1], state in path
    axes.add_patch(
        FancyBboxPatch(
            (x - BOX_WIDTH / 2 + 0.08, y - BOX_HEIGHT / 2 + 0.08),
            BOX_WIDTH - 0.16,
            BOX_HEIGHT - 0.16,
            boxstyle="round,pad=0.08",
            facecolor=ORANGE if here else PALE_ORANGE if was else "#EEF3F7",
            edgecolor="#333333" if was else "#9FB3C1",
            linewidth=2.2 if here else 1.4 if was else 1.0,
            zorder=3,
        )
    )
    weight = "bold" if here else "normal"
    axes.text(x, y, state.name, ha="center", va="center", fontsize=10, weight=weight, zorder=4)
    words = {"ha": "center", "va": "center", "fontsize": 9, "color": GREY, "zorder": 4}
    axes.text(x, y + BOX_HEIGHT / 2 + 0.15, _folded(state.value), **{**words, "va": "top"})


def _folded(text: str) -> str:
    """Break a long remark where its half is."""
    return "\n".join(textwrap.wrap(text, 29))


def _is_back(move: Move, where: Mapping[Any, tuple[float, float]]) -> bool:
    return move.source in where and where[move.target][0] < where[move.source][0]


def _draw_move(
    axes: Any, move: Move, points: Mapping[Any, tuple[float, float]], above: float
) -> None:
    colour = "#333333" if move.lit else BLUE
    style = {"color": colour, "linewidth": 2.4 if move.lit else 1.3, "zorder": 2}
    style["linestyle"] = (0, (4, 2.5)) if move.dashed else "-"
    right, left, top = BOX_WIDTH / 2, -BOX_WIDTH / 2, -BOX_HEIGHT / 2
    tx, ty = points[move.target]
    sx, sy = points.get(move.source, (tx - 1.35, ty))
    if move.source is None:
        line = [(tx + left - 0.55, ty), (tx + left, ty)]
        label = (tx + left - 0.36, ty - 0.13)
        axes.text(line[0][0] - 0.06, ty, "any", ha="right", va="center", fontsize=9, color=GREY)
    elif move.source is move.target:
        line = [
            (sx - 0.3, sy + top),
            (sx - 0.3, sy - 0.52),
            (sx + 0.3, sy - 0.52),
            (sx + 0.3, sy + top),
        ]
        label = (sx, sy - 0.65)
    elif tx < sx:
        line = [(sx, sy + top), (sx, above - 0.98), (tx, above - 0.98), (tx, ty + top)]
        label = ((sx + tx) / 2, above - 0.98)
    elif sy == ty:
        line = [(sx + right, sy), (tx + left, ty)]
        label = ((sx + right + tx + left) / 2, sy - 0.13)
    else:
        corner = (sx + right + 0.2, sy + 0.1)
        line = [(sx + right, corner[1]), corner, (corner[0], ty), (tx + left, ty)]
        label = ((corner[0] + tx + left) / 2, ty - 0.13)
    _draw_arrow(axes, line, style)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.text(
        *label, move.label, ha="center", va="center", fontsize=9, color=colour, bbox=ground,
        weight="bold" if move.lit else "normal", zorder=2.5,
    )  # fmt: skip


def _draw_arrow(axes: Any, line: Sequence[tuple[float, float]], style: Mapping[str, Any]) -> None:
    (before_x, before_y), (end_x, end_y) = line[-2:]
    axes.plot(*zip(*line, strict=True), **style, solid_capstyle="butt", solid_joinstyle="round")
    length = ((end_x - before_x) ** 2 + (end_y - before_y) ** 2) ** 0.5
    near = (end_x - (end_x - before_x) / length * 0.06, end_y - (end_y - before_y) / length * 0.06)
    arrow = {"arrowstyle": "-|>", "color": style["color"], "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", line[-1], near, arrowprops={**arrow, "mutation_scale": 11}, zorder=2.6)


__all__ = ["READING", "WRITING", "Move", "draw", "trace"]
