"""Our server with one feature switched off: what proves that a probe looks at it.

    python -m workbench.ecosystem.without "keep-alive" serve probe:wsgi --port 8000

runs ``handmade serve`` with the change that stands below under that name.  The finding of the probe
with this name must differ from that of our server as it is; a test holds that for every row.
"""

from __future__ import annotations

import dataclasses
import importlib
import shlex
import sys
from collections.abc import Callable
from typing import Any

from .servers import RealServer

Patch = Callable[[Any, str, Any], None]
Change = Callable[[Patch], None]
CHANGES: dict[str, Change] = {}
"""By the name of a feature; the modules ``without_...`` put them in."""

MODULES = ("without_wsgi", "without_asgi", "without_versions")


def without(*names: str) -> Callable[[Change], Change]:
    """Register a change as the one that switches these features off."""

    def register(change: Change) -> Change:
        for name in names:
            CHANGES[name] = change
        return change

    return register


def changes() -> dict[str, Change]:
    """Return all changes by the name of the feature that each switches off."""
    for module in MODULES:
        importlib.import_module(f"{__package__}.{module}")
    return dict(CHANGES)


def change_of(name: str) -> Change:
    """Return one change, by loading no more modules than it takes; raise KeyError for no name."""
    for module in MODULES:
        if name not in CHANGES:
            importlib.import_module(f"{__package__}.{module}")
    return CHANGES[name]


def server_without(name: str, ours: RealServer) -> RealServer:
    """Return one of our servers with a feature switched off, in all its ways."""
    serve = f"-m workbench.ecosystem.without {shlex.quote(name)} serve"
    ways = {way: line.replace("-m handmade serve", serve) for way, line in ours.ways.items()}
    return dataclasses.replace(ours, title=f"{ours.title}, without {name}", ways=ways)


def patch(target: Any, name: str, new: Any) -> None:
    """Put something else in a place, for the life of this process."""
    getattr(target, name)  # a change that changes nothing is an error
    setattr(target, name, new)


def main(arguments: list[str]) -> int:
    """Switch a feature off, and serve."""
    from handmade.cli import main as serve

    name, *rest = arguments
    change_of(name)(patch)
    return serve(rest)


if __name__ == "__main__":
    # The changes register themselves with the module of that name, which this one here is not.
    sys.exit(importlib.import_module("workbench.ecosystem.without").main(sys.argv[1:]))
