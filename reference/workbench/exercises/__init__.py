"""Exercises that check themselves: ``check("split-reads")``, ``hint("split-reads")``.

A learner's file, or an object from a notebook's cell, comes in; a report comes out that names each
point, what failed, and why. Nothing that the learner's code does ends the kernel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench import progress
from workbench.exercises import report as reports
from workbench.exercises import runner
from workbench.exercises.catalogue import UnknownExercise, find
from workbench.exercises.model import Exercise, Point
from workbench.exercises.report import Note, Report
from workbench.exercises.strip import EXERCISES

__all__ = ["Exercise", "Note", "Point", "Report", "check", "hint"]

_FILE: Any = object()


def check(name: str, subject: Any = _FILE, *, folder: Path = EXERCISES) -> Report:
    """Check your file for an exercise, or an object that you have made in a cell.

    Never raises; what is wrong stands in the report.
    """
    try:
        exercise = find(name)
    except UnknownExercise as unknown:
        return reports.trouble(str(unknown))
    own_file = subject is _FILE
    if own_file:
        grade = runner.grade_file(exercise, folder / exercise.file)
    else:
        grade = runner.grade_object(exercise, subject)
    if grade.passed and folder == EXERCISES:  # not for the files of somebody else
        progress.mark("exercise", exercise.name)
    return reports.report(exercise, grade, own_file)


def hint(name: str, number: int | None = None) -> Note:
    """Show the next hint for an exercise, or the one of a given number, 1 to 3."""
    try:
        exercise = find(name)
    except UnknownExercise as unknown:
        return reports.trouble(str(unknown))
    most = len(exercise.hints)
    if number is None:
        seen = progress.done("hint", exercise.name)
        number = min((seen if isinstance(seen, int) else 0) + 1, most)
        progress.mark("hint", exercise.name, number)
    if number not in range(1, most + 1):
        return reports.trouble(f"There are {most} hints for {exercise.name}: 1 to {most}.")
    return reports.note(f"Hint {number} of {most}", exercise.hints[number - 1])
