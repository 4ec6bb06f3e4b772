"""The command line: ``handmade serve module:app``.

Everything that can be wrong with a command is said in one line, with what would mend it, and ends
with status 1.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .access_log import AccessLog
from .blocking import OneAtATime
from .collector import settle
from .events import Limits
from .lifespan import LifespanFailed
from .loading import CannotLoad, interface_of, load
from .options import ENGINES, give_up, parser
from .processes import Processes, Shell
from .service import DEFAULT_DEFLATE, Service, Timeouts
from .threads import Threads
from .tls import Tls
from .tls_files import BadCertificate
from .tls_files import load as load_certificate
from .waiting import listen
from .websocket_events import WebSocketLimits


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s"
    )
    if options.chdir:
        try:
            os.chdir(options.chdir)
        except OSError as error:
            give_up(f"cannot go to --chdir {options.chdir}: {error.strerror}")
    sys.path.insert(0, os.getcwd())
    tls = _load_certificate(options)  # once, so that all workers know the tickets of each other
    listener = _listen(options)
    make_shell = partial(_make_shell, options, tls)
    try:
        if options.workers > 1:
            return _serve_processes(options, make_shell, listener)
        shell = make_shell()
        _stop_on_signals(shell)  # first: who reads the line below may send one at once
        shell.serve(listener, ready=lambda: _announce(options, listener))
        return 0
    except LifespanFailed as error:
        give_up(str(error))
    finally:
        listener.close()


def _serve_processes(
    options: argparse.Namespace, make_shell: Callable[[], Shell], listener: socket.socket
) -> int:
    """Serve with several processes."""
    if options.interface != "wsgi":
        importlib.import_module(".aio", __package__)  # once: what is here before a fork is shared
    try:
        processes = Processes(make_shell, options.workers, options.graceful_timeout)
    except OSError as error:
        give_up(f"--workers: {error}")
    _stop_on_signals(processes)
    processes.serve(listener, ready=lambda: _announce(options, listener))
    return processes.status


class OnlyShell:
    """A shell that has its process to itself, and closes the access log behind it."""

    def __init__(self, shell: Shell, log: AccessLog | None) -> None:
        self.stop = shell.stop
        self._shell = shell
        self._log = log

    def serve(self, listener: socket.socket, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until stopped."""

        def settled() -> None:
            settle()
            ready()

        try:
            self._shell.serve(listener, settled)
        finally:
            if self._log is not None:
                self._log.close()


def _load_certificate(options: argparse.Namespace) -> Tls | None:
    """Return what TLS needs, or None where it is not asked for."""
    if not options.certfile:
        if options.keyfile:
            give_up("--keyfile is of no use without --certfile")
        return None
    try:
        return load_certificate(options.certfile, options.keyfile)
    except BadCertificate as error:
        give_up(str(error))


def _make_shell(options: argparse.Namespace, tls: Tls | None) -> Shell:
    """Import the application and make the shell for it, in the process that will serve."""
    try:
        app = load(options.app)
    except CannotLoad as error:
        give_up(str(error))
    log = _open_access_log(options.access_log)
    service = Service(
        app,
        engine=ENGINES[options.engine],
        limits=_limits(options),
        timeouts=_timeouts(options),
        script_name=options.script_name.rstrip("/"),
        multiprocess=options.workers > 1,
        access=log.log if log else None,
        tls=tls,
        websocket=WebSocketLimits(options.ws_max_size, options.ws_max_size),
        deflate=None if options.no_ws_deflate else DEFAULT_DEFLATE,
    )
    return OnlyShell(_shell(options, service), log)


def _shell(options: argparse.Namespace, service: Service) -> Shell:
    """Return the shell that goes with the application's interface."""
    if options.interface == "auto":
        options.interface = interface_of(service.app)
    if options.interface == "asgi":
        return _async_shell(options, service)
    if options.threads == 1:
        return OneAtATime(service, options.connections or 1000)
    return Threads(service, options.threads or 8, options.connections or 1000)


def _async_shell(options: argparse.Namespace, service: Service) -> Shell:
    """Return the asynchronous shell that was asked for; who serves WSGI does not import it."""
    from .aio import Asyncio
    from .loop_shell import LoopShell

    if options.threads:
        give_up(f"{options.app} is an ASGI application: it runs in one thread; leave out --threads")
    how: dict[str, Any] = {
        "connections": options.connections or 10_000,
        "lifespan": options.lifespan,
        "slow_callback": options.debug_blocking,
    }
    if options.loop == "handmade":
        return LoopShell(service, **how)
    factory = None
    if options.loop == "uvloop":
        try:
            factory = importlib.import_module("uvloop").new_event_loop
        except ImportError:
            give_up("--loop uvloop: it is not installed; run pip install uvloop, or leave it out")
    return Asyncio(service, loop_factory=factory, **how)


def _limits(options: argparse.Namespace) -> Limits:
    """Return the limits that were asked for."""
    return Limits(
        request_line=options.limit_request_line,
        head=options.limit_request_head,
        fields=options.limit_request_fields,
        body=options.limit_request_body,
    )


def _timeouts(options: argparse.Namespace) -> Timeouts:
    """Return the timeouts that were asked for."""
    return Timeouts(
        head=options.head_timeout,
        body=options.body_timeout,
        write=options.write_timeout,
        idle=options.keep_alive,
        graceful=options.graceful_timeout,
        startup=options.startup_timeout,
        shutdown=options.shutdown_timeout,
        ping=options.ws_ping_interval,
        pong=options.ws_ping_timeout,
    )


def _listen(options: argparse.Namespace) -> socket.socket:
    """Open the port, or say why it cannot be had."""
    host, port = options.host, options.port
    if options.bind:
        host, _, text = options.bind.rpartition(":")
        if not text.isdigit() or int(text) > 65535:
            give_up(f"--bind {options.bind}: say HOST:PORT, for example 127.0.0.1:8000")
        host, port = host.strip("[]") or "0.0.0.0", int(text)
    try:
        return listen(host, port, options.backlog)
    except OSError as error:
        hints = {
            errno.EADDRINUSE: "another program has it; choose another --port, or 0 for a free one",
            errno.EACCES: "ports below 1024 need rights that you do not have; try --port 8000",
        }
        reason = hints.get(error.errno or 0, error.strerror or str(error))
        give_up(f"cannot listen on {host}:{port}: {reason}")


def _open_access_log(name: str | None) -> AccessLog | None:
    """Open the access log."""
    if name is None:
        return None
    try:
        return AccessLog(sys.stdout if name == "-" else open(name, "a", encoding="ascii"))
    except OSError as error:
        give_up(f"cannot write --access-log {name}: {error.strerror}")


def _announce(options: argparse.Namespace, listener: socket.socket) -> None:
    """Say where we can be reached; behind JupyterHub's proxy too."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    link = f", in the browser {hub.rstrip('/')}/proxy/{port}/" if hub else ""
    url = f"{'https' if options.certfile else 'http'}://{shown}:{port}"
    line = f"handmade: {options.app} on {url} ({_size(options)}{link}); Ctrl-C stops"
    print(line, file=sys.stderr, flush=True)


def _size(options: argparse.Namespace) -> str:
    """Tell how many threads, or which loop, in how many processes."""
    if options.workers > 1:  # only they have seen the application
        return f"{options.workers} workers"
    return (
        f"{options.loop} loop" if options.interface == "asgi" else f"{options.threads or 8} threads"
    )


def _stop_on_signals(shell: Shell | Processes) -> None:
    """Stop on SIGINT and SIGTERM; the second one drops what is still under way."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: shell.stop())
