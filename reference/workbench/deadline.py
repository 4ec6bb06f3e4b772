"""An end for what would never end: a loop without exit, a read that nothing comes to.

`deadline` guards a block, `start` guards every cell of a notebook. When the time is up TookTooLong
is raised at the line where the code is stuck, and the kernel lives on. It is no Exception, so a
learner's ``except Exception: pass`` does not swallow it.

On Unix, in the main thread, an alarm signal does it, which also ends a blocked ``accept`` or
``recv``. Elsewhere the exception is left for the thread to find when it next runs Python code.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ContextDecorator
from types import FrameType
from typing import Any

from workbench.errors import shorten
from workbench.places import place, place_of_thread

CELL_SECONDS = 30.0
AGAIN = 10.0  # seconds until a block that caught it, with a bare except, is told once more


class TookTooLong(BaseException):
    """The code was stopped because its time was up; the message says at which line."""


class _Alarm:
    """One guarded stretch of code in one thread."""

    def __init__(self, seconds: float, what: str, is_running: Callable[[FrameType], bool]) -> None:
        """``is_running`` tells whether the guarded code is among the callers of a frame."""
        self.seconds = seconds
        self.what = what
        self.is_running = is_running
        self.message = ""
        self.task = _current_task()
        self._thread = threading.get_ident()
        main = threading.current_thread() is threading.main_thread()
        self._by_signal = main and hasattr(signal, "setitimer")
        self._before: Any = None
        self._outer = 0.0
        self._began = 0.0
        self._timer: threading.Timer | None = None

    def set(self) -> None:
        """Begin to count."""
        self._began = time.monotonic()
        if self._by_signal:
            self._before = signal.signal(signal.SIGALRM, self._ring)
            self._outer, _ = signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN)
        else:
            self._timer = threading.Timer(self.seconds, self._ring_from_afar)
            self._timer.daemon = True
            self._timer.start()

    def clear(self) -> None:
        """Count no more; a deadline around this one goes on."""
        if self._timer is not None:
            self._timer.cancel()
        if self._by_signal:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
            if self._outer:
                left = self._outer - (time.monotonic() - self._began)
                signal.setitimer(signal.ITIMER_REAL, max(left, 0.01), AGAIN)

    def _say(self, where: str) -> str:
        self.message = f"{self.what} took more than {self.seconds:g} s"
        self.message += f"; it was at {where}" if where else ""
        return self.message

    def _ring(self, number: int, frame: FrameType | None) -> None:
        """Stop the code that the signal interrupted, or the task that it belongs to."""
        if frame is not None and self.is_running(frame):
            raise TookTooLong(self._say(place(frame)))
        if self.task is not None and not self.task.done():
            # The code stands still in an await and the event loop waits: raising here would end
            # the loop, and in a notebook the kernel with it.
            message = self._say(_place_of_task(self.task))
            self.task.get_loop().call_soon_threadsafe(self.task.cancel, message)

    def _ring_from_afar(self) -> None:
        """Leave the exception for another thread to find. It cannot carry a message."""
        self._say(place_of_thread(self._thread))
        ident, error = ctypes.c_ulong(self._thread), ctypes.py_object(TookTooLong)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)


class deadline(ContextDecorator):  # it reads as a word of the language
    """Give a block, or each call of a function, at most ``seconds``; then raise TookTooLong.

    In a coroutine an ``await`` is ended too.

    >>> with deadline(0.1):
    ...     while True:
    ...         pass
    Traceback (most recent call last):
    workbench.deadline.TookTooLong: the block took more than 0.1 s; it was at line 3 of ...
    """

    def __init__(self, seconds: float, what: str = "the block") -> None:
        self._seconds = seconds
        self._what = what
        self._alarms: list[_Alarm] = []

    def __enter__(self) -> None:
        frame = sys._getframe(1)
        alarm = _Alarm(self._seconds, self._what, lambda inner: _is_within(inner, frame))
        self._alarms.append(alarm)
        alarm.set()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        alarm = self._alarms.pop()
        alarm.clear()
        if alarm.message and kind in (TookTooLong, asyncio.CancelledError):
            raise TookTooLong(alarm.message) from None


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # there is no event loop in this thread
        return None


def _is_within(inner: FrameType | None, outer: FrameType) -> bool:
    while inner is not None and inner is not outer:
        inner = inner.f_back
    return inner is outer


def _place_of_task(task: asyncio.Task[Any]) -> str:
    """Name the learner's innermost line in a task that awaits something."""
    found: str = ""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        found = (place(frame) if frame else "") or found  # it has no callers while it waits
        coroutine = getattr(coroutine, "cr_await", None)
    return found


# --- Every cell of a notebook -----------------------------------------------------------------


class _CellGuard:
    """Give each cell of a notebook a deadline, through IPython's hooks."""

    def __init__(self) -> None:
        self.seconds: float | None = CELL_SECONDS
        self.installed = False
        self._alarm: _Alarm | None = None

    def install(self, shell: Any) -> None:
        """Register with an IPython shell, once."""
        if not self.installed:
            shell.events.register("pre_run_cell", self.before)
            shell.events.register("post_run_cell", self.after)
            self.installed = True

    def before(self, info: object = None) -> None:
        """Begin to count for a cell."""
        self.after()
        if self.seconds is not None:
            self._alarm = _Alarm(self.seconds, "this cell", _runs_a_cell)
            self._alarm.set()

    def after(self, result: object = None) -> None:
        """Count no more."""
        if self._alarm is not None:
            self._alarm.clear()
            self._alarm = None


_GUARD = _CellGuard()


def _runs_a_cell(frame: FrameType | None) -> bool:
    """True while IPython runs a cell's code, and not its own: to show an error, for example."""
    inner = None
    while frame is not None:
        if frame.f_code.co_name == "run_code" and "IPython" in frame.f_code.co_filename:
            return inner is not None and inner.f_code.co_name.startswith("<")
        inner, frame = frame, frame.f_back
    return False


def start(seconds: float | None = CELL_SECONDS) -> None:
    """Give every cell of this notebook at most ``seconds``. Does nothing outside of IPython.

    Errors are shown from now on without the lines of libraries.
    """
    _GUARD.seconds = seconds
    shell = _ipython()
    if shell is not None:
        _GUARD.install(shell)
        shorten(shell, Exception, TookTooLong, asyncio.CancelledError)


def limit(seconds: float | None) -> None:
    """Give the cells from this one on at most ``seconds``; None takes the limit away."""
    _GUARD.seconds = seconds
    if _GUARD.installed:
        _GUARD.before()


def _ipython() -> Any:
    """Return the running IPython shell, or None; IPython is not imported for the question."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None
