"""What each layer promises, as cases that take the implementation as their argument.

The same cases judge the reference, the other engine, the solutions, the exercises, and the cells
of the notebooks.  A case is a function ``case(subject) -> None`` that raises Broken, and says in
its docstring, in one sentence, what must hold; the clause beside it says who demands that.

A *contract* is a named set of cases for one kind of subject, in the module of that name:
``engine`` takes a callable that makes an engine, ``server`` something that can serve an
application, ``handler`` a function that talks to one client, and so on.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """One promise: ``name`` is what a person calls it, ``clause`` is where it is written.

    ``needs`` names what not every implementation offers: the case is for those that ``provide``
    all of it.
    """

    contract: str
    name: str
    clause: str
    chapter: int
    sentence: str
    run: Callable[[Any], None]
    needs: frozenset[str] = frozenset()


class Broken(AssertionError):
    """A promise was not kept.  ``sent``, ``got`` and ``wanted`` are shown byte by byte.

    Any of the three may be None where it says nothing.  ``str()`` is the whole report, and marks
    the first byte in which ``got`` differs from ``wanted``.  ``clause`` is who demands it, where it
    is not the one who demands the rest of the case; "" for nobody.
    """

    def __init__(
        self,
        problem: str,
        *,
        sent: bytes | None = None,
        got: object = None,
        wanted: object = None,
        clause: str | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.sent = sent
        self.got = got
        self.wanted = wanted
        self.clause = clause

    def __str__(self) -> str:
        lines = [self.problem]
        if self.sent is not None:
            lines.append(sent_line(self.sent))
        if self.wanted is not None:
            lines.append(f"  wanted: {_visible(self.wanted)}")
        if self.got is not None or self.wanted is not None:
            lines.append(f"  came:   {_visible(self.got)}")
            lines += _caret(self.got, self.wanted)
        return "\n".join(lines)


def sent_line(sent: bytes) -> str:
    """Return the line of a report that shows what was sent."""
    return f"  sent:   {_visible(sent)}"


def _visible(value: object, most: int = 400) -> str:
    """Return bytes as one readable line, and anything else by its repr."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters in all)"


def _caret(got: object, wanted: object) -> list[str]:
    """Return the line that points at the first difference between two byte strings."""
    if not (isinstance(got, bytes) and isinstance(wanted, bytes)):
        return []
    same = 0
    while same < min(len(got), len(wanted)) and got[same] == wanted[same]:
        same += 1
    column = len(repr(got[:same])) - 1
    return [" " * (10 + column) + f"^ byte {same}"] if column < 400 else []


_CASES: dict[str, list[Case]] = {}


def case(
    contract: str, name: str, clause: str, chapter: int, needs: Iterable[str] = ()
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a function as a case of a contract; its docstring becomes the sentence."""

    def register(run: Callable[[Any], None]) -> Callable[[Any], None]:
        sentence = " ".join((run.__doc__ or "").split())
        promise = Case(contract, name, clause, chapter, sentence, run, frozenset(needs))
        _CASES.setdefault(contract, []).append(promise)
        return run

    return register


def cases(contract: str) -> list[Case]:
    """Return the cases of a contract in the order in which they were written."""
    importlib.import_module(f"{__name__}.{contract}")
    return list(_CASES.get(contract, []))


def find(contract: str, name: str) -> Case:
    """Return one case by its name; raise LookupError with the names there are."""
    for each in cases(contract):
        if each.name == name:
            return each
    raise LookupError(f"no case {name!r} in {contract}: {[each.name for each in cases(contract)]}")
