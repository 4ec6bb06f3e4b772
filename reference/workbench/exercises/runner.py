"""Run a learner's code without trust: it may hang, exit, fork, or raise whatever it likes.

An exercise and a subject come in, results come out. Each point runs in a daemon thread under a
time limit; when that is up, the line at which the code is stuck is told and the thread is ended, or
left behind where it cannot be. What the code prints is kept.

What no thread can stop, such as code that lets no other thread run, or ends the process, is for
`apart`: it has all this done in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import io
import linecache
import math
import os
import re
import signal
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.contracts import Broken, sent_line
from workbench.exercises import stuck
from workbench.exercises.model import Exercise, Hangs, Point, Slip, handed
from workbench.exercises.strip import handed_out
from workbench.places import ROOT, file_name, is_ours, is_the_learners

IMPORT_SECONDS = 5.0
HANGS = 2  # after so many points that hang the rest is not looked at: a notebook's cell has 30 s
MOST_PRINTED = 2000  # characters that are kept of what the code prints

PASSED, FAILED, WAITS, NOT_RUN = "passed", "failed", "waits for your code", "not looked at"


@dataclass(frozen=True)
class Result:
    """What came of one point. ``problem`` is one line, ``details`` are bytes and such below it.

    ``slip`` tells that the point's trap has nothing to add, ``raised`` that the code raised
    something, and ``clause`` who demands it.
    """

    point: Point
    state: str
    problem: str = ""
    details: tuple[str, ...] = ()
    slip: bool = False
    raised: bool = False
    clause: str = ""


@dataclass
class Grade:
    """What came of all points. ``obstacle`` is the one line for code that could not be looked at.

    ``printed`` is what the code has printed, and ``lines`` how many lines that were. ``ended``
    tells that the code took its process with it, so that the rest was not looked at.
    """

    results: list[Result] = field(default_factory=list)
    obstacle: str = ""
    printed: str = ""
    lines: int = 0
    ended: bool = False

    def begins(self, seconds: float) -> None:
        """Hear that the import, or the next point, begins, and how long it may take."""

    def add(self, result: Result) -> None:
        """Take the result of the next point."""
        self.results.append(result)

    @property
    def passed(self) -> bool:
        """Every point was looked at and holds."""
        states = {result.state for result in self.results}
        return not self.obstacle and states == {PASSED}

    @property
    def begun(self) -> bool:
        """The learner has written something, as far as one can tell."""
        return bool(self.obstacle) or {result.state for result in self.results} != {WAITS}


class Unusable(Exception):
    """The learner's file has nothing to look at; the message is one line that says why."""


def grade_file(
    exercise: Exercise,
    path: Path,
    seconds: float | None = None,
    untouched_too: bool = False,
    grade: Grade | None = None,
) -> Grade:
    """Import a learner's file and look at all points of an exercise.

    A file that is as it was handed out waits for the learner; it is run only if ``untouched_too``.
    ``seconds`` may make the exercise's own limit shorter. ``grade`` is filled, when it is given.
    """
    grade = grade or Grade()
    if not untouched_too and is_untouched(exercise, path):
        grade.results = [Result(point, WAITS) for point in exercise.points]
        return grade
    with _captured(grade):
        grade.begins(IMPORT_SECONDS)
        try:
            subject = load(exercise, path)
        except Unusable as unusable:
            grade.obstacle = tidy(str(unusable))
            return grade
        _look(exercise, subject, grade, seconds)
    return grade


def is_untouched(exercise: Exercise, path: Path) -> bool:
    """Tell whether a file is as it was handed out."""
    try:
        return path.read_text(encoding="utf-8") == handed_out(exercise)
    except (OSError, UnicodeDecodeError):
        return False


def grade_object(
    exercise: Exercise, subject: Any, seconds: float | None = None, grade: Grade | None = None
) -> Grade:
    """Look at all points of an exercise, on an object."""
    grade = grade or Grade()
    with _captured(grade):
        _look(exercise, subject, grade, seconds)
    return grade


