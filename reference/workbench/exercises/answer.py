"""The solution of an exercise, to be laid beside one's own.

It is shown once the exercise is solved, or to whoever asks twice: a look at an answer is a way to
learn, and a poor one when it comes by accident.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from workbench.exercises import memory, report, strip
from workbench.exercises.model import Exercise
from workbench.exercises.report import Line, Note
from workbench.show import excerpt_html

BAR, NO_BAR = "│ ", "  "


@dataclass(frozen=True, repr=False)
class Solution(Note):
    """A solution's source; ``written`` are the numbers of the lines that the learner was to write.

    Lines count from 1.
    """

    file: str = ""
    source: str = ""
    written: tuple[int, ...] = ()

    def _repr_html_(self) -> str:
        ground: Line = (0, "plain", "On a coloured ground stands what was yours to write.")
        head = Note((self.lines[0], ground))._repr_html_()
        file = f"solutions/{self.file}"
        return head + excerpt_html(file, file, self.source, self.written)


def solution(exercise: Exercise) -> Note:
    """Return the solution, or one calm line to whoever asks for the first time and too early."""
    path = strip.SOLUTIONS / exercise.file
    if not path.is_file():
        return report.trouble(f"solutions/{exercise.file} is missing: get the course anew.")
    if not memory.asks_for_solution(exercise):
        return report.trouble(_not_yet(exercise))
    source, written = lay_out(path.read_text(encoding="utf-8"))
    bars = [BAR if number in written else NO_BAR for number in range(1, source.count("\n") + 2)]
    title = f"A solution of {exercise.name}; yours is in exercises/{exercise.file}."
    marks: Line = (0, "plain", f"{BAR.strip()} marks what was yours to write.")
    code: list[Line] = [
        (0, "code", (bar + line).rstrip())
        for bar, line in zip(bars, source.splitlines(), strict=True)
    ]
    return Solution(
        ((0, "head", title), marks, (0, "plain", ""), *code), exercise.file, source, written
    )


def _not_yet(exercise: Exercise) -> str:
    unread = len(exercise.hints) - memory.hints_read(exercise)
    hints = {0: "all its hints are read", 1: "one hint is unread"}.get(
        unread, f"{unread} hints are unread"
    )
    return f"{exercise.name} is not solved yet, and {hints}. Ask again, and you see the solution."


def lay_out(source: str) -> tuple[str, tuple[int, ...]]:
    """Return a solution without its task and its markers, and the numbers of the marked lines."""
    first = ast.parse(source).body[0]
    lines = source.splitlines()
    is_task = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    kept: list[str] = []
    written: list[int] = []
    within = False
    for line in lines[first.end_lineno or 0 :] if is_task else lines:
        if line.strip() in (strip.BEGIN, strip.END):
            within = line.strip() == strip.BEGIN
        elif kept or line.strip():  # no blank lines at the top
            kept.append(line)
            if within:
                written.append(len(kept))
    return "\n".join(kept), tuple(written)
