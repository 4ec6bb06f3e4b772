"""Check in a process of its own what may hold the interpreter, eat the memory or end the process.

A learner's file, or an object from a cell, comes in; a grade comes out, as from `runner`, which
does the work in that process. Here is what stands outside: it hears of each point as it begins,
and when one does not end in time, or takes too much memory, it asks where the code is and ends the
process with all that it has started. The kernel, or the terminal, lives on whatever happens.

A file is read by a fresh Python; in a program with one thread a fork does, which costs less. An
object cannot be carried over, so a copy of the kernel is forked off: what the code changes in a
global of the notebook is forgotten with the copy. Where nothing can be forked (on Windows; macOS
does not like it beside threads) an object is checked in a thread of the kernel: then nothing ends
code that holds the interpreter but a restart.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import psutil  # type: ignore[import-untyped]

from workbench.ecosystem.remains import below
from workbench.exercises import apart_child, runner, stuck
from workbench.exercises.model import Exercise
from workbench.exercises.runner import FAILED, NOT_RUN, Grade, Result
from workbench.places import ROOT, is_the_learners

START = 20.0  # seconds that a fresh Python has to begin, on a busy machine
GRACE = 3.0  # seconds that the thread's own limit has to end the code, before the process goes
TICK = 0.2  # seconds between two looks at a process that says nothing
MOST_MEMORY = 1 << 30  # bytes more than at the start
PATIENCE = 1.0  # seconds for what follows a kill, and for the answer to where the code is

CHANGED = "the exercise has changed since this program began: start it anew"

FORKS = hasattr(os, "fork") and sys.platform != "darwin"
_LAUNCH = "from workbench.exercises.apart_child import main; main()"


def grade_file(exercise: Exercise, path: Path) -> Grade:
    """Check a learner's file, and wait for the grade."""
    with of_file(exercise, path) as check:
        return check.wait()


def grade_object(exercise: Exercise, subject: Any) -> Grade:
    """Check an object, and wait for the grade."""
    if not FORKS:
        return runner.grade_object(exercise, subject)
    work = partial(_grade_object, exercise, subject)
    with Check(exercise, _Forked(apart_child.seconds_for(exercise), work)) as check:
        return check.wait()


def of_file(exercise: Exercise, path: Path) -> Check:
    """Begin to check a learner's file; nothing is run where nothing was written."""
    if not path.is_file() or runner.is_untouched(exercise, path):
        return Check(exercise, None, grade=runner.grade_file(exercise, path))
    if FORKS and threading.active_count() == 1:
        work = partial(_grade_file, exercise, path)
        forked = _Forked(apart_child.seconds_for(exercise), work)
        return Check(exercise, forked, imports=True)
    return Check(exercise, _Fresh(exercise, path), imports=True)


def _grade_file(exercise: Exercise, path: Path, grade: Grade) -> None:
    runner.grade_file(exercise, path, untouched_too=True, grade=grade)


def _grade_object(exercise: Exercise, subject: Any, grade: Grade) -> None:
    runner.grade_object(exercise, subject, grade=grade)


# --- The two ways to have a process -----------------------------------------------------------


class _Fresh:
    """A new Python. Its standard streams are the three descriptors that it needs."""

    def __init__(self, exercise: Exercise, path: Path) -> None:
        self.dump: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        given = os.environ.get("PYTHONPATH")
        ours = os.pathsep.join(filter(None, [str(ROOT / "reference"), given]))
        name = [str(exercise.chapter), exercise.name, str(path)]
        self._child = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, *name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.dump,
            env={**os.environ, "PYTHONPATH": ours},
            start_new_session=True,
        )
        assert self._child.stdout is not None
        self.results: IO[bytes] = self._child.stdout
        self.pid = self._child.pid

    def exit_code(self) -> int | None:
        """Return the exit code, less than 0 for a signal, None while it runs."""
        return self._child.poll()

    def close(self) -> None:
        """Let go of the lifeline and of the rest, once it has ended."""
        self._child.wait()
        assert self._child.stdin is not None
        self._child.stdin.close()
        self.results.close()
        self.dump.close()