def _look(exercise: Exercise, subject: Any, grade: Grade, seconds: float | None) -> None:
    hung = 0
    for point in exercise.points:
        limit = limit_of(exercise, point)
        limit = limit if seconds is None else min(seconds, limit)
        if hung >= HANGS:
            grade.add(Result(point, NOT_RUN))
            continue
        grade.begins(limit)
        call = _Call(functools.partial(_run, point.run, subject))
        result = call.result(point, limit)
        hung += HANGS if call.runs_on else call.hung
        grade.add(result)


def limit_of(exercise: Exercise, point: Point) -> float:
    """Return how many seconds a point may take."""
    return exercise.seconds if point.seconds is None else point.seconds


def _run(run: Callable[[Any], object], subject: Any) -> None:
    waited = run(subject)
    if inspect.iscoroutine(waited):
        asyncio.run(waited)


# --- One call ---------------------------------------------------------------------------------

is_apart = False  # this process was started for a check, and ends with it
behind: list[Callable[[], object]] = []  # what such a process does behind the last point


class _Call:
    """A function that runs in a thread of its own, and what came of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self.value: object = None
        self.hung = False
        self.runs_on = False  # it could not be ended, and takes time from all that follows
        self._work = work
        self._thread = threading.Thread(target=self._guarded, name="exercise", daemon=True)

    def _guarded(self) -> None:
        process = os.getpid()
        try:
            self.value = self._work()
        except BaseException as error:
            self.error = error
        finally:
            if os.getpid() != process:
                os._exit(0)  # a child that the learner's code forked and did not end

    def run(self, seconds: float) -> str:
        """Run it; return the line that tells of a hang, "" when it came to an end."""
        with _short_lived_children(seconds):
            self._thread.start()
            try:
                self._thread.join(seconds)
            except BaseException:  # the person at the keyboard does not want to wait
                stuck.end(self._thread)
                raise
            if not self._thread.is_alive():
                return ""
            self.hung = True
            place, waits = stuck.where(self._thread)
            verb = "waiting" if waits else "running"
            told = f"your code is still {verb} after {seconds:g} s"
            told += f", at {place}" if place else ""
            if not stuck.end(self._thread) and not waits:
                self.runs_on = True
                told += ". It cannot be stopped, for it catches every exception"
                told += "" if is_apart else ": restart the kernel to be rid of it"
        return told

    def result(self, point: Point, seconds: float) -> Result:
        """Run it and say what that means for a point."""
        told = self.run(seconds)
        if told:
            return Result(point, FAILED, tidy(told))
        if self.error is None:
            return Result(point, PASSED)
        error, self.error = self.error, None
        self.hung = isinstance(error, Hangs)
        if is_the_placeholder(error):
            return Result(point, WAITS)
        problem, *details = tidy(explain(error)).splitlines() or [type(error).__name__]
        if (sent := handed(error)) is not None:
            details.append(sent_line(sent))
        traceback.clear_frames(error.__traceback__)  # or sockets stay open until who knows when
        raised, slip = not isinstance(error, AssertionError), is_a_slip(error)
        clause = "" if raised or slip else clause_of(error, point)
        return Result(point, FAILED, problem, tuple(details), slip, raised, clause)


_CHILD_SECONDS = 0  # greater than 0 while a learner's code runs


def _limit_child() -> None:
    """In a forked child: end with the point that it was forked for, whatever it does."""
    if _CHILD_SECONDS:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_CHILD_SECONDS)


if hasattr(os, "register_at_fork") and hasattr(signal, "alarm"):
    os.register_at_fork(after_in_child=_limit_child)


@contextlib.contextmanager
def _short_lived_children(seconds: float) -> Iterator[None]:
    global _CHILD_SECONDS
    _CHILD_SECONDS = math.ceil(seconds) + 1
    try:
        yield
    finally:
        _CHILD_SECONDS = 0


# --- The learner's file -----------------------------------------------------------------------


def load(exercise: Exercise, path: Path) -> Any:
    """Return the subject from a learner's file; raise Unusable with one line."""
    name = f"exercises/{path.name}"
    if not path.is_file():
        back = f"python -m workbench.exercises strip --only {exercise.name}"
        raise Unusable(f"{name} is missing; get it back with: {back}")
    linecache.checkcache(str(path))
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)

    def work() -> None:
        # Not importlib: it would keep the compiled file of an edit less than a second ago.
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
        sys.modules[path.stem] = module  # dataclasses and pickle look there
        exec(code, module.__dict__)

    call = _Call(work)
    told = call.run(IMPORT_SECONDS)
    if told:
        raise Unusable(f"{name} does not come to its end when it is imported: {told}")
    if call.error is not None:
        raise Unusable(f"{name} cannot be imported: {explain(call.error)}")
    if not hasattr(module, exercise.subject):
        raise Unusable(f"{name} does not define {exercise.subject}")
    return getattr(module, exercise.subject)


