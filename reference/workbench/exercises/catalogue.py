"""All exercises, from the modules ``chapter00`` to ``chapter16`` that exist."""

from __future__ import annotations

import difflib
import importlib
import importlib.util

from workbench.exercises.model import Exercise

CHAPTERS = range(17)


class UnknownExercise(LookupError):
    """There is no exercise of that name; the message says which come near."""


def of_chapter(number: int) -> tuple[Exercise, ...]:
    """Return the exercises of a chapter, none where it has none."""
    name = f"{__package__}.chapter{number:02}"
    if importlib.util.find_spec(name) is None:
        return ()
    found: tuple[Exercise, ...] = importlib.import_module(name).EXERCISES
    return found


def all_exercises() -> list[Exercise]:
    """Return all exercises in the order of the course."""
    return [exercise for number in CHAPTERS for exercise in of_chapter(number)]


def find(name: str) -> Exercise:
    """Return one exercise by its name or its file; raise UnknownExercise with what comes near."""
    name = str(name)
    exercises = {exercise.name: exercise for exercise in all_exercises()}
    if name in exercises:
        return exercises[name]
    for exercise in exercises.values():
        if name.replace("\\", "/").rpartition("/")[2] == exercise.file:  # as a shell completes it
            return exercise
    near = difflib.get_close_matches(name, exercises, n=2, cutoff=0.6)
    guess = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(exercises)}."
    raise UnknownExercise(f"There is no exercise {name!r}. {guess}")


def select(word: str) -> list[Exercise]:
    """Return the exercises that a word on the command line means: a name, or a chapter's number."""
    if word.isdigit():
        exercises = list(of_chapter(int(word)))
        if not exercises:
            raise UnknownExercise(f"Chapter {int(word)} has no exercises.")
        return exercises
    return [find(word)]
