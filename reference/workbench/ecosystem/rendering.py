"""A table of signs and words in each form that somebody reads: text, PNG, HTML, Markdown.

What comes in is plain: heads, and rows of (sign, word).  What a server is, is not known here.
"""

from __future__ import annotations

import datetime
import html as escaping
import io
import math
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.picture import GREEN, GREY, ORANGE, RED, Picture, sheet

PYTHON = platform.python_version()
SYSTEM = f"{platform.system()} {platform.machine()}"
LEGEND = "+ it is there   - it is not   ! could not be found out   without a sign: what it is"
GAP = "  "
WIDTH = 100  # characters of a line in a notebook
LONGEST = 26  # characters of a cell in the picture
FIRST, COLUMN, LINE = 2.1, 1.8, 0.215  # inches
COLUMNS = 5  # servers in a block of the picture
COLOURS = {"+": GREEN, "-": ORANGE, "!": RED, "": GREY}
GROUNDS = {"+": "#E3F3EC", "-": "#FCF1DC", "!": "#F8DFD3", "": "#FFFFFF"}

Cells = list[tuple[str, str]]


@dataclass(frozen=True)
class Parts:
    """A table: heads of two lines each, and for each row its name and its cells."""

    title: str
    stamp: str
    heads: list[tuple[str, str]]
    rows: list[tuple[str, Cells]]
    legend: str = LEGEND
    corner: str = "feature"


