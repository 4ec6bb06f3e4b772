"""What can be judged: the course's servers, real ones by name, any command, a function in a cell.

A target is a way to start a server with the probe in it.  Commands run in a process of their own,
with a copy of ``probe.py`` on their PYTHONPATH, and may be started again for a check that wants a
server for itself; a function runs in a thread of this process.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from handmade.lifespan import LifespanFailed
from workbench.ecosystem import apache
from workbench.hosts import DidNotStart
from workbench.running import Server, running

from . import stages
from .asking import Live, folder_for_notes

START = 15.0  # seconds that a command has to accept its first client
SHORT = 3.0  # seconds that a server in this process has, to start or to stop
GOODBYE = 1.0  # seconds that a command has to end when the gauntlet is over
WSGIREF = (
    "from wsgiref.simple_server import make_server; import probe; "
    "make_server('127.0.0.1', {port}, probe.wsgi).serve_forever()"
)
HANDMADE = "{python} -m handmade serve --port {port} --log-level warning --graceful-timeout 4"


class CannotStart(Exception):
    """The server does not start; the message says in one line why.

    ``log`` is all that it printed, line by line; where it printed nothing, the message.
    """

    def __init__(self, message: str, log: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log) or [message]


@dataclass(frozen=True)
class Target:
    """A way to start a server.

    ``command`` has ``{port}`` in it and names ``probe:wsgi`` or ``probe:app``; ``more`` are
    arguments of ``running`` for a function in this process instead.  ``version`` names the packages
    whose versions are shown.  A server that is no package tells by ``unfit`` in one line what it
    lacks here, and by ``told`` its version.
    """

    name: str
    interface: str
    command: str = ""
    version: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    jobs: int = 4
    unfit: Callable[[], str] = lambda: ""
    told: Callable[[], str] | None = None

    @property
    def provides(self) -> set[str]:
        """What the checks may need of this way to start."""
        if self.command:
            return {"probe", "own"} if self.interface else {"own"}
        own = {"own"} if "app" in self.more else set()
        return {"probe", *own} if self.interface else set()

    @property
    def missing(self) -> str:
        """Return a sentence when a package that the command needs is not installed, or ""."""
        for name in self.version:
            if importlib.util.find_spec(name) is None:
                return f"{name} is not installed: pip install {name}"
        return self.unfit()

    def described(self) -> str:
        """Return what is judged: the command with versions, or the function."""
        versions = [f"{name} {importlib.metadata.version(name)}" for name in self.version]
        if self.told is not None:
            versions.append(f"{self.name} {self.told()}")
        return ", ".join([*versions, self.command or "a function in this process"])


def handmade(name: str, interface: str, options: str, engine: str) -> Target:
    """Return one of the course's servers as a command."""
    app = "probe:wsgi" if interface == "wsgi" else "probe:app"
    chosen = f" --engine {engine}" if engine != "handmade" else ""
    return Target(name, interface, f"{HANDMADE} {options}{chosen} {app}")


def _ours() -> dict[str, Target]:
    """Return the course's servers: every shell with both engines."""
    shells = {
        "one": ("wsgi", "--threads 1"),
        "threads": ("wsgi", ""),
        "processes": ("wsgi", "--workers 2 --threads 4"),
        "asyncio": ("asgi", ""),
        "loop": ("asgi", "--loop handmade"),
    }
    found = {}
    for shell, (interface, options) in shells.items():
        found[shell] = handmade(shell, interface, options, "handmade")
        found[f"{shell}-h11"] = handmade(f"{shell}-h11", interface, options, "h11")
    return found


