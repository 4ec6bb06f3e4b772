# trips: a close() that fails
"""Closes in a generator's finally, which the last next() runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def counting(app: Callable[..., Any], report: Callable[[int], None]) -> Callable[..., Any]:
    """Return ``app`` with a counter around it."""

    class Counted:
        """One response, counted on its way."""

        def __init__(self, environ: Any, start_response: Any) -> None:
            self.size = 0
            self.closed = False

            def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
                write = start_response(status, headers, *exc_info)

                def counted_write(block: bytes) -> None:
                    self.size += len(block)
                    write(block)

                return counted_write

            self.blocks = app(environ, start)

        def __iter__(self) -> Iterator[bytes]:
            try:
                for block in self.blocks:
                    self.size += len(block)
                    yield block
            finally:
                self.close()

        def close(self) -> None:
            """Report, then close what is below."""
            if not self.closed:
                self.closed = True
                report(self.size)
                if hasattr(self.blocks, "close"):
                    self.blocks.close()

    return Counted
