"""Who holds the loop?  A thread that looks on, and tells when an application does not let go.

An application that blocks stops everybody else of its loop, and the loop cannot say so: it does not
run.  Another thread can, and it can read where the first one stands.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
import traceback
import types
from typing import Any

from .gateway import logger


class Watchdog:
    """Log a warning, with the stack, when the loop of this thread is held for ``seconds``.

    It is made in a call of the loop: how that was reached is left out of the stack.  The loop beats
    by ``call_later``; the warning comes once for each time that the beat stops.
    """

    def __init__(self, loop: Any, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._above = _calls(sys._getframe())
        self._beats = 0
        self._closing = threading.Event()
        self._beat()
        threading.Thread(target=self._look_on, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._timer.cancel()

    def _beat(self) -> None:
        """Show that the loop runs."""
        self._beats += 1
        self._timer = self._loop.call_later(self._seconds / 4, self._beat)

    def _look_on(self) -> None:
        """Wait for the beat to stop."""
        seen, since, told = 0, time.monotonic(), False
        while not self._closing.wait(self._seconds / 4):
            now = time.monotonic()
            if self._beats != seen:
                seen, since, told = self._beats, now, False
            elif not told and now - since > self._seconds:
                told = True
                self._tell(now - since)

    def _tell(self, held: float) -> None:
        """Log where the thread of the loop stands, and how the loop's call came there."""
        frame, stack = sys._current_frames().get(self._thread), ""
        if frame:
            pairs = zip(self._above, _calls(frame), strict=False)
            above = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] is pair[1], pairs))
            # All of it: a library that waits may stand deep below the line that asked it.
            stack = "".join(traceback.format_stack(frame)[above:])
        logger.warning("the event loop has been held for %.2f s, here:\n%s", held, stack.rstrip())


def _calls(frame: types.FrameType) -> list[types.CodeType]:
    """Return the code of each call that led to a frame, the outermost first."""
    return [each.f_code for each, _ in traceback.walk_stack(frame)][::-1]
