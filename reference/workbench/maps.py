"""The map of the course, with the layer of one chapter lit.

    course_map("parsing")      # the part of the course that has it
    course_map()               # all of it, for the first chapter

A layer is lit by a filled box, a heavy frame and a pointer, so no colour is needed to find it. What
lies behind the learner is framed, what is to come is dashed. On the whole map, on which nothing is
lit, dashed are the chapters that are still to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.picture import BLUE, GREY, PALE, Picture, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Layer(NamedTuple):
    """One chapter's place on the map; ``name`` is the word that the notebooks use."""

    chapter: str
    name: str


class Part(NamedTuple):
    """A row of the map."""

    title: str
    layers: tuple[Layer, ...]


PARTS = (
    Part(
        "Part I · the synchronous world",
        (
            Layer("01", "socket"),
            Layer("02", "parsing"),
            Layer("03", "framing"),
            Layer("04", "WSGI"),
            Layer("05", "many clients"),
            Layer("06", "in the wild"),
            Layer("07", "where it stops"),
        ),
    ),
    Part(
        "Part II · the asynchronous world",
        (
            Layer("08", "event loop"),
            Layer("09", "ASGI"),
            Layer("10", "streams"),
            Layer("11", "history"),
            Layer("12", "WebSocket"),
            Layer("13", "HTTP/2"),
            Layer("14", "ASGI in the wild"),
            Layer("15", "measured"),
            Layer("16", "production"),
        ),
    ),
)


TO_COME = frozenset(("16",))
"""Chapters without a notebook: a list and not a look, or the stored map would change unasked."""


def course_map(lit: str | int = "") -> Picture:
    """Draw the map. ``lit`` is a layer's name or its chapter: "framing", "03" or 3.

    Without it both parts are drawn, nothing is lit, and what is still to come is set apart. Raise
    LookupError for an unknown layer.
    """
    parts: tuple[Part, ...] = PARTS
    here = -1
    if lit != "":
        part, here = _find(lit)
        parts = (part,)
    return Picture(
        draw=lambda: _draw(parts, here),
        text="\n\n".join(_text(part, here) for part in parts),
        alt=_alt(parts, here),
    )


def _find(lit: str | int) -> tuple[Part, int]:
    """Return the part that has a layer, and the layer's place in it."""
    wanted = f"{lit:02d}" if isinstance(lit, int) else lit.lower()
    for part in PARTS:
        for place, layer in enumerate(part.layers):
            if wanted in (layer.chapter, layer.name.lower()):
                return part, place
    names = ", ".join(layer.name for part in PARTS for layer in part.layers)
    raise LookupError(f"no layer {lit!r}; there are {names}")


def _alt(parts: tuple[Part, ...], here: int) -> str:
    said = []
    for part in parts:
        layers = ", ".join(f"{layer.chapter} {layer.name}" for layer in part.layers)
        said.append(f"{part.title.replace(' ·', ',')}: {layers}.")
    if here >= 0:
        layer = parts[0].layers[here]
        said.append(f"You are at {layer.chapter}, {layer.name}.")
    elif TO_COME:
        said.append(f"Dashed, for they are still to come: {', '.join(sorted(TO_COME))}.")
    return "Map of the course. " + " ".join(said)


# --- As text ----------------------------------------------------------------------------------

COLUMNS = 78


def _text(part: Part, here: int) -> str:
    """Write the layers one after the other, the lit one in brackets, broken at the margin."""
    lines, line = [part.title], "  "
    for place, layer in enumerate(part.layers):
        name = f"{layer.chapter} {layer.name}"
        name = f"({name})" if here < 0 and layer.chapter in TO_COME else name
        name = f"[{name}]" if place == here else name
        arrow = " → " if place else ""
        if len(line) + len(arrow) + len(name) > COLUMNS:
            lines.append(line)
            line, arrow = "  ", "→ "
        line += arrow + name
    lines.append(line)
    if here >= 0:
        layer = part.layers[here]
        lines.append(f"  you are here: {layer.chapter} {layer.name}")
    return "\n".join(lines)


# --- As a drawing -----------------------------------------------------------------------------

WIDTH = 9.4
MARGIN = 0.15
GAP = 0.17
BOX = 0.62
HEAD, FOOT, POINTER = 0.36, 0.14, 0.3  # inches above a box, below it, and for the pointer


def _draw(parts: tuple[Part, ...], here: int) -> Figure:
    row = HEAD + BOX + FOOT + (POINTER if here >= 0 else 0)
    axes = sheet(row * len(parts), WIDTH)
    for number, part in enumerate(parts):
        _draw_part(axes, part, number * row, here)
    figure: Figure = axes.figure
    return figure


def _draw_part(axes: Any, part: Part, top: float, here: int) -> None:
    axes.text(MARGIN, top + 0.17, part.title, fontsize=10, color=GREY, va="center")
    count = len(part.layers)
    width = (WIDTH - 2 * MARGIN - GAP * (count - 1)) / count
    for place, layer in enumerate(part.layers):
        left = MARGIN + place * (width + GAP)
        _draw_layer(axes, layer, left, top + HEAD, width, _look(layer, place, here))
        if place:
            axes.annotate(
                "",
                (left - 0.005, top + HEAD + BOX / 2),
                (left - GAP + 0.005, top + HEAD + BOX / 2),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": GREY,
                    "lw": 0.9,
                    "mutation_scale": 8,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
        if place == here:
            middle = left + width / 2
            below = top + HEAD + BOX
            axes.plot([middle], [below + 0.11], marker="^", color=BLUE, markersize=7)
            axes.text(
                middle,
                below + 0.28,
                "you are here",
                ha="center",
                va="center",
                fontsize=9,
                weight="bold",
                color=BLUE,
            )


def _look(layer: Layer, place: int, here: int) -> dict[str, Any]:
    """Return how a box looks: behind, lit or to come; without a lit one, here or to come."""
    if place < here or (here < 0 and layer.chapter not in TO_COME):
        return {"face": PALE, "edge": BLUE, "line": "-", "width": 1.0, "ink": "#222222"}
    if place == here:
        return {"face": BLUE, "edge": "#00334F", "line": "-", "width": 2.4, "ink": "white"}
    return {"face": "white", "edge": "#999999", "line": (0, (4, 2.5)), "width": 1.0, "ink": GREY}


def _draw_layer(
    axes: Any, layer: Layer, left: float, top: float, width: float, look: dict[str, Any]
) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (left + 0.06, top + 0.06),
            width - 0.12,
            BOX - 0.12,
            boxstyle="round,pad=0.06,rounding_size=0.09",
            facecolor=look["face"],
            edgecolor=look["edge"],
            linestyle=look["line"],
            linewidth=look["width"],
        )
    )
    axes.text(
        left + width / 2,
        top + 0.16,
        layer.chapter,
        ha="center",
        va="center",
        fontsize=8,
        color=look["ink"],
        family="DejaVu Sans Mono",
    )
    axes.text(
        left + width / 2,
        top + 0.4,
        _broken(layer.name, width),
        ha="center",
        va="center_baseline",
        fontsize=9,
        color=look["ink"],
        linespacing=0.95,
        weight="bold" if look["ink"] == "white" else "normal",
    )


def _broken(name: str, width: float) -> str:
    """Return a name in two lines where one is too long for its box."""
    if len(name) * 0.078 < width - 0.05 or " " not in name:
        return name
    words = name.split()
    half = max(
        range(1, len(words)),
        key=lambda n: -abs(len(" ".join(words[:n])) - len(" ".join(words[n:]))),
    )
    return " ".join(words[:half]) + "\n" + " ".join(words[half:])
