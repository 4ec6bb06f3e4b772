"""What a probe is, and what it finds: one cell of the feature table.

A probe is a function of a ``Run`` (see ``starting.py``) that asks one thing over the wire and
returns a ``Finding``: what is to stand in the cell, in few words, and what was seen that says so.
It never judges.  Its docstring is the question; ``source`` is where the answer would be specified,
or what it matters for.  A probe that cannot be asked raises ``NotAsked`` with the reason.

Every probe is itself tested: ``without.py`` holds our server with that very feature switched off,
and the finding must turn.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from workbench.contracts import Broken
from workbench.contracts.wire import request
from workbench.gauntlet.model import NotAsked

from .servers import RealServer
from .starting import CannotServe, Run, serving

__all__ = ["FEATURES", "Cell", "Feature", "Finding", "NotAsked", "ask", "feature", "features_of"]

MODULES = (
    "probes_http", "probes_wsgi", "probes_asgi", "probes_lifespan", "probes_websocket",
    "probes_asgi_ends", "probes_versions",
)  # fmt: skip
NOT_ASKED = "–"
FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """What a probe found: ``said`` stands in the cell, at most some 24 characters; ``seen`` is the
    evidence in one line: bytes, a scope's entry, a number of processes.

    ``good`` tells whether the feature is there: True, False, or None where that is no question.
    """

    said: str
    seen: str = ""
    good: bool | None = None


@dataclass(frozen=True)
class Feature:
    """A row of the table.

    ``interface`` is ``http`` (both tables), ``wsgi`` or ``asgi``.  ``measured`` rows hold numbers
    that differ from run to run.  ``way`` is the way of starting that it needs; a server without it
    has ``lacks`` in its cell.
    """

    name: str
    interface: str
    question: str
    source: str
    run: Callable[[Run], Finding]
    way: str = "plain"
    lacks: str = "no"
    measured: bool = False


@dataclass(frozen=True)
class Cell:
    """What stands in the table for one server and one feature."""

    server: str
    feature: str
    said: str
    seen: str = ""
    good: bool | None = None
    problem: str = ""


FEATURES: list[Feature] = []


def feature(
    name: str,
    interface: str,
    source: str,
    *,
    way: str = "plain",
    lacks: str = "no",
    measured: bool = False,
) -> Callable[[Callable[[Run], Finding]], Callable[[Run], Finding]]:
    """Register a function as a probe; its docstring is the question."""

    def register(run: Callable[[Run], Finding]) -> Callable[[Run], Finding]:
        question = " ".join((run.__doc__ or "").split())
        FEATURES.append(Feature(name, interface, question, source, run, way, lacks, measured))
        return run

    return register


def features_of(interface: str, names: Iterable[str] = ()) -> list[Feature]:
    """Return the rows of a table, in their order; raise LookupError for a name that is none."""
    for module in MODULES:
        importlib.import_module(f"{__package__}.{module}")
    found = [each for each in FEATURES if each.interface in ("http", interface)]
    wanted = list(names)
    known = {each.name for each in found}
    for name in wanted:
        if name not in known:
            raise LookupError(f"no feature {name!r}: there are {', '.join(sorted(known))}")
    return [each for each in found if not wanted or each.name in wanted]


def ask(feature: Feature, server: RealServer, run: Run | None = None) -> Cell:
    """Probe one feature of one server; never raise for what a server does.

    ``run`` is a server that runs the right way already; without it one is started for the probe.
    """
    if feature.way not in server.ways:
        return Cell(server.name, feature.name, feature.lacks, "no such way to start it", False)
    try:
        if run is not None:
            return _cell(feature, server, _found(feature, run))
        with serving(server, feature.way) as fresh:
            return _cell(feature, server, _found(feature, fresh))
    except NotAsked as reason:
        return Cell(server.name, feature.name, NOT_ASKED, str(reason))
    except CannotServe as error:
        return Cell(server.name, feature.name, FAILED, problem=str(error))
    except Broken as broken:
        return Cell(server.name, feature.name, FAILED, repr(broken.got), problem=broken.problem)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        return Cell(server.name, feature.name, FAILED, problem=f"came unreadable: {error!r}")
    finally:
        if run is not None:
            run.alone()


def _found(feature: Feature, run: Run) -> Finding:
    """Probe, when the server has answered once: some accept long before a worker is there."""
    if run.way in ("plain", "workers") and "has answered" not in run.known:
        run.begin()
        with suppress(Broken), run.connect() as wire:
            wire.send(request("/ok", "Connection: close")).until_any()
        run.known["has answered"] = "or had the time to"
    run.begin()
    return feature.run(run)


def _cell(feature: Feature, server: RealServer, found: Finding) -> Cell:
    return Cell(server.name, feature.name, found.said, found.seen, found.good)
