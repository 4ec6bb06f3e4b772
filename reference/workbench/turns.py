"""Who had the loop when: one column for each turn, one row for each coroutine.

Where time passes between two turns, there is a column in which nobody has the loop.

    turns = Turns(loop.time)
    loop.run(turns("main", main()))     # main() wraps what it starts: turns("A", a())
    turns.picture("Three sleeps")

A coroutine comes in, and one that does the same comes out and notes each turn that it gets, from
one wait to the next. Any loop can run it, for a loop needs no more than `send` and `throw`. With a
clock that jumps the picture is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from itertools import pairwise
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.picture import BLUE, GREY, PALE, RED, Picture, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN = 7  # characters
WAITS, ENDS, FAILS = "waits", "ends", "fails"
SIGNS = {WAITS: " ", ENDS: ".", FAILS: "✗"}
LEGEND = "█ has the loop   ~ waits for   . has ended   ✗ has ended with an error"
THROWN = "   ! an error is thrown in"


class Turn(NamedTuple):
    """One turn: from being woken to the next wait, or to the end."""

    who: str
    at: float
    how: str  # how it ended: WAITS, ENDS, FAILS
    what: str = ""  # what it waits for, or the error it ended with
    thrown: str = ""  # the error that was thrown into it


class Turns:
    """Notes the turns of coroutines. Call it with a name and a coroutine."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.turns: list[Turn] = []
        self.clock = clock

    def __call__(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> Noted:
        """Return a coroutine that does the same, and is noted."""
        return Noted(name, coroutine, self)

    @property
    def order(self) -> str:
        """Say who had the turns, in their order."""
        return " ".join(turn.who for turn in self.turns)

    def picture(self, title: str = "Who had the loop") -> Picture:
        """Draw the turns so far."""
        turns = list(self.turns)
        steps = "; ".join(_told(turn) for turn in turns)
        return Picture(
            lambda: _draw(turns, title), _text(turns, title), f"{title}. In order: {steps}."
        )


class Noted(Coroutine[Any, Any, Any]):
    """A coroutine, and a note of every turn that it gets."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, Any], turns: Turns) -> None:
        self.__name__ = name
        self._coroutine = coroutine
        self._turns = turns

    def send(self, value: Any) -> Any:
        """Give it a turn."""
        return self._turn(lambda: self._coroutine.send(value))

    def throw(self, *error: Any) -> Any:
        """Give it a turn that begins with an error."""
        name = getattr(error[0], "__name__", type(error[0]).__name__)
        return self._turn(lambda: self._coroutine.throw(*error), name)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        """Be awaited like what it wraps."""
        return self._coroutine.__await__()

    def _turn(self, go: Callable[[], Any], thrown: str = "") -> Any:
        turns, place = self._turns, len(self._turns.turns)
        at = turns.clock()
        turns.turns.append(Turn(self.__name__, at, ENDS, "", thrown))
        try:
            waited = go()
        except StopIteration:
            raise
        except BaseException as error:
            turns.turns[place] = Turn(self.__name__, at, FAILS, type(error).__name__, thrown)
            raise
        turns.turns[place] = Turn(self.__name__, at, WAITS, _waits_for(self._coroutine), thrown)
        return waited


def _waits_for(coroutine: Any) -> str:
    """Name the innermost coroutine that it stands in; "" where that is itself."""
    name = ""
    inner = getattr(coroutine, "cr_await", None)
    while isinstance(inner, CoroutineType):
        # In old Pythons a comprehension is a coroutine of its own.
        name, inner = inner.__name__ if inner.__name__[0] != "<" else name, inner.cr_await
    return name


def _told(turn: Turn) -> str:
    how = f"{turn.how} {turn.what}".strip().replace("waits ", "waits for ")
    return f"{turn.who} {f'gets {turn.thrown} and ' if turn.thrown else ''}{how}"


# --- The grid: where each coroutine waits -----------------------------------------------------


class Wait(NamedTuple):
    """The columns in which a coroutine waits, the first and the last."""

    who: str
    first: int
    last: int
    what: str


def _columns(turns: Sequence[Turn]) -> list[int]:
    """Give each turn its column."""
    passes = [False, *(after.at != before.at for before, after in pairwise(turns))]
    return [number + sum(passes[: number + 1]) for number in range(len(turns))]


def _waits(turns: Sequence[Turn]) -> list[Wait]:
    found = []
    columns = _columns(turns)
    for number, turn in enumerate(turns):
        if turn.how != WAITS:
            continue
        later = (n for n in range(number + 1, len(turns)) if turns[n].who == turn.who)
        woken = next(later, None)
        last = columns[-1] if woken is None else columns[woken] - 1
        if last > columns[number]:
            found.append(Wait(turn.who, columns[number] + 1, last, turn.what))
    return found


def _people(turns: Sequence[Turn]) -> list[str]:
    return list(dict.fromkeys(turn.who for turn in turns))


def _times(turns: Sequence[Turn]) -> list[str]:
    """Write the time above each column, where there is a clock; only where it has changed."""
    if not any(turn.at for turn in turns):
        return []
    said = [""] * (_columns(turns)[-1] + 1)
    before = None
    for column, turn in zip(_columns(turns), turns, strict=True):
        said[column] = "" if turn.at == before else f"{turn.at:.3g} s"
        before = turn.at
    return said


def _legend(turns: Sequence[Turn]) -> str:
    return LEGEND + (THROWN if any(turn.thrown for turn in turns) else "")


def _text(turns: Sequence[Turn], title: str) -> str:
    names = max([len(who) for who in _people(turns)] + [4]) + 2
    lines = [title]
    if times := _times(turns):
        lines.append((f"{'time':<{names}}" + "".join(f"{at:<{COLUMN}}" for at in times)).rstrip())
    columns = _columns(turns)
    for who in _people(turns):
        row = [" "] * (COLUMN * (columns[-1] + 1))
        for wait in _waits(turns):
            if wait.who == who:
                start, end = wait.first * COLUMN, (wait.last + 1) * COLUMN - 1
                label = f" {wait.what} " if wait.what else ""
                row[start:end] = label.center(end - start, "~")[: end - start]
        for number, turn in enumerate(turns):
            if turn.who == who:
                start = columns[number] * COLUMN
                sign = f"{'!' if turn.thrown else ' '}██{SIGNS[turn.how]}"
                row[start : start + len(sign)] = sign
                if turn.how == WAITS:
                    row[start + 3 : start + COLUMN] = "~" * (COLUMN - 3)
        lines.append(f"{who:<{names}}{''.join(row)}".rstrip())
    return "\n".join([*lines, _legend(turns)])


# --- PNG --------------------------------------------------------------------------------------

ROW, HEAD, LEFT = 0.46, 0.72, 1.05  # inches


def _draw(turns: Sequence[Turn], title: str) -> Figure:
    people = _people(turns)
    columns = _columns(turns)
    count = columns[-1] + 1 if turns else 1
    wide = min(0.72, 8.1 / count)
    axes = sheet(HEAD + ROW * len(people) + 0.34, LEFT + wide * max(count, 9) + 0.2)
    axes.text(0.1, 0.2, title, fontsize=11, va="center")
    rows = {who: HEAD + ROW * (number + 0.5) for number, who in enumerate(people)}
    for who, y in rows.items():
        axes.text(0.1, y, who, fontsize=9.5, va="center")
        axes.plot((LEFT, LEFT + wide * count), (y, y), color="#DDDDDD", linewidth=0.8)
    for wait in _waits(turns):
        left, width = LEFT + wide * wait.first, wide * (wait.last + 1 - wait.first)
        _bar(axes, left, rows[wait.who], width, PALE, "////")
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        axes.text(left + width / 2, rows[wait.who], wait.what, fontsize=8.5, ha="center",
                  va="center", bbox=ground)  # fmt: skip
    for column, turn in zip(columns, turns, strict=True):
        _draw_turn(axes, turn, LEFT + wide * column, wide, rows[turn.who])
    for number, at in enumerate(_times(turns)):
        axes.text(LEFT + wide * number, HEAD - 0.16, at, fontsize=8.5, color=GREY)
    legend = _legend(turns).translate(str.maketrans("█~.", "■▨●"))
    below = HEAD + ROW * len(people) + 0.17
    axes.text(0.1, below, legend, fontsize=8.5, va="center", color=GREY)
    figure: Figure = axes.figure
    return figure


def _draw_turn(axes: Any, turn: Turn, left: float, wide: float, y: float) -> None:
    bad = turn.how == FAILS
    _bar(axes, left, y, wide, RED if bad else BLUE, "")
    sign = ("! " if turn.thrown else "") + SIGNS[turn.how].strip()
    axes.text(left + wide / 2, y, sign.replace(".", "●"), fontsize=9, ha="center", va="center",
              color="white", weight="bold")  # fmt: skip


def _bar(axes: Any, left: float, y: float, width: float, face: str, hatch: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((left, y - 0.15), width, 0.3, facecolor=face, edgecolor="white" if not hatch else
                  "#9DB9CC", hatch=hatch, linewidth=0.8, zorder=2)
    )  # fmt: skip