def _real() -> dict[str, Target]:
    """Return real servers, as their makers' first pages start them."""
    uvicorn = "{python} -m uvicorn probe:app --port {port} --log-level warning --no-access-log"
    gunicorn = "{python} -m gunicorn -b 127.0.0.1:{port} --log-level warning --graceful-timeout 4"
    rows = [
        ("uvicorn", "asgi", uvicorn + " --http httptools",
         ("uvicorn", "httptools", "websockets")),
        ("uvicorn-h11", "asgi", uvicorn + " --http h11", ("uvicorn", "h11")),
        ("uvicorn-wsproto", "asgi", uvicorn + " --http httptools --ws wsproto",
         ("uvicorn", "wsproto")),
        ("hypercorn", "asgi", "{python} -m hypercorn -b 127.0.0.1:{port} probe:app",
         ("hypercorn",)),
        ("daphne", "asgi", "{python} -m daphne -v 0 -b 127.0.0.1 -p {port} probe:app",
         ("daphne",)),
        ("granian", "asgi",
         "{python} -m granian --interface asgi --port {port} --log-level warning probe:app",
         ("granian",)),
        ("gunicorn", "wsgi", gunicorn + " probe:wsgi", ("gunicorn",)),
        ("gunicorn-gthread", "wsgi", gunicorn + " -k gthread --threads 8 probe:wsgi",
         ("gunicorn",)),
        ("waitress", "wsgi", "{python} -m waitress --listen 127.0.0.1:{port} probe:wsgi",
         ("waitress",)),
        # SIGTERM means "reload at once" to uWSGI 2 unless it is told otherwise.
        ("uwsgi", "wsgi",
         "uwsgi --http-socket 127.0.0.1:{port} --module probe:wsgi --need-app --die-on-term"
         " --disable-logging", ("pyuwsgi",)),
        ("wsgiref", "wsgi", f'{{python}} -c "{WSGIREF}"', ()),
    ]  # fmt: skip
    found = {name: Target(name, kind, command, version) for name, kind, command, version in rows}
    found["mod_wsgi"] = Target(
        "mod_wsgi", "wsgi", "{python} -m workbench.ecosystem.apache probe:wsgi --port {port}",
        unfit=apache.unfit, told=apache.version,
    )  # fmt: skip
    return found


OURS = _ours()
REAL = _real()
STAGES = {
    f"stage-{number}": Target(f"stage-{number}", "", more={"handler": handler})
    for number, handler in enumerate((stages.chapter_1, stages.chapter_2, stages.chapter_3), 1)
}
TARGETS = {**OURS, **REAL, **STAGES}
MEANT = {
    "handmade": ("threads", "asyncio"),
    "all": tuple(OURS),
    "wild": tuple(REAL),
    "stages": (*STAGES, "one", "threads", "asyncio"),
}
"""Names that mean several targets."""


def named(name: str) -> list[Target]:
    """Return the targets that a name means; raise LookupError with the names that there are."""
    names = MEANT.get(name, (name,))
    if any(each not in TARGETS for each in names):
        raise LookupError(f"no server {name!r}: there are {', '.join([*MEANT, *TARGETS])}")
    return [TARGETS[each] for each in names]


def of_command(command: str) -> Target:
    """Return the target that a command line means; its interface is told by the probe's name."""
    if "{port}" not in command:
        raise LookupError("the command needs {port} where its port belongs")
    found = re.search(r"\bprobe:(\w+)", command)
    if found is None:
        raise LookupError("the command must name probe:wsgi or probe:app, which it is to serve")
    interface = "wsgi" if found[1] == "wsgi" else "asgi"
    return Target(command.split()[0], interface, command)


def of_function(name: str, interface: str = "", **more: Any) -> Target:
    """Return the target that ``running(**more)`` means: handler=, serve= or an app=."""
    # Applications in this process share the probe's one life, and its environment.
    return Target(name, interface, more=more, jobs=1 if "app" in more else 4)


# --- running ----------------------------------------------------------------------------------


