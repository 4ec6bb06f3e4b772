"""Single keys from a terminal, without Enter; first letters of lines where there is no such thing.

A terminal is put into its "cbreak" mode: keys come at once and are not echoed, Ctrl-C still
interrupts. The mode before comes back on every way out, after SIGTERM and SIGHUP too, for they
become SystemExit here; it is put on again when a stopped job (Ctrl-Z) goes on.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

try:
    import termios
    import tty
except ImportError:  # Windows
    HAS_MODES = False
else:
    HAS_MODES = True

END = "\x04"  # nobody will type anything any more
ENTER = "\n"
ESCAPE = 0x1B  # begins what arrows and the like send


class Keyboard:
    """The keys of standard input, in a ``with``. ``single`` tells that they come without Enter."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self.single = HAS_MODES and os.isatty(self._descriptor)
        self._mode: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._typed: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> Keyboard:
        for name in ("SIGTERM", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:
                self._handlers[number] = signal.signal(number, _end)
        if self.single:
            self._mode = termios.tcgetattr(self._descriptor)
            self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._put_on)
            self._put_on()
        else:
            # Not sys.stdin: who waits in it holds a lock that Python's end would wait for.
            threading.Thread(target=self._read_lines, name="keyboard", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self.single:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._mode)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def key(self, seconds: float) -> str:
        """Wait at most ``seconds`` for a key; return it in lower case, "" for none, or `END`."""
        if not self.single:
            try:
                return self._lines.get(timeout=seconds)
            except queue.Empty:
                return ""
        if not self._typed and select.select([self._descriptor], [], [], seconds)[0]:
            self._typed += _keys(self._read())
        return self._typed.pop(0) if self._typed else ""

    def _put_on(self, number: int = 0, frame: FrameType | None = None) -> None:
        tty.setcbreak(self._descriptor, termios.TCSADRAIN)

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 1024)
        except OSError:  # EIO: the terminal is gone
            return b""

    def _read_lines(self) -> None:
        rest = b""
        while data := self._read():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._lines.put(line.decode(errors="replace").strip().lower()[:1] or ENTER)
        self._lines.put(END)


def _keys(data: bytes) -> list[str]:
    if not data:
        return [END]
    typed = data.partition(bytes([ESCAPE]))[0].decode(errors="replace").lower()
    return [ENTER if key == "\r" else key for key in typed]


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
