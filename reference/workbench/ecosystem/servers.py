"""Each real server: what it is called, what it needs, and the command lines that start it.

A *way* is a command line with ``{app}`` where the application belongs, and ``{port}``,
``{python}``, ``{certfile}`` and ``{keyfile}`` where those do:

===========  ======================================================================================
``plain``    one worker, and what the server's first page says: no option for speed
``workers``  two workers, with a master where there is one
``tls``      over TLS, with whatever ALPN it offers
``h2c``      HTTP/2 by prior knowledge, without TLS
``h3``       HTTP/3; ``{quic}`` is the UDP port
===========  ======================================================================================

A way that a server has not is not in its table.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workbench.gauntlet.targets import Target

PROBE = {"wsgi": "probe:wsgi", "asgi": "probe:app"}
"""The gauntlet's probe, which answers what is asked of a server."""

SBIN = ("/usr/sbin", "/usr/local/sbin")  # where servers lie, and which a user's PATH seldom holds


@dataclass(frozen=True)
class RealServer:
    """A server under one name and in one configuration.

    ``packages`` are distributions that must be installed, the server's own first; ``programs`` what
    must be on PATH; ``get`` the line that says how to get what is missing.  ``reload`` is the name
    of the signal that asks for new workers without a lost request, "" where there is none.
    """

    name: str
    title: str
    interface: str
    ways: Mapping[str, str]
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    get: str = ""
    reload: str = ""
    jobs: int = 4
    unfit: Callable[[], str] = lambda: ""
    told: Callable[[], str] | None = None

    @property
    def ours(self) -> bool:
        """True for the course's own."""
        return self.name.startswith("ours")

    @property
    def missing(self) -> str:
        """Return one line that says what is not there and how to get it, or ""."""
        for name in self.packages:
            try:
                importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                return f"{self.title}: {name} is not installed: {self.get or f'pip install {name}'}"
        for name in self.programs:
            if found(name) is None:
                return f"{self.title}: {name} is not installed: {self.get}"
        return self.unfit()

    @property
    def version(self) -> str:
        """Return the version of what is installed, "" where it is not; ours is the course's."""
        if self.missing:
            return ""
        if self.told is not None:
            return self.told()
        return importlib.metadata.version(self.packages[0]) if self.packages else "as you see it"

    def target(self, way: str = "plain", app: str = "") -> Target:
        """Return what is to be started: this way, with the probe or another application.

        Raise LookupError for a way that the server has not.
        """
        if way not in self.ways:
            raise LookupError(f"{self.title} has no way {way!r}: there are {', '.join(self.ways)}")
        command = self.ways[way].replace("{app}", app or PROBE[self.interface])
        return Target(self.name, self.interface, command, jobs=self.jobs)


def found(program: str) -> str | None:
    """Return the path of a program, also where only an administrator would look, or None."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def _rows() -> list[RealServer]:
    """Return every server, ours last, in the order of the tables."""
    ours = "{python} -m handmade serve {app} --port {port} --log-level warning"
    ours += " --graceful-timeout 4"
    tls = " --certfile {certfile} --keyfile {keyfile}"
    gunicorn = "{python} -m gunicorn {app} -b 127.0.0.1:{port} --log-level warning"
    gunicorn += " --graceful-timeout 4"
    waitress = "{python} -m waitress --listen 127.0.0.1:{port} {app}"
    uvicorn = "{python} -m uvicorn {app} --port {port} --log-level warning --no-access-log"
    uvicorn_tls = " --ssl-certfile {certfile} --ssl-keyfile {keyfile}"
    hypercorn = "{python} -m hypercorn -b 127.0.0.1:{port} {app}"
    granian = "{python} -m granian --port {port} --log-level warning --interface"
    granian_tls = " --ssl-certificate {certfile} --ssl-keyfile {keyfile}"
    workers = " --workers 2"
    return [
        RealServer("gunicorn", "Gunicorn, sync", "wsgi",
                   {"plain": gunicorn, "workers": gunicorn + workers},
                   ("gunicorn",), reload="SIGHUP"),
        RealServer("gunicorn-gthread", "Gunicorn, gthread", "wsgi",
                   {"plain": f"{gunicorn} -k gthread --threads 8",
                    "workers": f"{gunicorn} -k gthread --threads 8{workers}"},
                   ("gunicorn",), reload="SIGHUP"),
        RealServer("waitress", "waitress", "wsgi", {"plain": waitress}, ("waitress",)),
        RealServer("granian-wsgi", "Granian, WSGI", "wsgi",
                   {"plain": f"{granian} wsgi {{app}}",
                    "workers": f"{granian} wsgi{workers} {{app}}"},
                   ("granian",), reload="SIGHUP"),
        RealServer("ours-one", "ours, one at a time", "wsgi", {"plain": f"{ours} --threads 1"}),
        RealServer("ours-threads", "ours, threads", "wsgi",
                   {"plain": ours, "workers": ours + workers}),
        RealServer("ours-processes", "ours, processes", "wsgi",
                   {"plain": f"{ours}{workers} --threads 4",
                    "workers": f"{ours}{workers} --threads 4"}),
        RealServer("uvicorn-h11", "Uvicorn, h11", "asgi",
                   {"plain": f"{uvicorn} --http h11", "workers": f"{uvicorn} --http h11{workers}",
                    "tls": f"{uvicorn} --http h11{uvicorn_tls}"},
                   ("uvicorn", "h11"), reload="SIGHUP"),
        RealServer("uvicorn", "Uvicorn, httptools", "asgi",
                   {"plain": f"{uvicorn} --http httptools",
                    "workers": f"{uvicorn} --http httptools{workers}",
                    "tls": f"{uvicorn} --http httptools{uvicorn_tls}"},
                   ("uvicorn", "httptools"), reload="SIGHUP"),
        RealServer("hypercorn", "Hypercorn", "asgi",
                   {"plain": hypercorn, "workers": hypercorn + workers,
                    "h2c": hypercorn,
                    "tls": hypercorn + " --certfile {certfile} --keyfile {keyfile}"},
                   ("hypercorn",)),
        RealServer("daphne", "Daphne", "asgi",
                   {"plain": "{python} -m daphne -v 0 -b 127.0.0.1 -p {port} {app}"},
                   ("daphne",)),
        RealServer("gunicorn-asgi", "Gunicorn, ASGI", "asgi",
                   {"plain": gunicorn + " -k asgi", "workers": f"{gunicorn} -k asgi{workers}"},
                   ("gunicorn",), reload="SIGHUP"),
        RealServer("granian", "Granian", "asgi",
                   {"plain": f"{granian} asgi {{app}}",
                    "workers": f"{granian} asgi{workers} {{app}}",
                    "h2c": f"{granian} asgi {{app}}",
                    "tls": f"{granian} asgi{granian_tls} {{app}}"},
                   ("granian",), reload="SIGHUP"),
        RealServer("ours", "ours, asyncio", "asgi",
                   {"plain": ours, "workers": ours + workers, "h2c": ours, "tls": ours + tls}),
        RealServer("ours-loop", "ours, loop by hand", "asgi",
                   {"plain": f"{ours} --loop handmade", "h2c": f"{ours} --loop handmade",
                    "tls": f"{ours} --loop handmade{tls}"}),
    ]  # fmt: skip


SERVERS = {row.name: row for row in _rows()}


def servers_of(interface: str) -> list[RealServer]:
    """Return the servers of an interface, in the order of its table."""
    return [row for row in SERVERS.values() if row.interface == interface]
