"""★★★ streaming-middleware: count the bytes, and hold up none.

Write ``counting(app, report)``: return a WSGI application that does what ``app`` does and counts
the bytes of each response, also those that go by ``write()``. When the server closes the response,
call ``report(size)`` once, with what went by until then: also when the client left, when nothing
was asked for, and when the application's own ``close()`` fails, whose error goes on to the server.

For each block of ``app``, empty or not, one leaves at once. Its ``close()`` is called once, and
``start_response`` stays what it was.

The check puts your middleware between the course's server and its applications.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def counting(app: Callable[..., Any], report: Callable[[int], None]) -> Callable[..., Any]:
    """Return ``app`` with a counter around it."""
    ### BEGIN SOLUTION

    class Counted:
        """One response, counted on its way."""

        def __init__(self, environ: Any, start_response: Any) -> None:
            self.size = 0

            def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
                write = start_response(status, headers, *exc_info)

                def counted_write(block: bytes) -> None:
                    self.size += len(block)
                    write(block)

                return counted_write

            self.blocks = app(environ, start)

        def __iter__(self) -> Iterator[bytes]:
            for block in self.blocks:
                self.size += len(block)
                yield block

        def close(self) -> None:
            """Close what is below, then report."""
            try:
                if hasattr(self.blocks, "close"):
                    self.blocks.close()
            finally:
                report(self.size)

    return Counted
    ### END SOLUTION
