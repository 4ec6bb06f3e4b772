"""A real server with the probe or any application in it: up in a ``with`` block, gone behind it.

    with serving(SERVERS["gunicorn"]) as run:
        print(run.ask(request("/ok")).status)

Nothing stays: the process, its children, and whoever left its process group are ended, by id, and
what had to be killed is told.  A server that does not start raises ``CannotServe`` with the last
line of its log.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import cast

import psutil  # type: ignore[import-untyped]  # published without types

from workbench.certificates import certificate
from workbench.gauntlet.asking import Asking
from workbench.gauntlet.targets import CannotStart, CommandLive, Starter, Target, starter

from .servers import RealServer

GONE = 3.0  # seconds that what a server leaves behind has to end, before it is killed


class CannotServe(Exception):
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

    ``app`` is ``module:name``, by default the probe.  Raise
    CannotServe when the server is not installed or does not accept within fifteen seconds.
    """
    if server.missing:
        raise CannotServe(server.missing)
    target = with_certificate(server.target(way, app))
    with ExitStack() as stack:
        start = stack.enter_context(starter(target))
        seen: set[psutil.Process] = set()
        stack.callback(_let_nothing_stay, seen)
        try:
            live = cast(CommandLive, stack.enter_context(start.server(env=env)))
        except CannotStart as error:
            raise CannotServe(f"{server.title}: {error}") from None
        seen.update(below(live.pid))
        run = Run(server, way, live, start)
        stack.callback(run.close)
        stack.callback(lambda: seen.update(below(live.pid)))
        yield run


def with_certificate(target: Target) -> Target:
    """Fill in the files of a certificate for lessons."""
    cert = certificate()
    command = target.command.replace("{certfile}", cert.certfile)
    return replace(target, command=command.replace("{keyfile}", cert.keyfile))


def below(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants; nothing when it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _let_nothing_stay(seen: set[psutil.Process]) -> None:
    """End the processes that were seen below a server and that have survived it."""
    left = [each for each in seen if each.is_running() and each.pid != os.getpid()]
    _gone, alive = psutil.wait_procs(left, GONE)
    for each in alive:
        each.kill()
    psutil.wait_procs(alive, GONE)


def leftovers(since: float) -> list[str]:
    """Return the command lines of our descendants that began after ``since`` and still run."""
    found = []
    for each in psutil.Process().children(recursive=True):
        try:
            if each.create_time() >= since and each.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(each.cmdline())[:200])
        except psutil.NoSuchProcess:
            continue
    return found


def now() -> float:
    """Return the time as ``leftovers`` wants it."""
    return time.time()
