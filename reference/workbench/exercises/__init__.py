"""Exercises that check themselves: ``check("split-reads")``, ``hint("split-reads")``.

A learner's file, or an object from a notebook's cell, comes in; a report comes out that names each
point, what failed, and why. Nothing that the learner's code does ends the kernel. ``solution`` is
for whoever has passed or asks twice, ``progress`` the table of what is done; `watch` has the same
in a terminal, and `memory` tells what is remembered for all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.exercises import answer, apart, memory, report, standing
from workbench.exercises.catalogue import UnknownExercise, find
from workbench.exercises.model import Exercise, Point
from workbench.exercises.report import Note, Report
from workbench.exercises.standing import Standing
from workbench.exercises.strip import EXERCISES

__all__ = ["Exercise", "Note", "Point", "Report", "check", "hint", "progress", "solution"]

_FILE: Any = object()


def check(name: str, subject: Any = _FILE, *, folder: Path = EXERCISES) -> Report:
    """Check your file for an exercise, or an object that you have made in a cell.

    Never raises; what is wrong stands in the report. The code runs in a process of its own: what
    it changes in a global of the notebook is forgotten.
    """
    try:
        exercise = find(name)
    except UnknownExercise as unknown:
        return report.trouble(str(unknown))
    own_file = subject is _FILE
    if own_file:
        grade = apart.grade_file(exercise, folder / exercise.file)
    else:
        grade = apart.grade_object(exercise, subject)
    if folder == EXERCISES:  # not for the files of somebody else
        memory.remember(exercise, grade)
    return report.report(exercise, grade, own_file)


def hint(name: str, number: int | None = None) -> Note:
    """Show the next hint for an exercise, or the one of a given number, 1 to 3."""
    try:
        exercise = find(name)
    except UnknownExercise as unknown:
        return report.trouble(str(unknown))
    most = len(exercise.hints)
    if number is None:
        number = min(memory.hints_read(exercise) + 1, most)
    if number not in range(1, most + 1):
        return report.trouble(f"There are {most} hints for {exercise.name}: 1 to {most}.")
    memory.hint_was_read(exercise, number)
    return report.note(f"Hint {number} of {most}", exercise.hints[number - 1])


def solution(name: str) -> Note:
    """Show the solution of an exercise: after it is solved, or to whoever asks twice."""
    try:
        exercise = find(name)
    except UnknownExercise as unknown:
        return report.trouble(str(unknown))
    return answer.solution(exercise)


def progress(chapter: int | None = None) -> Standing | Note:
    """Show what you have done, a line for each chapter, or for each exercise of one chapter."""
    try:
        return standing.standing(chapter)
    except UnknownExercise as unknown:
        return report.trouble(str(unknown))