def today() -> str:
    """Return the date and the minute, as they stand on a table."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def stamp(date: str = "", python: str = PYTHON, system: str = SYSTEM) -> str:
    """Return when, and on what, something was found out; by default here and now."""
    return f"{date or today()}, Python {python}, {system}"


def signed(sign: str, said: str) -> str:
    """Return a cell as text: ``+ yes``."""
    return f"{sign or ' '} {' '.join(said.split())}"


def blocks(
    first: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], width: int
) -> str:
    """Lay rows out below heads, in blocks of as many columns as fit into ``width`` characters."""
    names = [first, *[name for name, _ in rows]]
    left = max(map(len, names))
    sizes = [max([len(head) + 2, *[len(row[at]) for _, row in rows]])
             for at, head in enumerate(heads)]  # fmt: skip
    parts = []
    for columns in fitting(sizes, width - left):
        lines = [[first, *[f"  {heads[at]}" for at in columns]]]
        lines += [[name, *[row[at] for at in columns]] for name, row in rows]
        widths = [left, *[sizes[at] for at in columns]]
        parts.append("\n".join(
            GAP.join(cell.ljust(size) for cell, size in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ))  # fmt: skip
    return "\n\n".join(parts)


def fitting(sizes: Sequence[int], width: int) -> list[list[int]]:
    """Return columns in as few groups as fit into ``width`` characters, of about one size."""
    fewest = _fitting(sizes, width, len(sizes))
    even = math.ceil(len(sizes) / max(1, len(fewest)))
    found = _fitting(sizes, width, even)
    return found if len(found) == len(fewest) else fewest


def _fitting(sizes: Sequence[int], width: int, most: int) -> list[list[int]]:
    groups: list[list[int]] = []
    room = 0
    for at, size in enumerate(sizes):
        if not groups or room < size + len(GAP) or len(groups[-1]) == most:
            groups.append([])
            room = width
        groups[-1].append(at)
        room -= size + len(GAP)
    return groups


def wrapped(lines: Sequence[str], width: int) -> list[str]:
    """Break lines that are too long, with the rest of each set in."""
    return [part for line in lines
            for part in textwrap.wrap(line, width, subsequent_indent="    ")]  # fmt: skip


def beside(first: str, words: str, width: int) -> list[str]:
    """Return words beside a first column, in as many lines as they need."""
    lines = textwrap.wrap(words, max(20, width - len(first) - len(GAP))) or [""]
    heads = [first, *[" " * len(first)] * (len(lines) - 1)]
    return [f"{head}{GAP}{line}".rstrip() for head, line in zip(heads, lines, strict=True)]


# --- a picture --------------------------------------------------------------------------------


class FewColours(Picture):
    """A picture of words: 64 colours are enough for it, and take a third of the bytes."""

    def _repr_png_(self) -> bytes:
        from PIL import Image, PngImagePlugin

        buf, words = io.BytesIO(), PngImagePlugin.PngInfo()
        words.add_text("Description", self.alt)
        with Image.open(io.BytesIO(super()._repr_png_())) as full:
            few = full.convert("RGB").quantize(64, dither=Image.Dither.NONE)
        few.save(buf, "png", optimize=True, pnginfo=words)
        return buf.getvalue()


def draw(*tables: Parts) -> Any:
    """Draw tables one below the other, each in blocks of columns; a cell has sign, word, ground."""
    groups = [(parts, columns) for parts in tables for columns in _even(len(parts.heads))]
    lines = sum(len(parts.rows) + 3 for parts, _ in groups) + 2.3 * len(tables) + 1
    most = max((len(columns) for _, columns in groups), default=1)
    axes = sheet(lines * LINE, max(FIRST + most * COLUMN + 0.1, 6.5))
    y, last = LINE, None
    for parts, columns in groups:
        if parts is not last:
            below = f"{parts.stamp}     {parts.legend}"
            axes.text(0.1, y, parts.title, weight="bold", fontsize=10.5, va="center")
            axes.text(0.1, y + LINE, below, fontsize=7, va="center", color=GREY)
            y, last = y + 2.3 * LINE, parts
        y = _block(axes, parts, columns, y) + 1.2 * LINE
    return axes.figure


def _even(count: int) -> list[range]:
    """Return the columns in blocks of about one width."""
    size = max(1, math.ceil(count / max(1, math.ceil(count / COLUMNS))))
    return [range(at, min(at + size, count)) for at in range(0, count, size)]


def _block(axes: Any, parts: Parts, columns: Sequence[int], y: float) -> float:
    """Draw some servers from ``y`` downwards; return where the block ends."""
    for place, at in enumerate(columns):
        title, version = parts.heads[at]
        x = FIRST + place * COLUMN + 0.06
        axes.text(x, y, title, weight="bold", fontsize=8.5, va="center")
        axes.text(x, y + 0.75 * LINE, version, fontsize=6.5, va="center", color=GREY)
    y += 1.8 * LINE
    for name, cells in parts.rows:
        axes.text(0.1, y, name, fontsize=8, va="center")
        for place, at in enumerate(columns):
            _cell(axes, FIRST + place * COLUMN, y, *cells[at])
        y += LINE
    return y


def _cell(axes: Any, x: float, y: float, sign: str, said: str) -> None:
    from matplotlib.patches import Rectangle

    place = (x, y - 0.47 * LINE)
    axes.add_patch(Rectangle(place, COLUMN - 0.05, 0.94 * LINE, color=GROUNDS[sign], lw=0))
    shown = sign.replace("-", "−")
    axes.text(x + 0.06, y, shown, fontsize=9, weight="bold", color=COLOURS[sign], va="center")
    words = said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
    axes.text(x + 0.19, y, words, fontsize=7.5, va="center")


# --- for pages --------------------------------------------------------------------------------


def html(parts: Parts, evidence: Sequence[Sequence[str]], troubles: Sequence[str]) -> str:
    """Return a table without styles, which GitHub would take away; evidence is in the tooltips."""

    def safe(text: str) -> str:
        return escaping.escape(text, quote=True)

    heads = "".join(
        f"<th>{safe(title)}<br>{safe(version)}</th>" for title, version in parts.heads
    )  # fmt: skip
    lines = [f"<table><caption>{safe(parts.title)}: {safe(parts.stamp)}</caption>"]
    lines.append(f"<tr><th>{parts.corner}</th>{heads}</tr>")
    for (name, cells), seen in zip(parts.rows, evidence, strict=True):
        shown = "".join(
            f'<td title="{safe(why)}">{safe(signed(*cell).strip())}</td>'
            for cell, why in zip(cells, seen, strict=True)
        )
        lines.append(f"<tr><th>{safe(name)}</th>{shown}</tr>")
    lines += ["</table>", f"<p>{safe(parts.legend)}</p>"]
    return "\n".join(lines + [f"<p>{safe(line)}</p>" for line in troubles])


def markdown(
    parts: Parts, questions: Sequence[tuple[str, str, str]], troubles: Sequence[str]
) -> str:
    """Return a section: the table, what went wrong, and each question with its source."""
    heads = [f"{bar_free(title)}<br>{bar_free(version)}" for title, version in parts.heads]
    lines = [f"## {parts.title}", "", f"{parts.stamp}.", ""]
    lines += md_table(
        [parts.corner, *heads],
        [[name, *[signed(*cell).strip() for cell in cells]] for name, cells in parts.rows],
    )
    lines += ["", f"{parts.legend}.", ""]
    lines += [f"* {bar_free(line)}" for line in troubles] + ([""] if troubles else [])
    lines += ["What was asked:", ""] if questions else []
    lines += [f"* **{bar_free(name)}**: {bar_free(question)} ({bar_free(source)})"
              for name, question, source in questions]  # fmt: skip
    return "\n".join(lines) + "\n"


def md_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table of Markdown."""
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return lines + [f"| {' | '.join(bar_free(cell) for cell in row)} |" for row in rows]


def bar_free(text: str) -> str:
    """Return a text that stays in its cell, and is no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
