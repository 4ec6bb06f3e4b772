"""Which server? Drawn from what was probed, and from nothing else.

    choice = Choice(table, {"my clients half-close": ["half-close"]})
    choice.picture()

A need rests on one row or more of a table.  A branch leads to the servers that have a ``+`` in each
of these rows, and to no other: where the next version behaves differently the next drawing does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.picture import BLUE, GREEN, GREY, ORANGE, PALE, Picture, blank, sheet

from .features import Cell
from .table import FeatureTable, mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Price = Callable[[str], float]
NOBODY = "nobody"
MIB = re.compile(r"([+-]\d+\.\d) MiB")


class Choice:
    """Needs, the rows that each rests on, and who has a ``+`` in all of them.

    Raise LookupError for a row that is not in the table, ValueError for a need without rows.
    """

    def __init__(self, table: FeatureTable, needs: Mapping[str, Sequence[str]]) -> None:
        self.table = table
        self.needs = {need: tuple(rows) for need, rows in needs.items()}
        for need, rows in self.needs.items():
            if not rows:
                raise ValueError(f"{need!r} rests on no row")
            for row in rows:
                self._cell(row, table.servers[0].name)

    def _cell(self, row: str, server: str) -> Cell:
        return self.table[row, server]

    def fits(self, *needs: str) -> list[str]:
        """Return the names of the servers that meet all of these needs, in the table's order."""
        rows = [row for need in needs for row in self.needs[need]]
        return [each.name for each in self.table.servers
                if all(mark(self._cell(row, each.name)) == "+" for row in rows)]  # fmt: skip

    def why_not(self, server: str, *needs: str) -> dict[str, str]:
        """Return the rows in which a server has no ``+``, each with what stands there."""
        rows = [row for need in needs for row in self.needs[need]]
        return {row: cell.said for row in rows if mark(cell := self._cell(row, server)) != "+"}

    # ------------------------------------------------------------ as a picture

    def picture(self, mine: Iterable[str] = (), price: Price | None = None) -> Picture:
        """Draw it; ``mine`` are the needs of the reader, ``price`` puts the cheapest first.

        Raise LookupError for a need that is none.
        """
        wanted = tuple(mine)
        for need in wanted:
            if need not in self.needs:
                raise LookupError(f"no need {need!r}: there are {', '.join(self.needs)}")
        text = self._text(wanted, price)
        return Picture(lambda: self._draw(wanted, price), text, self._alt(wanted, price))

    def _leaf(self, needs: Sequence[str], price: Price | None) -> list[str]:
        found = self.fits(*needs)
        return sorted(found, key=price) if price is not None else found

    def _text(self, mine: Sequence[str], price: Price | None) -> str:
        wide = max(len(row) for rows in self.needs.values() for row in rows)
        lines = []
        for need, rows in self.needs.items():
            leaf = ", ".join(self._leaf([need], price)) or NOBODY
            lines.append(f"{'●' if need in mine else '○'} {need}")
            lines += [f"    {row} and" for row in rows[:-1]]
            lines.append(f"    {rows[-1]:<{wide}} ─▶ {leaf}")
        if mine:
            lines.append(f"all that is marked ● ─▶ {', '.join(self._leaf(mine, price)) or NOBODY}")
        return "\n".join(lines)

    def _alt(self, mine: Sequence[str], price: Price | None) -> str:
        words = []
        for need, rows in self.needs.items():
            leaf = ", ".join(self._leaf([need], price)) or NOBODY
            words.append(f"{need}, by {' and '.join(rows)}: {leaf}")
        told = f"From a need to servers. {'; '.join(words)}."
        if mine:
            told += f" All of {', '.join(mine)}: {', '.join(self._leaf(mine, price)) or NOBODY}."
        return told

    def _draw(self, mine: Sequence[str], price: Price | None) -> Figure:
        step, left, middle, right = 0.5, 0.35, 3.3, 5.75
        axes = sheet(step * (len(self.needs) + 1.5) + (0.3 if mine else 0), 10.6)
        for x, head in ((left, "you need"), (middle, "it rests on"), (right, "it leads to")):
            axes.text(x, 0.25, head, weight="bold", fontsize=10, va="center")
        for place, (need, rows) in enumerate(self.needs.items()):
            y = 0.7 + place * step
            self._line(axes, y, need, rows, need in mine)
            self._boxes(axes, right, y, self._leaf([need], price))
        if mine:
            y = 0.9 + len(self.needs) * step
            axes.text(middle, y, "● all that is marked", weight="bold", fontsize=9, va="center")
            self._boxes(axes, right, y, self._leaf(mine, price))
        figure: Figure = axes.figure
        return figure

    @staticmethod
    def _line(axes: Any, y: float, need: str, rows: Sequence[str], marked: bool) -> None:
        how = {"va": "center", "fontsize": 8.5}
        axes.text(0.12, y, "●" if marked else "○", color=BLUE, **how)
        axes.text(0.35, y, need, weight="bold" if marked else "normal", **how)
        axes.text(3.3, y, "\n".join(rows), style="italic", color=GREY, **how)
        axes.annotate("", (5.7, y), (5.35, y), arrowprops={"arrowstyle": "->", "color": GREY})

    @staticmethod
    def _boxes(axes: Any, x: float, y: float, names: Sequence[str]) -> None:
        for name in names or [NOBODY]:
            ground, edge = (PALE, BLUE) if names else ("white", GREY)
            box = {"boxstyle": "round,pad=0.25", "facecolor": ground, "edgecolor": edge}
            axes.text(x, y, name, fontsize=7.8, va="center", bbox=box)
            x += 0.24 + 0.062 * len(name)


