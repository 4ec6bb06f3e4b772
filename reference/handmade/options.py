"""The options of ``handmade serve``: their names, their ranges, their defaults."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from . import __version__, http1
from .events import Engine, Limits
from .service import Timeouts
from .websocket_events import WebSocketLimits


def _h11(limits: Limits) -> Engine:
    """Make h11's engine.  h11 is imported only where it was chosen."""
    from .http1_h11 import Connection

    return Connection(limits)


ENGINES: dict[str, Callable[[Limits], Engine]] = {"handmade": http1.Connection, "h11": _h11}
LOOPS = ("asyncio", "uvloop", "handmade")
LIMITS, TIMEOUTS, WEBSOCKET = Limits(), Timeouts(), WebSocketLimits()


class Parser(argparse.ArgumentParser):
    """Say in one line what is wrong with a command."""

    def error(self, message: str) -> NoReturn:
        """End with status 1."""
        give_up(f"{message}; see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; the names are those that Gunicorn's users know."""
    top = Parser(prog="handmade", description="A WSGI and ASGI server made by hand.")
    top.add_argument("--version", action="version", version=f"handmade {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="serve")
    serve = commands.add_parser("serve", help="serve a WSGI or ASGI application")
    serve.add_argument("app", help="module:name, or module:factory() to call one")
    _add_server_options(serve)
    _add_time_options(serve)
    _add_limit_options(serve)
    _add_websocket_options(serve)
    return top


def _add_server_options(serve: argparse.ArgumentParser) -> None:
    """Add what tells where and how to serve."""
    add = serve.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", "-p", type=_number(0, 65535), default=8000, help="0 takes a free one (8000)")
    add("--bind", "-b", metavar="HOST:PORT", help="both in one, as Gunicorn has it")
    add("--workers", "-w", type=_number(1, 512), default=1, help="processes (%(default)s)")
    add("--threads", "-t", type=_number(1, 4096), help="WSGI, a process; 1: no pool (8)")
    add("--connections", type=_number(1, 100_000), help="most clients a process (1000; ASGI 10000)")
    add("--certfile", metavar="FILE", help="speak TLS: certificate and chain, in PEM")
    add("--keyfile", metavar="FILE", help="its private key, unless it is in --certfile too")
    add("--backlog", type=_number(1, 65535), default=1024, help="clients in the kernel's queue")
    add("--engine", choices=ENGINES, default="handmade", help="who speaks HTTP (%(default)s)")
    add("--interface", choices=("auto", "wsgi", "asgi"), default="auto", help="(%(default)s)")
    add("--loop", choices=LOOPS, default="asyncio", help="ASGI: who waits (%(default)s)")
    add("--lifespan", choices=("auto", "on", "off"), default="auto", help="ASGI (%(default)s)")
    add("--debug-blocking", type=_seconds, metavar="SECONDS", help="ASGI: log who holds the loop")
    add("--chdir", metavar="DIR", help="go there before the application is imported")
    add("--script-name", default="", metavar="/PREFIX", help="where the application is mounted")
    add("--access-log", metavar="FILE", help="one line a request; - for standard output")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")


def _add_time_options(serve: argparse.ArgumentParser) -> None:
    """Add the timeouts, all in seconds."""
    add, second = serve.add_argument, _seconds
    add("--keep-alive", type=second, default=TIMEOUTS.idle, help="between requests (%(default)s)")
    add("--head-timeout", type=second, default=TIMEOUTS.head, help="for a head (%(default)s)")
    add("--body-timeout", type=second, default=TIMEOUTS.body, help="for a body (%(default)s)")
    add(
        "--write-timeout", type=second, default=TIMEOUTS.write, help="to take a block (%(default)s)"
    )
    add("--graceful-timeout", type=second, default=TIMEOUTS.graceful, help="to stop (%(default)s)")
    add("--startup-timeout", type=second, default=TIMEOUTS.startup, help="ASGI (%(default)s)")
    add("--shutdown-timeout", type=second, default=TIMEOUTS.shutdown, help="ASGI (%(default)s)")


def _add_limit_options(serve: argparse.ArgumentParser) -> None:
    """Add the limits, in bytes but for the count of fields."""
    add, size = serve.add_argument, _number(1, 1 << 40)
    add("--limit-request-line", type=size, default=LIMITS.request_line, help="(%(default)s)")
    add("--limit-request-head", type=size, default=LIMITS.head, help="all fields (%(default)s)")
    add("--limit-request-fields", type=size, default=LIMITS.fields, help="count (%(default)s)")
    add("--limit-request-body", type=size, default=LIMITS.body, help="(%(default)s)")


def _add_websocket_options(serve: argparse.ArgumentParser) -> None:
    """Add what only WebSockets need, by the names that Uvicorn's users know."""
    add, second = serve.add_argument, _seconds
    add("--ws-max-size", type=_number(1, 1 << 40), default=WEBSOCKET.message, help="of a message")
    add("--ws-ping-interval", type=second, default=TIMEOUTS.ping, help="of silence (%(default)s)")
    add("--ws-ping-timeout", type=second, default=TIMEOUTS.pong, help="for a pong (%(default)s)")
    add("--no-ws-deflate", action="store_true", help="do not compress messages")


def _number(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers for argparse."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"say a whole number from {least} to {most}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    """Read a time in seconds for argparse."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError("say a time in seconds, for example 2.5")
    return seconds


def give_up(message: str) -> NoReturn:
    """End with one line."""
    print(f"handmade: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)
