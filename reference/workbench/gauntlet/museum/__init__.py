"""The museum of broken servers: each exhibit is our server with one bug, that somebody published.

    with museum.served(museum.exhibit(3)) as server:
        print(server.talk(packet))

An exhibit is made by the smallest change that gives us the bug: a function that is handed
``patch(target, name, new)``.  On its card stand the symptom, where such a bug was seen, the packet
that shows it, the clause, and the check of the gauntlet that is meant for it.  That every exhibit
is found by its check, and our server as it is by none, is the proof that the checks look.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from handmade import (
    asgi_messages,
    asgi_scope,
    gateway,
    http1_heads,
    http1_reading,
    http1_writing,
    wsgi_request,
    wsgi_response,
)
from handmade.wsgi_in_asgi import WsgiInAsgi
from workbench.gauntlet import probe
from workbench.gauntlet.targets import Target, of_function
from workbench.running import Server, running

Patch = Callable[[Any, str, Any], None]
CACHES: tuple[Any, ...] = (
    asgi_messages._checked, asgi_scope.split_path, gateway.complete, http1_heads.encode_head,
    http1_reading.parse_fields, http1_writing.encode_fields, wsgi_request.environ_key,
    wsgi_request.field_environ, wsgi_request.target_environ, wsgi_response._encoded,
)  # fmt: skip
"""What was remembered before a bug, or with it, must be forgotten behind it."""


@dataclass(frozen=True)
class Exhibit:
    """One broken server, and its card.

    ``server`` tells what is broken: ``wsgi`` (the threaded shell), ``one`` (its simplest form),
    ``asgi``, or ``adapter`` (a WSGI application on the ASGI shell).
    """

    number: int
    name: str
    server: str
    symptom: str
    seen: str
    packet: bytes
    check: str
    clause: str
    change: Callable[[Patch], None]

    @property
    def interface(self) -> str:
        """The interface of the applications that it serves."""
        return "asgi" if self.server == "asgi" else "wsgi"

    def card(self) -> str:
        """Return the label beside the exhibit."""
        return "\n".join((
            f"Exhibit {self.number}: {self.name}",
            f"  symptom: {self.symptom}",
            f"  seen in: {self.seen}",
            f"  packet:  {self.packet!r}",
            f"  clause:  {self.clause}",
            f"  check:   {self.check}",
        ))  # fmt: skip


_EXHIBITS: list[Exhibit] = []


def exhibit_of(
    name: str, server: str, *, symptom: str, seen: str, packet: bytes, check: str, clause: str
) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Put a change on show; its number is its place in the collection."""

    def show(change: Callable[[Patch], None]) -> Callable[[Patch], None]:
        number = len(_EXHIBITS) + 1
        _EXHIBITS.append(
            Exhibit(number, name, server, symptom, seen, packet, check, clause, change)
        )
        return change

    return show


def exhibits() -> list[Exhibit]:
    """Return the whole collection."""
    for module in ("wsgi_exhibits", "asgi_exhibits", "websocket_exhibits", "http2_exhibits"):
        importlib.import_module(f"{__name__}.{module}")
    return list(_EXHIBITS)


def exhibit(number: int) -> Exhibit:
    """Return one exhibit by its number; raise LookupError when there is none."""
    found = exhibits()
    if not 1 <= number <= len(found):
        raise LookupError(f"there is no exhibit {number}: they are numbered 1 to {len(found)}")
    return found[number - 1]


def nothing(*arguments: Any, **more: Any) -> None:
    """Do nothing: what many a bug comes down to."""


@contextmanager
def infected(change: Callable[[Patch], None]) -> Iterator[None]:
    """Have a bug in this process for a while; every server of ours in it has it."""
    with contextlib.ExitStack() as stack:

        def patch(target: Any, name: str, new: Any) -> None:
            stack.enter_context(mock.patch.object(target, name, new))

        for cache in CACHES:
            cache.cache_clear()
        change(patch)
        try:
            yield
        finally:
            for cache in CACHES:
                cache.cache_clear()


def how_to_run(server: str) -> dict[str, Any]:
    """Return the arguments of ``running`` for a kind of server, with the probe in it."""
    ways: dict[str, dict[str, Any]] = {
        "wsgi": {"app": probe.wsgi},
        "one": {"app": probe.wsgi, "shell": "one"},
        "asgi": {"app": probe.app},
        "adapter": {"app": WsgiInAsgi(probe.wsgi), "shell": "asyncio"},
    }
    return ways[server]


def target_of(server: str) -> Target:
    """Return what the gauntlet is to judge: a kind of server of ours, in this process."""
    interface = "asgi" if server == "asgi" else "wsgi"
    return of_function(server, interface, **how_to_run(server))


@contextmanager
def served(broken: Exhibit | None, server: str = "", app: Any = None) -> Iterator[Server]:
    """Run an exhibit, or with None the server as it is, for the length of the block.

    It serves the probe, or another application.
    """
    with contextlib.ExitStack() as stack:
        if broken is not None:
            stack.enter_context(infected(broken.change))
        kind = server or (broken.server if broken is not None else "wsgi")
        how = how_to_run(kind) if app is None else {**how_to_run(kind), "app": app}
        yield stack.enter_context(running(**how, patience=1.0))