# ---------------------------------------------------------------- memory


def growth(cell: Cell) -> float | None:
    """Return by how many MiB memory grew, as a cell of backpressure tells it; None without one."""
    found = MIB.search(cell.said)
    return float(found[1]) if found else None


def memory_bars(table: FeatureTable, rows: Mapping[str, str], title: str) -> Picture:
    """Draw how much memory a client costs that reads nothing: a bar for each server and row.

    ``rows`` names each row in the legend's words.
    """
    servers = [each.title for each in table.servers]
    found = {
        words: [growth(table[row, each.name]) for each in table.servers]
        for row, words in rows.items()
    }
    wide = max(map(len, servers))
    lines = [title]
    for at, server in enumerate(servers):
        for words, grown in found.items():
            size = grown[at]
            bar = "·" if size is None else "#" * round(max(0.0, size) / 2) or "|"
            said = f"no {words}" if size is None else f"{size:.1f} MiB"
            lines.append(f"{server:<{wide}}  {words:<9}{said:>12}  {bar}")
            server = ""
    alt = f"{title}. " + "; ".join(
        f"{server}: " + ", ".join(
            f"{words} {'none' if grown[at] is None else f'{grown[at]:.1f} MiB'}"
            for words, grown in found.items()
        )
        for at, server in enumerate(servers)
    )  # fmt: skip
    return Picture(lambda: _draw_bars(servers, found, title), "\n".join(lines), f"{alt}.")


def _draw_bars(
    servers: Sequence[str], found: Mapping[str, Sequence[float | None]], title: str
) -> Figure:
    figure = blank(0.9 + 0.42 * len(servers))
    axes, step = figure.subplots(), 0.8 / len(found)
    for place, (words, grown) in enumerate(found.items()):
        at = [row + step * (place - (len(found) - 1) / 2) for row in range(len(servers))]
        colour, hatch = ((GREEN, ""), (ORANGE, "////"))[place % 2]
        sizes = [0.0 if each is None else max(0.0, each) for each in grown]
        bars = axes.barh(at, sizes, step, color=colour, hatch=hatch, edgecolor="white", label=words)
        said = [f"no {words}" if each is None else f"{each:.1f}" for each in grown]
        axes.bar_label(bars, said, padding=4, fontsize=8, color=GREY)
    axes.set_yticks(range(len(servers)), servers)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("MiB by which the server's memory grew")
    axes.set_title(title)
    axes.legend(loc="lower right")
    return figure
