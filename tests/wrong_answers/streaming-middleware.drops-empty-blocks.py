# trips: for each block one block
"""Leaves out empty blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def counting(app: Callable[..., Any], report: Callable[[int], None]) -> Callable[..., Any]:
    """Return ``app`` with a counter around it."""

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
                if block:
                    yield block

        def close(self) -> None:
            """Close what is below, then report."""
            try:
                if hasattr(self.blocks, "close"):
                    self.blocks.close()
            finally:
                report(self.size)

    return Counted