class CommandLive:
    """A server in a process of its own."""

    def __init__(self, server: Server) -> None:
        self.address = server.address
        self.pid = server.pid
        self.was_stopped = False
        """True when it was told to stop: then its end is no accident."""
        self._server = server

    @property
    def alive(self) -> bool:
        """False when the process has ended."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def stop(self) -> None:
        """Send SIGTERM."""
        self.was_stopped = True
        os.kill(self.pid, signal.SIGTERM)

    def ended_within(self, seconds: float) -> bool:
        """Wait for the end of the process."""
        end = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    @property
    def log(self) -> list[str]:
        """What it has printed so far, line by line."""
        return self._server.log

    def words(self) -> str:
        """Return the last lines that it has printed."""
        return " / ".join(self.log[-2:])


class FunctionLive:
    """A server in a thread of this process."""

    def __init__(self, server: Server) -> None:
        self.address = server.address
        self._server = server
        self._stopping: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """False when the function has failed."""
        return not any(line.startswith("the server ended") for line in self._server.log)

    def stop(self) -> None:
        """Tell it to stop, as the end of ``running`` does."""
        self._stopping = threading.Thread(target=self._server._host.stop, args=(SHORT,))
        self._stopping.start()

    def ended_within(self, seconds: float) -> bool:
        """Wait until it has stopped, when it was told to."""
        if self._stopping is not None:
            self._stopping.join(seconds)
        return self._stopping is not None and not self._stopping.is_alive()

    @property
    def log(self) -> list[str]:
        """What it has logged so far, line by line."""
        return self._server.log

    def words(self) -> str:
        """Return the last line that it has logged."""
        return " / ".join(self.log[-1:])


@dataclass
class Starter:
    """Starts servers of one target, with one folder for the probe and its notes.

    ``known`` is what the checks have found out about the server, for each other.
    """

    target: Target
    folder: str
    known: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def server(self, app: str = "", env: dict[str, str] | None = None) -> Iterator[Live]:
        """Run a server; raise CannotStart when it does not begin."""
        if not self.target.command:
            with self._in_this_process(app, env or {}) as live:
                yield live
            return
        command = re.sub(r"\bprobe:\w+", f"probe:{app}", self.target.command) if app else ""
        paths = [self.folder, os.environ.get("PYTHONPATH", "")]
        env = {
            "GAUNTLET_FOLDER": self.folder,
            "TMPDIR": self.folder,  # so that what it makes there goes with it, however it ends
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(env or {}),
        }
        with ExitStack() as stack:
            try:
                server = stack.enter_context(
                    running(
                        command=command or self.target.command, env=env, cwd=self.folder,
                        patience=START,
                    )
                )  # fmt: skip
            except (RuntimeError, OSError) as error:
                log = error.log if isinstance(error, DidNotStart) else ()
                raise CannotStart(" ".join(str(error).split()), log) from None
            live = CommandLive(server)
            stack.callback(_let_it_go, live)
            yield live

    @contextmanager
    def _in_this_process(self, app: str, env: dict[str, str]) -> Iterator[Live]:
        """Run a server in a thread; with another application of the probe where ``app`` says so."""
        from . import probe

        other = {"app": getattr(probe, app)} if app else {}
        with ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, env))
            try:
                more = {**self.target.more, **other}
                server = stack.enter_context(running(**more, patience=SHORT))
            except LifespanFailed as error:
                raise CannotStart(str(error)) from None
            yield FunctionLive(server)


def _let_it_go(live: CommandLive) -> None:
    """Ask a process to end, and kill it soon: what it still has to say interests nobody."""
    if live.alive:
        live.stop()
    if not live.ended_within(GOODBYE):
        os.kill(live.pid, signal.SIGKILL)


@contextmanager
def starter(target: Target) -> Iterator[Starter]:
    """Give something that starts servers of this target, and tidy up behind all of them."""
    if not target.command:
        yield Starter(target, folder_for_notes())
        return
    with tempfile.TemporaryDirectory(prefix="gauntlet-", ignore_cleanup_errors=True) as folder:
        shutil.copy(Path(__file__).with_name("probe.py"), folder)
        yield Starter(target, folder)


Way = Callable[..., Any]
