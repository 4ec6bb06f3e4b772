"""The exercises of chapter 06: WSGI in the wild."""

from __future__ import annotations

from workbench.exercises.model import Exercise
from workbench.exercises.wild_names import WHO_ANSWERS
from workbench.exercises.wild_options import CONFIGURE
from workbench.exercises.wild_reload import RELOAD

EXERCISES: tuple[Exercise, ...] = (WHO_ANSWERS, CONFIGURE, RELOAD)
