"""All that a notebook uses, in one flat namespace: ``from workbench.lab import *``.

Every notebook's first cell imports it and calls ``start()``, which gives each cell a time limit.
"""

from __future__ import annotations

import importlib
from typing import Any

from workbench.curves import curves, memory_from_here, watch
from workbench.deadline import deadline, limit, start
from workbench.farewell import farewell
from workbench.load import load, ramp
from workbench.machines import draw, trace
from workbench.maps import course_map
from workbench.predict import outcome, predict
from workbench.running import fixed, running
from workbench.setup import setup_report
from workbench.show import dialogue, raw, show
from workbench.tcp import connected, push, reset, sequence, tape
from workbench.timeline import compare, throughput, timeline
from workbench.visit import visit
from workbench.waits import two_ways_to_wait
from workbench.xray import xray

__all__ = [
    "check", "compare", "connected", "course_map", "curves", "deadline", "dialogue", "draw",
    "farewell", "fixed", "hint", "limit", "load", "memory_from_here", "outcome", "predict",
    "progress", "push", "ramp", "raw", "reset", "running", "sequence", "setup_report", "show",
    "solution", "start", "tape", "throughput", "timeline", "trace", "two_ways_to_wait", "visit",
    "watch", "xray",
]  # fmt: skip


def check(*things: Any, **options: Any) -> Any:
    """Check an exercise: see ``workbench.exercises.check``, which is loaded when it is called."""
    return importlib.import_module("workbench.exercises").check(*things, **options)


def hint(*things: Any, **options: Any) -> Any:
    """Give the next hint for an exercise: see ``workbench.exercises.hint``."""
    return importlib.import_module("workbench.exercises").hint(*things, **options)


def solution(*things: Any, **options: Any) -> Any:
    """Show a solution: see ``workbench.exercises.solution``."""
    return importlib.import_module("workbench.exercises").solution(*things, **options)


def progress(*things: Any, **options: Any) -> Any:
    """Show what you have done: see ``workbench.exercises.progress``."""
    return importlib.import_module("workbench.exercises").progress(*things, **options)
