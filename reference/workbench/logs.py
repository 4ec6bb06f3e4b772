"""What a server has to say, kept in a list.

Jupyter puts a background thread's prints into whichever cell is running, so a server's threads
print nothing: they write into a `Log`, and the cell that wants to see it prints that.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.places import last_line, traceback_text


class Log:
    """Lines in the order they came. Written by any thread, read by the cell."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []  # the last line of each traceback

    def add(self, text: str) -> None:
        """Add a text, line by line."""
        self.lines.extend(text.splitlines())

    def failed(self, error: BaseException, what: str) -> None:
        """Add a failure with its traceback. ``what`` is a sentence without its full stop."""
        self.errors.append(last_line(error))
        self.add(f"{what}:\n{traceback_text(error)}")


class LogStream(io.TextIOBase):
    """A text stream that fills a log: ``wsgi.errors`` for a notebook."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self._rest = ""

    def write(self, text: str) -> int:
        """Take text; whole lines reach the log at once."""
        *lines, self._rest = (self._rest + text).split("\n")
        self._log.lines.extend(lines)
        return len(text)

    def flush(self) -> None:
        """Let the beginning of a line reach the log too."""
        if self._rest and not self.closed:
            self._log.lines.append(self._rest)
            self._rest = ""


class _Handler(logging.Handler):
    """Put log records into a log, without time and thread: they differ from run to run."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Add one record."""
        text = f"{record.levelname}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            self._log.add(text)
        else:
            self._log.failed(error, text)


@contextmanager
def captured(log: Log) -> Iterator[Log]:
    """Send what the reference logs into ``log``, and nowhere else, while the block runs."""
    logger = logging.getLogger("handmade")
    handler = _Handler(log)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield log
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
