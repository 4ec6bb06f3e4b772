"""The exercises of chapter 15: blocking versus async, measured."""

from __future__ import annotations

from workbench.exercises import exhibits, measured_async, measured_places
from workbench.exercises.model import Exercise

EXERCISES: tuple[Exercise, ...] = (
    *measured_places.EXERCISES,
    *measured_async.EXERCISES,
    *exhibits.EXERCISES,
)
