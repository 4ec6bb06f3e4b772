"""HTTP/2 wherever a server speaks it: without TLS if it can, else by ALPN inside TLS.

``http2`` registers a probe that is asked over HTTP/2.  A server that speaks it in neither way says
"no HTTP/2" in all these rows; the evidence tells what was tried.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from workbench.gauntlet.asking import Asking
from workbench.gauntlet.http2 import Connection, connected

from .features import Finding, feature
from .secure import Secure
from .starting import Run

NONE = "no HTTP/2"


@contextmanager
def best(run: Run, *ways: str) -> Iterator[Run]:
    """Give a server that runs the first of these ways that it has, or as it runs now."""
    way = next((each for each in ways if each in run.server.ways), run.way)
    if run.server.ways.get(way) == run.server.ways.get(run.way):
        yield run
    else:
        with run.other(way) as other:
            yield other


def dial(run: Run, *pairs: tuple[int, int], greedy: bool = True) -> Connection:
    """Return a fresh connection of HTTP/2 with these settings, over TLS where the run is."""
    over: Any = Secure(run, ("h2",)) if run.way == "tls" else run
    return connected(cast(Asking, over), *pairs, greedy=greedy)


def http2(name: str, source: str, *, measured: bool = False) -> Callable[..., Any]:
    """Register a function of a run that speaks HTTP/2 as a probe."""

    def register(probe: Callable[[Run], Finding]) -> Callable[[Run], Finding]:
        @feature(name, "asgi", source, measured=measured)
        @functools.wraps(probe)
        def asked(run: Run) -> Finding:
            with best(run, "h2c", "tls") as it:
                if without := cannot(it):
                    return Finding(NONE, without, False)
                return probe(it)

        return probe

    return register


def cannot(run: Run) -> str:
    """Return why HTTP/2 cannot be asked for, or ""."""
    if "h2c" in run.server.ways:
        return ""
    if run.way != "tls":
        return "there is no way to start it with TLS, and none for HTTP/2 without"
    secure = Secure(run, ("h2", "http/1.1"))
    secure.connect().close()
    if secure.agreed == "h2":
        return ""
    return f"TLS: offered h2, http/1.1, the server chose {secure.agreed}"
