"""A real server with the probe or any application in it: up in a ``with`` block, gone behind it.

    with serving(SERVERS["gunicorn"]) as run:
        print(run.ask(request("/ok")).status)

Nothing stays: the process, its children, and whoever left its process group are ended, by id, and
``run.survivors`` tells whom the server forgot.  A server that does not start raises ``CannotServe``
with the last lines of its log.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import cast

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.certificates import certificate
from workbench.gauntlet.asking import Asking
from workbench.gauntlet.targets import (
    GOODBYE,
    CannotStart,
    CommandLive,
    Starter,
    Target,
    starter,
)  # fmt: skip

from .remains import MARK, below, carrying, kill, leftovers, named, now, running, those_that_stay
from .servers import RealServer

__all__ = ["CannotServe", "Run", "below", "leftovers", "now", "serving", "with_certificate"]

WITH_IT = 0.5  # seconds that the children of a server have to follow it


class CannotServe(CannotStart):
    """A server does not start, or is not there; the message says in one line why."""


class Run(Asking):
    """A server that runs, and all that can be asked of it: see ``workbench.gauntlet.asking``.

    ``server`` and ``way`` tell what it is; ``own(app, **env)`` starts another one the same way with
    another application of the probe, ``other(way, app)`` another way.
    """

    def __init__(self, server: RealServer, way: str, live: CommandLive, start: Starter) -> None:
        super().__init__(live, server.interface, start.folder, start.server, start.known)
        self.server = server
        self.way = way
        self.pid = live.pid
        """The process that was started: the master, where there is one."""
        self.survivors: list[str] = []
        """Behind the block: what the server started and left running when it had ended by itself,
        one command line each.  It was killed."""
        self._command = live
        self._start = start

    def again(self) -> Run:
        """Return a view of the same server for another probe: its own connections and deadline."""
        return Run(self.server, self.way, self._command, self._start)

    @property
    def was_stopped(self) -> bool:
        """True when a probe has told the server to stop."""
        return self._command.was_stopped

    @property
    def log(self) -> list[str]:
        """What the server has said so far, line by line."""
        return self._command.log

    @contextmanager
    def other(self, way: str, app: str = "", **env: str) -> Iterator[Run]:
        """Run the same server another way; raise CannotServe when it cannot."""
        with serving(self.server, way, app, **env) as run:
            yield run


@contextmanager
def serving(server: RealServer, way: str = "plain", app: str = "", **env: str) -> Iterator[Run]:
    """Run a server for the length of the block.

    ``app`` is ``module:name``, by default the probe; ``env`` goes into its environment.  Raise
    LookupError for a way that the server has not, and CannotServe when it is not installed, ends,
    or does not accept within fifteen seconds.
    """
    target = server.target(way, app)
    if server.missing:
        raise CannotServe(server.missing)
    with ExitStack() as stack:
        start = stack.enter_context(starter(with_certificate(target)))
        seen: set[psutil.Process] = set()
        stack.callback(_let_nothing_stay, start.folder, seen)
        try:
            live = cast(CommandLive, stack.enter_context(start.server(env=env)))
        except CannotStart as error:
            raise CannotServe(f"{server.title}: {error}", error.log) from None
        run = Run(server, way, live, start)
        stack.callback(_see_it_go, run, seen)
        stack.callback(run.close)
        yield run


def _see_it_go(run: Run, seen: set[psutil.Process]) -> None:
    """Ask a server to end, and note who outlives it; whoever does is ended by who called."""
    live = run._command
    seen.update(below(live.pid))
    if live.alive:
        live.stop()
    if not live.ended_within(GOODBYE):
        os.kill(live.pid, signal.SIGKILL)  # what it still has to say interests nobody
        return
    those_that_stay({*seen, *carrying(MARK, run._start.folder)}, WITH_IT)
    left = running({*seen, *carrying(MARK, run._start.folder)})  # again: some may have come
    run.survivors += [named(each) for each in left]


def with_certificate(target: Target) -> Target:
    """Fill in the files of a certificate for lessons."""
    cert = certificate()
    command = target.command.replace("{certfile}", cert.certfile)
    return replace(target, command=command.replace("{keyfile}", cert.keyfile))


def _let_nothing_stay(folder: str, seen: set[psutil.Process]) -> None:
    """Kill what came from a server and has outlived it, in whatever process group it is."""
    kill({*seen, *carrying(MARK, folder)})
