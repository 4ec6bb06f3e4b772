"""What a check of the gauntlet is, and what came of it.

A check asks one thing of a server that it knows by its address alone.  It is a function of an
``Asking`` (see ``asking.py``) that raises ``Broken`` when the server does something else; its
docstring is the sentence of the specification, in our words, and the clause says where it stands.
Where no specification decides, the check is a *choice* of the implementation: what a server does
is shown, and not judged.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from workbench.contracts import Broken

from .confirmed import seen

GROUPS = (
    "framing", "limits", "keep-alive", "wsgi", "asgi", "lifespan", "disconnects", "streaming",
    "concurrency", "hostile", "websocket", "http2",
)  # fmt: skip
"""The groups in the order of the table; each is a module ``checks_...``."""

FAILURES = ("fail", "not run")


@dataclass(frozen=True)
class Check:
    """One question to a server.

    ``interface`` is ``http`` for every server, ``wsgi`` or ``asgi`` for those of one interface.
    ``needs`` tells what the way of starting must offer: ``probe`` (the probe answers), ``own`` (a
    server may be started for this check alone, with other applications, and told to stop).
    ``seen`` tells what was confirmed by hand on real servers: server and version, and what came.
    """

    name: str
    group: str
    clause: str
    chapter: int
    sentence: str
    run: Callable[[Any], None]
    interface: str = "http"
    choice: bool = False
    needs: frozenset[str] = frozenset({"probe"})
    seen: tuple[str, ...] = ()


@dataclass
class Result:
    """What came of a check: ``pass`` or ``fail``, ``yes`` or ``no`` for a choice, ``not run``.

    Or nothing, "", where the check does not apply.
    ``suspect`` and ``at`` are the places in ``sent`` and ``came`` that matter, None for nowhere.
    """

    check: Check
    verdict: str
    problem: str = ""
    sent: bytes | None = None
    came: object = None
    wanted: object = None
    suspect: int | None = None
    at: int | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """True when the server is judged, and did not do what is demanded."""
        return self.verdict == "fail"


NOT_SPOKEN = "not spoken"


class NotAsked(Exception):
    """The check does not apply: the server has not what it is about, and need not have it."""


class NotSpoken(NotAsked):
    """The server does not speak the protocol of the whole group; the words tell what came."""

    def __init__(self, came: str) -> None:
        super().__init__(f"{NOT_SPOKEN}: {came}")


class Miss(Broken):
    """A ``Broken`` that also points at the byte of the request that it is about."""

    def __init__(
        self,
        problem: str,
        *,
        sent: bytes | None = None,
        got: object = None,
        wanted: object = None,
        suspect: bytes | None = None,
        at: int | None = None,
    ) -> None:
        super().__init__(problem, sent=sent, got=got, wanted=wanted)
        self.at = at
        self.suspect = None
        if sent is not None and suspect is not None and suspect in sent:
            self.suspect = sent.index(suspect)


@dataclass
class Report:
    """All results of one server, in the order of the checks."""

    name: str
    interface: str
    how: str = ""
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> list[Result]:
        """The results that are failures of a judged check."""
        return [each for each in self.results if each.verdict in FAILURES]

    def verdicts(self) -> dict[str, str]:
        """Return the verdict of each check by its name."""
        return {each.check.name: each.verdict for each in self.results}

    def count(self, group: str = "", *verdicts: str) -> int:
        """Count the results of a group, of all where it is empty, with one of these verdicts."""
        return sum(
            each.verdict in verdicts for each in self.results if group in ("", each.check.group)
        )


_CHECKS: list[Check] = []


def check(
    name: str,
    clause: str,
    chapter: int,
    *,
    group: str,
    interface: str = "http",
    choice: bool = False,
    needs: Iterable[str] = ("probe",),
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register a function as a check; its docstring is the sentence."""

    def register(run: Callable[[Any], None]) -> Callable[[Any], None]:
        sentence = " ".join((run.__doc__ or "").split())
        _CHECKS.append(
            Check(
                name, group, clause, chapter, sentence, run, interface, choice,
                frozenset(needs), seen(name),
            )
        )  # fmt: skip
        return run

    return register


def all_checks() -> list[Check]:
    """Return every check, group by group."""
    for group in GROUPS:
        importlib.import_module(f"{__package__}.checks_{group.replace('-', '_')}")
    return sorted(_CHECKS, key=lambda each: GROUPS.index(each.group))


def checks_for(interface: str, provides: Iterable[str], group: str = "") -> list[Check]:
    """Return the checks that can be asked of a server with this interface, "" for none."""
    offered = set(provides)
    return [
        each
        for each in all_checks()
        if each.interface in ("http", interface)
        and each.needs <= offered
        and group in ("", each.group)
    ]


def find(name: str) -> Check:
    """Return one check; raise LookupError with the names that there are."""
    for each in all_checks():
        if each.name == name:
            return each
    raise LookupError(f"no check {name!r}: {', '.join(each.name for each in all_checks())}")
