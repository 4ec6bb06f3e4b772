"""What an exercise is: a task in a file, points that are looked at, hints, and an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from workbench.contracts import Broken


class Slip(Broken):
    """A fault that says all there is to say: the trap of its point is about another one."""


class Hangs(Broken):
    """Code of the learner's does not come to its end: after two of these nothing more is tried."""


@contextmanager
def handing(sent: bytes | None) -> Iterator[None]:
    """Note what the learner's code is given in the block on what it raises there.

    A report shows it below the exception. A Broken says by itself what it is about.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, Broken) and handed(error) is None:
            vars(error)[_HANDED] = sent
        raise


def handed(error: BaseException) -> bytes | None:
    """Return what `handing` has noted on an error, None for nothing."""
    sent: bytes | None = vars(error).get(_HANDED)
    return sent


_HANDED = "the learner's code was given"


@dataclass(frozen=True)
class Point:
    """One thing that is looked at.

    ``run`` gets the subject and raises ``contracts.Broken``, or anything else, when the point does
    not hold; it may be a coroutine function. ``trap`` is shown when the point fails, but for a
    `Slip`: what people usually got wrong. ``clause`` says who demands it. ``seconds`` is a
    limit of its own, for a point that takes longer than the others.
    """

    label: str
    run: Callable[[Any], object]
    trap: str = ""
    clause: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Exercise:
    """One exercise. ``subject`` is the name of the function or class that the file defines.

    ``effort`` is 1 to 3 stars, ``seconds`` is the limit for one point, ``hints`` go from a nudge to
    nearly the answer, and ``afterwards`` is shown when all points hold. ``measures`` tells that its
    points start processes and look at a clock, so that each takes a while, whatever the answer.
    """

    name: str
    chapter: int
    title: str
    effort: int
    subject: str
    points: tuple[Point, ...]
    hints: tuple[str, str, str]
    afterwards: str
    seconds: float = 5.0
    measures: bool = False

    @property
    def file(self) -> str:
        """The name of its file, in ``exercises/`` and in ``solutions/``."""
        return f"ch{self.chapter:02}_{self.name.replace('-', '_')}.py"

    @property
    def stars(self) -> str:
        """The effort, to be read: ★ to ★★★."""
        return "★" * self.effort
