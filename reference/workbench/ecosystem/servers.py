"""Each real server: what it is called, what it needs, and the command lines that start it.

A *way* is a command line with ``{app}`` where the application belongs, and ``{port}``,
``{python}``, ``{certfile}`` and ``{keyfile}`` where those do:

===========  ======================================================================================
``plain``    one worker that speaks HTTP itself, and no option for speed: uWSGI by --http-socket,
             where its quickstart has --http, which puts a router process before the worker
``workers``  two workers, with a master where there is one
``tls``      over TLS, with whatever ALPN it offers
``h2c``      HTTP/2 by prior knowledge, without TLS
``h3``       TLS, and HTTP/3 on the UDP port of the same number
===========  ======================================================================================

A way that a server has not is not in its table.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workbench.gauntlet.targets import Target

from . import apache
from .programs import found

PROBE = {"wsgi": "probe:wsgi", "asgi": "probe:app"}
"""The gauntlet's probe, which answers what is asked of a server."""


@dataclass(frozen=True)
class RealServer:
    """A server under one name and in one configuration.

    ``packages`` are distributions that must be installed, the server's own first; ``programs`` what
    must be on PATH; ``get`` the line that says how to get what is missing.  ``reload`` is the name
    of the signal that asks for new workers, "" where there is none; what it costs is probed.
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


def _rows() -> list[RealServer]:
    """Return every server, in the order of the tables: WSGI, then ASGI, ours last in each."""
    return [*_gunicorns(), *_other_wsgi(), *_our_wsgi(), *_uvicorns(), *_other_asgi(), *_our_asgi()]


TLS = " --certfile {certfile} --keyfile {keyfile}"
WORKERS = " --workers 2"
GUNICORN = "{python} -m gunicorn {app} -b 127.0.0.1:{port} --log-level warning --graceful-timeout 4"
# HTTP/2 is off by default, over TLS too; without TLS it takes a trusted peer, and trusts 127.0.0.1
# (gunicorn/config.py: HTTPProtocols, HTTP2Cleartext, ForwardedAllowIPS).  With "both" such a port
# speaks HTTP/1.1 too; with "prior-knowledge" it does not.
GUNICORN_TLS = f"{TLS} --http-protocols h2,h1"
GUNICORN_H2C = " --http-protocols h2,h1 --http2-cleartext both"
GRANIAN = "{python} -m granian --port {port} --log-level warning --interface"
GRANIAN_TLS = " --ssl-certificate {certfile} --ssl-keyfile {keyfile}"
OURS = "{python} -m handmade serve {app} --port {port} --log-level warning --graceful-timeout 4"


def _gunicorns() -> list[RealServer]:
    sync, threads = GUNICORN, f"{GUNICORN} -k gthread --threads 8"
    return [
        RealServer("gunicorn", "Gunicorn, sync", "wsgi",
                   {"plain": sync, "workers": sync + WORKERS, "tls": sync + TLS},
                   ("gunicorn",), reload="SIGHUP"),
        RealServer("gunicorn-gthread", "Gunicorn, gthread", "wsgi",
                   {"plain": threads, "workers": threads + WORKERS,
                    "tls": threads + GUNICORN_TLS, "h2c": threads + GUNICORN_H2C},
                   ("gunicorn", "h2"), reload="SIGHUP"),
    ]  # fmt: skip


def _other_wsgi() -> list[RealServer]:
    # With a master SIGTERM means "reload at once" to uWSGI 2, and an application that cannot be
    # imported is served as an error 500, unless it is told otherwise; a line for each request is
    # its default.
    uwsgi = "uwsgi --http-socket 127.0.0.1:{port} --module {app} --die-on-term --need-app"
    uwsgi += " --disable-logging"
    # For a reload the master runs its program again, by default not the Python of this environment.
    uwsgi_workers = f"{uwsgi} --master --processes 2 --binary-path {{python}}"
    mod_wsgi = "{python} -m workbench.ecosystem.apache {app} --port {port}"
    waitress = "{python} -m waitress --listen 127.0.0.1:{port} {app}"
    return [
        RealServer("uwsgi", "uWSGI", "wsgi", {"plain": uwsgi, "workers": uwsgi_workers},
                   ("pyuwsgi",), reload="SIGHUP", unfit=_no_uwsgi),
        RealServer("mod_wsgi", "mod_wsgi", "wsgi",
                   {"plain": mod_wsgi, "workers": f"{mod_wsgi} --processes 2 --threads 15"},
                   get=apache.GET, reload="SIGUSR1", unfit=apache.unfit, told=apache.version),
        RealServer("waitress", "waitress", "wsgi", {"plain": waitress}, ("waitress",)),
        RealServer("granian-wsgi", "Granian, WSGI", "wsgi",
                   {"plain": f"{GRANIAN} wsgi {{app}}",
                    "workers": f"{GRANIAN} wsgi{WORKERS} {{app}}",
                    "tls": f"{GRANIAN} wsgi{GRANIAN_TLS} {{app}}",
                    "h2c": f"{GRANIAN} wsgi {{app}}"},
                   ("granian",), reload="SIGHUP"),
        RealServer("wsgiref", "wsgiref", "wsgi",
                   {"plain": "{python} -m workbench.ecosystem.plain {app} --port {port}"},
                   told=platform.python_version),
    ]  # fmt: skip


def _our_wsgi() -> list[RealServer]:
    processes = f"{OURS}{WORKERS} --threads 4"
    return [
        RealServer("ours-one", "ours, one at a time", "wsgi", {"plain": f"{OURS} --threads 1"}),
        RealServer("ours-threads", "ours, threads", "wsgi",
                   {"plain": OURS, "workers": OURS + WORKERS, "tls": OURS + TLS}),
        RealServer("ours-processes", "ours, processes", "wsgi",
                   {"plain": processes, "workers": processes}),
    ]  # fmt: skip


def _uvicorns() -> list[RealServer]:
    uvicorn = "{python} -m uvicorn {app} --port {port} --log-level warning --no-access-log --http"
    tls = " --ssl-certfile {certfile} --ssl-keyfile {keyfile}"
    rows = []
    for name, title, option, packages in (
        ("uvicorn-h11", "Uvicorn, h11", "h11", ("uvicorn", "h11")),
        ("uvicorn", "Uvicorn, httptools", "httptools", ("uvicorn", "httptools")),
        ("uvicorn-http2", "Uvicorn, its HTTP/2", "zttp --http2", ("uvicorn", "zttp")),
    ):
        one = f"{uvicorn} {option}"
        ways = {"plain": one, "workers": one + WORKERS, "tls": one + tls}
        if "--http2" in option:
            ways["h2c"] = one
        # Only with workers is there a master that a signal can tell to renew them.
        rows.append(RealServer(name, title, "asgi", ways, packages, reload="SIGHUP"))
    return rows


def _other_asgi() -> list[RealServer]:
    hypercorn = "{python} -m hypercorn -b 127.0.0.1:{port}"
    daphne = "{python} -m daphne -v 0"
    endpoint = "ssl:{port}:privateKey={keyfile}:certKey={certfile}:interface=127.0.0.1"
    asgi = f"{GUNICORN} -k asgi"
    return [
        RealServer("hypercorn", "Hypercorn", "asgi",
                   {"plain": f"{hypercorn} {{app}}", "workers": f"{hypercorn}{WORKERS} {{app}}",
                    "h2c": f"{hypercorn} {{app}}", "tls": f"{hypercorn}{TLS} {{app}}",
                    "h3": f"{hypercorn}{TLS} --quic-bind 127.0.0.1:{{port}} {{app}}"},
                   ("hypercorn", "aioquic"), reload="SIGHUP"),
        RealServer("daphne", "Daphne", "asgi",
                   {"plain": f"{daphne} -b 127.0.0.1 -p {{port}} {{app}}",
                    "tls": f"{daphne} -e {endpoint} {{app}}"},
                   ("daphne",)),
        RealServer("gunicorn-asgi", "Gunicorn, ASGI", "asgi",
                   {"plain": asgi, "workers": asgi + WORKERS,
                    "tls": asgi + GUNICORN_TLS, "h2c": asgi + GUNICORN_H2C},
                   ("gunicorn", "h2"), reload="SIGHUP"),
        RealServer("granian", "Granian", "asgi",
                   {"plain": f"{GRANIAN} asgi {{app}}",
                    "workers": f"{GRANIAN} asgi{WORKERS} {{app}}",
                    "h2c": f"{GRANIAN} asgi {{app}}",
                    "tls": f"{GRANIAN} asgi{GRANIAN_TLS} {{app}}"},
                   ("granian",), reload="SIGHUP"),
    ]  # fmt: skip


def _our_asgi() -> list[RealServer]:
    loop = f"{OURS} --loop handmade"
    return [
        RealServer("ours", "ours, asyncio", "asgi",
                   {"plain": OURS, "workers": OURS + WORKERS, "h2c": OURS, "tls": OURS + TLS}),
        RealServer("ours-loop", "ours, loop by hand", "asgi",
                   {"plain": loop, "h2c": loop, "tls": loop + TLS}),
    ]  # fmt: skip


def _no_uwsgi() -> str:
    """Say why uWSGI cannot run here, or ""."""
    return "" if os.name == "posix" else "uWSGI: there is none for Windows"


SERVERS = {row.name: row for row in _rows()}


def servers_of(interface: str) -> list[RealServer]:
    """Return the servers of an interface, in the order of its table."""
    return [row for row in SERVERS.values() if row.interface == interface]
