"""Let the learner's own browser visit a handler or an application, for a few seconds.

    visit(handler=mirror, seconds=20)

A cell's server is gone when the cell ends, so the cell must last for as long as a person takes to
click. With ``seconds=0``, as handed out, nothing waits and nothing listens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from workbench.running import running

LONGEST = 25.0  # seconds: a cell is stopped at 30


def visit(
    app: Any = None, *, handler: Callable[..., object] | None = None, seconds: float = 0
) -> None:
    """Serve until a browser has been here, ``seconds`` at most, and say so."""
    if seconds <= 0:
        print("Nobody waits for your browser. Say seconds=20, run the cell, and click the link.")
        return
    seconds = min(seconds, LONGEST)
    came = threading.Event()
    watched: dict[str, Any]
    if handler is not None:
        watched = {"handler": _telling(handler, came)}
    else:
        watched = {"app": _telling(app, came)}
    with running(**watched) as server:
        print(f"Open {server.link} in your browser within {seconds:g} seconds.", flush=True)
        print("Your browser was here." if came.wait(seconds) else "Nobody came.")


def _telling(function: Callable[..., Any], came: threading.Event) -> Callable[..., Any]:
    """Return a function that does the same and then says that somebody was here."""

    def telling(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        finally:
            came.set()

    # A handler takes a socket, or a socket and an address; running() counts the parameters.
    if function.__class__.__name__ == "function" and function.__code__.co_argcount == 1:
        return lambda sock: telling(sock)
    return lambda first, second: telling(first, second)
