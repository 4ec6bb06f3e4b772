"""What is remembered of an exercise, in the learner's progress: who reads it, and what it means.

exercise  name  True                      solved
tried     name  True                      a check has looked at something of the learner's
hint      name  1, 2 or 3                 hints read
solution  name  "asked", "early", "late"  asked for once; seen before, or after, it was solved
watch     at    name                      where the watch in the terminal is
"""

from __future__ import annotations

from workbench import progress
from workbench.exercises.model import Exercise
from workbench.exercises.runner import Grade

ASKED, EARLY, LATE = "asked", "early", "late"


def remember(exercise: Exercise, grade: Grade) -> None:
    """Remember what a check has shown. What was solved once stays solved."""
    if grade.passed:
        if not is_solved(exercise):
            progress.mark("exercise", exercise.name)
    elif grade.begun and not progress.done("tried", exercise.name):
        progress.mark("tried", exercise.name)


def is_solved(exercise: Exercise) -> bool:
    """Tell whether all points have held once."""
    return bool(progress.done("exercise", exercise.name))


def hints_read(exercise: Exercise) -> int:
    """Return how many of its hints were read."""
    seen = progress.done("hint", exercise.name)
    return seen if isinstance(seen, int) else 0


def hint_was_read(exercise: Exercise, number: int) -> None:
    """Remember a hint that comes next; one that is asked for by its number may be out of turn."""
    if number == hints_read(exercise) + 1:
        progress.mark("hint", exercise.name, number)


def asks_for_solution(exercise: Exercise) -> bool:
    """Remember that somebody asks for the solution, and tell whether it is to be shown."""
    before = progress.done("solution", exercise.name)
    if is_solved(exercise):
        if before not in (EARLY, LATE):
            progress.mark("solution", exercise.name, LATE)
        return True
    if before is None and exercise.name not in _asked:
        progress.mark("solution", exercise.name, ASKED)
        _asked.add(exercise.name)
        return False
    if before != EARLY:
        progress.mark("solution", exercise.name, EARLY)
    return True


_asked: set[str] = set()  # by this process: all there is where no progress is kept


def leave_off(exercise: Exercise) -> None:
    """Remember where the watch is."""
    if progress.done("watch", "at") != exercise.name:
        progress.mark("watch", "at", exercise.name)


def left_off() -> str:
    """Return the name of the exercise at which the watch was, "" for none."""
    name = progress.done("watch", "at")
    return name if isinstance(name, str) else ""
