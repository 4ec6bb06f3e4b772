"""Errors as a learner needs them: the lines of the notebook, and none of a library's.

An error of httpx carries sixty lines of httpx, in which the reader can change nothing; and the
lines of our own tools would change with every edit. What the error says stays as it is.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from workbench.places import is_the_learners


def shorten(shell: Any, *kinds: type[BaseException]) -> None:
    """Let an IPython shell show errors of these kinds without the frames of libraries."""

    def show(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        tb_offset: int | None = None,
    ) -> Any:
        _prune(error)
        text = shell.InteractiveTB.structured_traceback(
            kind, error, error.__traceback__, tb_offset=0
        )
        shell._showtraceback(kind, error, text)
        return text

    shell.set_custom_exc(kinds, show)


def _prune(error: BaseException) -> None:
    """Take the libraries' frames out of an error, and causes that have no others."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        each.__traceback__ = own(each.__traceback__) or (
            each.__traceback__ if each is error else None
        )
        before = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        if before is not None and own(before.__traceback__) is None:
            each.__cause__, each.__suppress_context__ = None, True
            before = None
        each = before


def own(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback with the learner's frames alone, None where there are none."""
    if trace is None:
        return None
    rest = own(trace.tb_next)
    if is_the_learners(trace.tb_frame.f_code.co_filename):
        return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return rest