# --- Words for errors -------------------------------------------------------------------------


def is_the_placeholder(error: BaseException | None) -> bool:
    """Tell whether an error comes from a place that still waits for the learner's code."""
    seen = error
    while seen is not None:
        if "NotImplementedError" in f"{type(seen).__name__} {seen}" and "your turn" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_a_slip(error: BaseException) -> bool:
    """Tell a fault that explains itself: a misspelt name, a str among bytes, a Slip of a check."""
    mixed = isinstance(error, TypeError) and {"bytes", "str"} <= set(re.findall(r"\w+", str(error)))
    return mixed or isinstance(error, Slip | NameError)


def clause_of(error: BaseException, point: Point) -> str:
    """Return who demands what was found broken: the fault may know better than its point."""
    own = error.clause if isinstance(error, Broken) else None
    return point.clause if own is None else own


def explain(error: BaseException) -> str:
    """Return what an error says to a learner: the first line for itself, then the details."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename and is_the_learners(error.filename):
        line = f": {error.text.strip()}" if error.text else ""
        return f"{type(error).__name__}: {error.msg}, at line {error.lineno}{line}"
    said = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_the_learners(frame.filename)]
    if isinstance(error, SystemExit):
        said = f"your code ended the program ({said})"
    if isinstance(error, AssertionError) and not own:
        return str(error) or f"this does not hold: {frames[-1].line}"
    if not own:
        return f"the check could not use what your code gave back: {said}"
    frame = own[-1]
    within = "" if frame.name.startswith("<") else f", in {frame.name}"
    return f"{said}, at line {frame.lineno} of {file_name(frame.filename)}{within}: {frame.line}"


def is_of_the_check(error: BaseException) -> bool:
    """Tell an error of a check's own thread, in which no line of the learner's had a part."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(map(is_ours, files)) and not any(map(is_the_learners, files))


_CHANGING = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0x..."),
    (re.compile(r"\bfd=\d+"), "fd=..."),
    (re.compile(r"(127\.0\.0\.1'?(?:, |:))\d+"), r"\1PORT"),
)


def tidy(text: str) -> str:
    """Take out of a text what differs from run to run and from machine to machine."""
    text = text.replace(str(ROOT) + os.sep, "")
    # Absolute paths alone: what is relative to the course by now is as it should be.
    text = re.sub(r"(?<![\w.])(?:/[^\s'\"/:]+)*/(ch\d\d_\w+\.py)", r"exercises/\1", text)
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return text


# --- What the code prints ---------------------------------------------------------------------


class _Printed(io.TextIOBase):
    """A stream that keeps the beginning of what is written for a grade, and counts the lines."""

    def __init__(self, grade: Grade) -> None:
        super().__init__()
        self._grade = grade

    def write(self, text: str) -> int:
        self._grade.printed += text[: max(0, MOST_PRINTED - len(self._grade.printed))]
        self._grade.lines += text.count("\n")
        return len(text)


@contextlib.contextmanager
def _captured(grade: Grade) -> Iterator[None]:
    """Keep what is printed, and what kills a thread, for the grade; warnings are not shown."""
    printed = _Printed(grade)

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or isinstance(args.exc_value, SystemExit):
            return
        if not is_of_the_check(args.exc_value):
            print(f"a thread ended with {explain(args.exc_value)}", file=printed)

    hook, threading.excepthook = threading.excepthook, of_thread
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        threading.excepthook = hook
        grade.printed = tidy(grade.printed)
