"""One source for exercise and solution: the exercise is what is left without the solution.

``solutions/`` comes in, with nbgrader's markers around what the learner is to write; ``exercises/``
goes out. What a learner has written is never lost: an edited file is kept, or moved aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from workbench.exercises.model import Exercise
from workbench.places import ROOT

EXERCISES = ROOT / "exercises"
SOLUTIONS = ROOT / "solutions"
ASIDE = ROOT / ".progress-old"

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
TURN = 'raise NotImplementedError("your turn")'
PLACEHOLDER = re.compile(r"^[ \t]*# YOUR CODE HERE\n[ \t]*" + re.escape(TURN) + "$", re.MULTILINE)


class StripError(ValueError):
    """The markers of a solution do not come in pairs, or there are none."""


def strip(source: str) -> str:
    """Return ``source`` with every solution replaced by a place to write.

    >>> print(strip("def f():\\n    ### BEGIN SOLUTION\\n    return 1\\n    ### END SOLUTION\\n"))
    def f():
        # YOUR CODE HERE
        raise NotImplementedError("your turn")
    <BLANKLINE>
    """
    kept: list[str] = []
    within = 0  # the number of the line at which a block began
    blocks = 0
    for number, line in enumerate(source.splitlines(), 1):
        word = line.strip()
        if word == BEGIN:
            if within:
                raise StripError(f"line {number}: {BEGIN} inside of a solution")
            indent = line[: len(line) - len(line.lstrip())]
            kept += [f"{indent}# YOUR CODE HERE", f"{indent}{TURN}"]
            within, blocks = number, blocks + 1
        elif word == END:
            if not within:
                raise StripError(f"line {number}: {END} without a beginning")
            within = 0
        elif not within:
            kept.append(line)
    if within or not blocks:
        raise StripError(f"line {within}: no {END}" if within else f"there is no {BEGIN}")
    return "\n".join(kept) + "\n"


def handed_out(exercise: Exercise) -> str:
    """Return the text of an exercise as it is handed out; "" where its solution is missing."""
    path = SOLUTIONS / exercise.file
    return strip(path.read_text(encoding="utf-8")) if path.is_file() else ""


def was_edited(text: str, stripped: str) -> bool:
    """Tell a learner's work from a file that is older than its solution.

    Whoever began has written over a place to write, or has added lines and taken none away.
    """
    if text == stripped:
        return False
    if len(PLACEHOLDER.findall(text)) < len(PLACEHOLDER.findall(stripped)):
        return True
    lines = iter(text.splitlines())
    return all(line in lines for line in stripped.splitlines())


def differences(exercises: Iterable[Exercise], learner: bool) -> tuple[list[str], list[str]]:
    """Return what is wrong with ``exercises/`` and which files are edited, as lines.

    With ``learner``, an edited file is nothing wrong.
    """
    wrong, edited = [], []
    expected = set()
    for exercise in exercises:
        expected.add(exercise.file)
        path = EXERCISES / exercise.file
        stripped = handed_out(exercise)
        if not stripped:
            wrong.append(f"solutions/{exercise.file} is missing")
        elif not path.is_file():
            wrong.append(f"exercises/{exercise.file} is missing")
        elif (text := path.read_text(encoding="utf-8")) != stripped:
            if learner and was_edited(text, stripped):
                edited.append(exercise.file)
            else:
                wrong.append(f"exercises/{exercise.file} is not what its solution leaves")
    for folder in (EXERCISES, SOLUTIONS):
        for path in sorted(folder.glob("ch*.py")):
            if path.name not in expected:
                wrong.append(f"{folder.name}/{path.name} belongs to no exercise")
    return wrong, edited


def hand_out(exercise: Exercise, again: bool = False) -> str:
    """Write the file of an exercise and return a line that tells what became of it, "" for nothing.

    A learner's work is kept, unless ``again`` asks for a fresh file; then it is moved aside.
    """
    path = EXERCISES / exercise.file
    stripped = handed_out(exercise)
    if not stripped:
        return f"solutions/{exercise.file} is missing"
    told = f"exercises/{exercise.file}: written"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        if text == stripped:
            return ""
        if not was_edited(text, stripped):
            told = f"exercises/{exercise.file}: renewed"
        elif not again:
            return (
                f"exercises/{exercise.file}: kept, you have worked on it "
                f"(strip --only {exercise.name} gives you a fresh one)"
            )
        else:
            told = f"{told}; yours is now {_move_aside(path)}"
    EXERCISES.mkdir(exist_ok=True)
    path.write_text(stripped, encoding="utf-8", newline="\n")
    return told


def _move_aside(path: Path) -> str:
    """Move a file out of the way, under a name that is free, and return that name."""
    ASIDE.mkdir(exist_ok=True)
    target, number = ASIDE / path.name, 1
    while target.exists():
        number += 1
        target = ASIDE / f"{path.stem}.{number}.py"
    path.rename(target)
    return target.relative_to(ROOT).as_posix()