class _Forked:
    """A copy of this process. It never comes back from ``work``."""

    def __init__(self, seconds: float, work: apart_child.Work) -> None:
        self.dump: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        reader, writer = os.pipe()
        lifeline, self._lifeline = os.pipe()
        self._code: int | None = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other threads are not copied; we use none of them
            self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                os.close(self._lifeline)
                apart_child.live(writer, lifeline, self.dump.fileno(), seconds, work)
            finally:
                os._exit(1)
        os.close(writer)
        os.close(lifeline)
        self.results: IO[bytes] = open(reader, "rb")  # noqa: SIM115  # close() does it

    def exit_code(self) -> int | None:
        """Return the exit code, less than 0 for a signal, None while it runs."""
        return self._reap(os.WNOHANG)

    def close(self) -> None:
        """Let go of the lifeline and of the rest, once it has ended."""
        self._reap(0)
        os.close(self._lifeline)
        self.results.close()
        self.dump.close()

    def _reap(self, options: int) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self.pid, options)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


# --- One check --------------------------------------------------------------------------------


class Check:
    """A check that runs. Ask `poll` until it is done, or `stop` it; then look at ``grade``.

    ``process`` is None where nothing has to run. With ``imports`` its first step is an import.
    """

    def __init__(
        self,
        exercise: Exercise,
        process: _Fresh | _Forked | None,
        *,
        imports: bool = False,
        grade: Grade | None = None,
    ) -> None:
        self.grade = grade or Grade()
        self.done = process is None
        self._exercise = exercise
        self._process = process
        self._imports = imports
        if process is None:
            return
        self._steps = 0
        self._limit = START
        self._until = time.monotonic() + START
        self._memory = self._taken()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="results", daemon=True)
        self._reader.start()

    def __enter__(self) -> Check:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait(self) -> Grade:
        """Wait until it is done, and return the grade."""
        while not self.poll(TICK):
            pass
        return self.grade

    def poll(self, seconds: float) -> bool:
        """Wait at most ``seconds`` for news; tell whether the check is done."""
        end = time.monotonic() + seconds
        while not self.done:
            left = end - time.monotonic()
            try:
                line = self._lines.get(timeout=max(0.0, min(TICK, left)))
            except queue.Empty:
                self._look_after()
                if left <= 0:
                    break
            else:
                self._take(line)
        return self.done

    def stop(self) -> None:
        """End the process with all that it has started, wherever it is."""
        if self._process is not None:
            self._end(self._process, below(self._process.pid))

    def _end(self, process: _Fresh | _Forked, others: Iterable[psutil.Process] = ()) -> None:
        self._process, self.done = None, True
        _kill(process.pid, others)
        self._reader.join(PATIENCE)
        process.close()

    # --- What it says

    def _read(self) -> None:
        assert self._process is not None
        with contextlib.suppress(OSError, ValueError):  # it was closed, for it would not end
            for line in self._process.results:
                self._lines.put(line)
        self._lines.put(None)

    def _take(self, line: bytes | None) -> None:
        """Take one message; None says that no other will come."""
        if line is None:
            self._gone()
            return
        try:
            message = json.loads(line)
        except ValueError:  # the newline between two
            return
        self.grade.printed = message.get("printed", self.grade.printed)
        self.grade.lines = message.get("lines", self.grade.lines)
        if "begins" in message:
            self._steps += 1
            self._limit = message["begins"]
            self._until = time.monotonic() + self._limit + GRACE
        elif "result" in message:
            self._add(message["result"])
        elif "over" in message:
            self._over(message["over"])
        elif "ends" in message:
            self.grade.obstacle = message["obstacle"]
            if self._process is not None:
                self._end(self._process)

    def _add(self, said: dict[str, Any]) -> None:
        number = len(self.grade.results)
        if number == len(self._exercise.points):
            self._over("")
            self.grade.obstacle = CHANGED
            return
        details = tuple(said.pop("details"))
        self.grade.add(Result(self._exercise.points[number], details=details, **said))

    # --- What it does not say

    def _look_after(self) -> None:
        """See that a silent process has time left and takes no more memory than it may."""
        process = self._process
        if process is None:
            return
        if process.exit_code() is not None:
            _kill(process.pid)  # a child of its own holds the pipe open
            self._until = min(self._until, time.monotonic() + PATIENCE)
        if self._taken() - self._memory > MOST_MEMORY:
            gib = MOST_MEMORY / (1 << 30)
            self._over(f"your code takes more than {gib:g} GiB of memory{self._where()}")
        elif time.monotonic() > self._until:
            self._late()

    def _late(self) -> None:
        assert self._process is not None
        if self._process.exit_code() is not None:
            self._gone()
            return
        if not self._steps:
            self._over(f"the check could not begin within {START:g} s: try again")
            return
        told = f"your code is still running after {self._limit:g} s{self._where()}"
        told += ". It lets nothing else run, so it could only be ended with its process"
        self._over(told, slip=False)

    def _gone(self) -> None:
        """Say how a process ended that has not said that it ends."""
        assert self._process is not None
        end = time.monotonic() + PATIENCE
        while (code := self._process.exit_code()) is None and time.monotonic() < end:
            time.sleep(0.01)  # it has closed the pipe already
        if code is None:
            self._over("your code has closed what the check needs to tell its results")
        elif code < 0:
            name = signal.Signals(-code).name
            self._over(f"your code's process was ended by {name}{place_in(self._dumped())}")
        else:
            self._over(f"your code ended its process, with exit code {code} (os._exit does that)")

    def _over(self, told: str, slip: bool = True) -> None:
        """Fail what was being looked at, and look at nothing after it."""
        grade, points = self.grade, self._exercise.points
        grade.ended = True
        told = runner.tidy(told)
        importing = self._imports and self._steps < 2
        if importing:
            grade.obstacle = f"exercises/{self._exercise.file} cannot be imported: {told}"
        for number, point in enumerate(points[len(grade.results) :]):
            failed = number == 0 and not importing
            said = Result(point, FAILED, told, slip=slip)
            grade.add(said if failed else Result(point, NOT_RUN))
        self.stop()

    # --- Asking the system

    def _taken(self) -> int:
        try:
            rss: int = psutil.Process(self._process.pid).memory_info().rss if self._process else 0
        except psutil.Error:  # it has ended
            return 0
        return rss

    def _where(self) -> str:
        """Say at which line the code is, "" when that cannot be found out."""
        if apart_child.WHERE is None or self._process is None:
            return ""
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(self._process.pid, apart_child.WHERE)
        end = time.monotonic() + PATIENCE
        text = self._dumped()
        while time.monotonic() < end:
            time.sleep(0.05)
            before, text = text, self._dumped()
            if text == before and place_in(text):  # it is written line by line: this is all
                break
        return place_in(text)

    def _dumped(self) -> str:
        assert self._process is not None
        dump = self._process.dump
        if hasattr(os, "pread"):  # the place at which the other writes is ours too: leave it there
            return os.pread(dump.fileno(), 1 << 20, 0).decode(errors="replace")
        dump.seek(0)
        return dump.read().decode(errors="replace")


def _kill(group: int, others: Iterable[psutil.Process] = ()) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(group, signal.SIGKILL)
    for other in others:
        with contextlib.suppress(psutil.Error):
            other.kill()


_THREAD = re.compile(r"^(?=(?:Current )?[Tt]hread )", re.MULTILINE)
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)


def place_in(dump: str) -> str:
    """Say at which line of the learner's a thread is that faulthandler tells of, "" for none.

    The thread of the check comes before those that the learner's code has started.
    """
    found = ""
    for thread in _THREAD.split(dump):
        frames = [(file, function, int(line)) for file, line, function in _FRAME.findall(thread)]
        own = next((frame for frame in frames if is_the_learners(frame[0])), None)
        if own is not None:
            where = f", at {stuck.at(own)}"
            if any(function == "_guarded" for _, function, _ in frames):
                return where
            found = found or where
    return found
