"""The process in which a learner's code is checked: it tells what comes of it, and ends.

It is forked off, or started by `main`. Three descriptors come with it: one to write results to, a
line of JSON each; a lifeline, whose end of file says that whoever waits for the results is gone;
and one for faulthandler, which writes where each thread is, even while the code holds the
interpreter: a handler in C needs no interpreter.
"""

from __future__ import annotations

import builtins
import ctypes
import faulthandler
import gc
import json
import math
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from workbench.exercises import runner
from workbench.exercises.catalogue import of_chapter
from workbench.exercises.model import Exercise
from workbench.places import place

WHERE = getattr(signal, "SIGUSR2", None)  # asks where the code is
MOST_FORKS = 100  # for one point
MOST_ADDRESSES = 8 << 30  # bytes of memory that can be asked for, beyond what there is
PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
SLACK = 30.0  # seconds, added to all limits together

Work = Callable[[runner.Grade], object]


class Told(runner.Grade):
    """A grade that tells of each thing as it comes, for nothing may come after it."""

    def __init__(self, results: int, forks: Forks | None) -> None:
        super().__init__()
        self._results = results
        self._forks = forks

    def begins(self, seconds: float) -> None:
        """Tell how long the next step may take."""
        if self._forks is not None:
            self._forks.refill()
        self.tell(begins=seconds)

    def add(self, result: runner.Result) -> None:
        """Tell a result."""
        super().add(result)
        said = {name: value for name, value in vars(result).items() if name != "point"}
        self.tell(result=said, **self._printed())

    def ends(self) -> None:
        """Tell that this was all."""
        self.tell(ends=True, obstacle=self.obstacle, **self._printed())

    def tell(self, **message: Any) -> None:
        """Write one message. Between newlines, so that one that is torn harms no other."""
        data = f"\n{json.dumps(message)}\n".encode()
        while data:
            data = data[os.write(self._results, data) :]

    def _printed(self) -> dict[str, Any]:
        return {"printed": runner.tidy(self.printed), "lines": self.lines}


class Forks:
    """How often a point may still fork, its children and theirs counted too.

    The count is the number of bytes in a pipe: all of them share it, and none has to ask another.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)

    def refill(self) -> None:
        """Begin to count anew."""
        while self.take():
            pass
        os.write(self._writer, bytes(MOST_FORKS))

    def take(self) -> bool:
        """Take one, False when there is none."""
        try:
            return bool(os.read(self._reader, 1))
        except BlockingIOError:
            return False


def live(results: int, lifeline: int, dump: int, seconds: float, work: Work) -> NoReturn:
    """Do the work and end the process, never to return to whatever this is a copy of.

    ``seconds`` is for all of it: if nobody else ends this process, the system does.
    """
    runner.is_apart = True
    gc.freeze()  # what we are a copy of is not ours to clean up
    _own_signals(seconds)
    _no_terminal()
    _limit_memory()
    faulthandler.enable(dump)
    if WHERE is not None:
        faulthandler.register(WHERE, dump)
    _end_at_once()
    threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()
    forks = Forks() if hasattr(os, "register_at_fork") else None
    grade = Told(results, forks)
    if forks is not None:
        os.register_at_fork(before=partial(_count_fork, forks, grade, os.getpid()))
    try:
        work(grade)
        for tidy in runner.behind:
            tidy()
        grade.ends()
    except KeyboardInterrupt:  # nobody at a keyboard reaches this process
        grade.tell(over="your code sent itself SIGINT, which is what Ctrl-C sends")
    os._exit(0)


def _own_signals(seconds: float) -> None:
    """Take back what the process that this is a copy of does about signals."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP", "SIGCONT"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(math.ceil(seconds))


def _no_terminal() -> None:
    """Read nothing and write nowhere: also what is written without Python, and without an end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    builtins.input = _nobody


def _nobody(prompt: object = "") -> str:
    raise EOFError("nobody types while a check runs")


def _limit_memory() -> None:
    """Let absurd wishes fail at once. The parent looks at what is really taken."""
    try:
        import resource  # not on Windows

        now = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = now + MOST_ADDRESSES
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ImportError, OSError, ValueError):
        pass


def _end_at_once() -> None:
    """Have Linux end this process with its parent, also while the code holds the interpreter.

    Elsewhere the thread at the lifeline does it as soon as it can run, or the alarm at last.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with(lifeline: int) -> None:
    """End, with all that was started here, when the process that waits for us is gone."""
    while os.read(lifeline, 1):
        pass
    if hasattr(os, "killpg"):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _count_fork(forks: Forks, grade: Told, group: int) -> None:
    """End all that fork on and on. An exception would be printed here, and they would go on."""
    if forks.take():
        return
    where = place(sys._getframe())
    told = f"your code has forked more than {MOST_FORKS} times" + (f", at {where}" if where else "")
    grade.tell(over=runner.tidy(told))
    os.killpg(group, signal.SIGKILL)


def seconds_for(exercise: Exercise) -> float:
    """Return how long all of it may take at most."""
    limits = [runner.limit_of(exercise, point) for point in exercise.points]
    return runner.IMPORT_SECONDS + sum(limits) + len(limits) + SLACK


def main() -> NoReturn:
    """Check the file of an exercise: chapter, name and path are the arguments.

    Results go to standard output, standard input is the lifeline, and standard error the dump.
    """
    chapter, name, path = sys.argv[1:]
    exercise = next(each for each in of_chapter(int(chapter)) if each.name == name)
    lifeline, results, dump = (os.dup(standard) for standard in (0, 1, 2))

    def work(grade: runner.Grade) -> None:
        runner.grade_file(exercise, Path(path), untouched_too=True, grade=grade)

    live(results, lifeline, dump, seconds_for(exercise), work)
