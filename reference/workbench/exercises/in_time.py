"""Call a learner's function, and wait so long for it and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from workbench.exercises import stuck
from workbench.exercises.model import Hangs


def in_time(
    call: Callable[[], Any],
    seconds: float,
    what: str,
    cut: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Any:
    """Return what ``call`` returns, in a thread; raise what it raises, and Hangs when it is late.

    ``what`` is said of it then; in the block of ``cut`` it is ended.
    """
    given: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            given.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        place, waits = stuck.where(thread)
        with cut():
            stuck.end(thread)
        verb = "waiting" if waits else "running"
        raise Hangs(f"{what} is still {verb} after {seconds:g} s" + f", at {place}" * bool(place))
    if errors:
        raise errors[0]
    return given[0]
