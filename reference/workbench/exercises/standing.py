"""What the learner has done, as one table: read from the progress and the files; nothing is run.

Signs, not grades: ✓ solved, ◆ solved after a look at the solution, ◐ begun, ○ open.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench import predict, progress
from workbench.exercises import runner
from workbench.exercises.catalogue import all_exercises, select
from workbench.exercises.memory import EARLY, LATE
from workbench.exercises.model import Exercise
from workbench.exercises.strip import EXERCISES

SOLVED, AFTER_A_LOOK, BEGUN, OPEN = "✓", "◆", "◐", "○"
LEGEND = f"{SOLVED} solved  {AFTER_A_LOOK} after a look at the solution  {BEGUN} begun  {OPEN} open"
HEADS = ("", "solved", "begun", "open", "effort", "hints", "seen", "guess")
NOTES = (
    "effort: stars of what is solved, of all.   hints: read.",
    "seen: solutions.   guess: predictions made, of all.",
)


@dataclass(frozen=True)
class One:
    """How it stands with one exercise: its sign, how many hints were read, the solution seen."""

    exercise: Exercise
    sign: str
    hints: int
    seen: bool

    @property
    def solved(self) -> bool:
        """It counts, whatever was looked at before."""
        return self.sign in (SOLVED, AFTER_A_LOOK)


@dataclass(frozen=True)
class Standing:
    """A table with its title and what follows it, for a terminal of 60 columns and a notebook."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    after: tuple[str, ...]

    def __repr__(self) -> str:
        table = [self.heads, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(_cells(row, widths)).rstrip() for row in table]
        return "\n".join([self.title, *filter(None, lines), *self.after])

    @property
    def text(self) -> str:
        """The table as text."""
        return repr(self)

    def _repr_html_(self) -> str:
        rows = [
            "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row)
            for row in self.rows
        ]
        head = "".join(
            f'<th style="text-align:left">{html.escape(cell)}</th>' for cell in self.heads
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        after = "".join(f"<div>{html.escape(line)}</div>" for line in self.after)
        title = f"<b>{html.escape(self.title)}</b>"
        return f"<div>{title}<table><tr>{head}</tr>{body}</table>{after}</div>"


def _cells(row: Sequence[str], widths: Iterable[int]) -> list[str]:
    """Fill each cell up: a word begins at its left, a number ends at its right."""
    pairs = zip(row, widths, strict=True)
    return [
        cell.rjust(width) if number and cell[:1].isdigit() else cell.ljust(width)
        for number, (cell, width) in enumerate(pairs)
    ]


def standing(chapter: int | None = None, folder: Path = EXERCISES) -> Standing:
    """Return the table of all chapters, or of the exercises of one; raise UnknownExercise."""
    if chapter is not None:
        return _of_chapter(_each(select(str(chapter)), folder))
    ones = _each(all_exercises(), folder)
    chapters = sorted({one.exercise.chapter for one in ones})
    asked, answered = _predictions()
    rows = []
    for number in [*chapters, -1]:  # the last one is the sum
        of_it = [one for one in ones if number in (one.exercise.chapter, -1)]
        name = f"{number:02}" if number >= 0 else "all"
        signs = "".join(one.sign for one in of_it) if number >= 0 else ""
        rows.append((f"{name} {signs}".rstrip(), *_counts(of_it), _of(answered, asked, number)))
    following = next((one.exercise for one in ones if not one.solved), None)
    after = ["", LEGEND, *NOTES]
    if following is not None:
        after.append(f"Next: {following.name} {following.stars}, exercises/{following.file}")
    return Standing(summary(ones), HEADS, tuple(rows), tuple(after))


def summary(ones: Sequence[One]) -> str:
    """Say in short how far it is: "7 of 44 solved"."""
    return f"{sum(one.solved for one in ones)} of {len(ones)} solved"


def how_far() -> str:
    """Say in short how far it is, for the head of the watch; no file is read for it."""
    solved = progress.entries("exercise")
    names = [exercise.name for exercise in all_exercises()]
    return f"{sum(bool(solved.get(name)) for name in names)} of {len(names)} solved"


def _each(exercises: Iterable[Exercise], folder: Path) -> list[One]:
    solved, tried = progress.entries("exercise"), progress.entries("tried")
    hints, seen = progress.entries("hint"), progress.entries("solution")
    ones = []
    for exercise in exercises:
        name, path = exercise.name, folder / exercise.file
        look = seen.get(name)
        if solved.get(name):
            sign = AFTER_A_LOOK if look == EARLY else SOLVED
        elif tried.get(name) or (path.is_file() and not runner.is_untouched(exercise, path)):
            sign = BEGUN
        else:
            sign = OPEN
        read = hints.get(name)
        ones.append(
            One(exercise, sign, read if isinstance(read, int) else 0, look in (EARLY, LATE))
        )
    return ones


def _counts(ones: Sequence[One]) -> tuple[str, ...]:
    signs = [one.sign for one in ones]
    solved = [one for one in ones if one.solved]
    stars = [sum(one.exercise.effort for one in some) for some in (solved, ones)]
    return (
        str(len(solved)),
        str(signs.count(BEGUN)),
        str(signs.count(OPEN)),
        f"{stars[0]}/{stars[1]}",
        str(sum(one.hints for one in ones)),
        str(sum(one.seen for one in ones)),
    )


def _predictions() -> tuple[list[int], list[int]]:
    """Return the chapter of each question, and of each that was answered."""
    keys, answers = predict.keys(), progress.entries(predict.KIND)
    return [int(key[:2]) for key in keys], [int(key[:2]) for key in keys if answers.get(key)]


def _of(some: list[int], of_all: list[int], chapter: int) -> str:
    counts = [len(each) if chapter < 0 else each.count(chapter) for each in (some, of_all)]
    return f"{counts[0]}/{counts[1]}"


def _of_chapter(ones: Sequence[One]) -> Standing:
    rows = []
    for one in ones:
        hints = f"{one.hints} of {len(one.exercise.hints)}"
        row = (f"{one.sign} {one.exercise.name}", one.exercise.stars, hints)
        rows.append((*row, "yes" if one.seen else "", one.exercise.title))
    heads = ("", "effort", "hints", "seen", "")
    return Standing(summary(ones), heads, tuple(rows), (LEGEND,))
