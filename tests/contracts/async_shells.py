"""Our asynchronous servers as the contract wants them: both shells, both engines, uvloop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import uvloop
from contracts.shells import ENGINES

from handmade import async_shell, loop
from handmade.aio import Asyncio
from handmade.loop_shell import LoopShell
from handmade.service import Service, Timeouts
from handmade.tls import Tls
from handmade.waiting import listen
from handmade.wsgi_in_asgi import WsgiInAsgi

PATIENT = Timeouts(
    head=20, body=20, write=20, idle=20, linger=2, drain=0.05, half_closed=20, startup=20
)
IMPATIENT = Timeouts(
    head=0.4, body=0.4, write=0.4, idle=0.4, linger=0.4, drain=0.05, slowest=100_000_000,
    half_closed=0.3, startup=0.4, shutdown=0.4, ping=0.4, pong=0.4,
)  # fmt: skip
SHELLS: dict[str, Callable[..., Any]] = {
    "asyncio": Asyncio,
    "loop": LoopShell,
    "uvloop": lambda service, **how: Asyncio(service, loop_factory=uvloop.new_event_loop, **how),
}


class Lines(logging.Handler):
    """Write log records into a list, each line of each an element."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.extend(self.format(record).splitlines())


@contextmanager
def logged(lines: list[str] | None) -> Iterator[None]:
    """Add what is logged to ``lines``."""
    if lines is None:
        yield
        return
    logger, handler = logging.getLogger("handmade"), Lines(lines)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class Serving:
    """A shell in a thread, for a while."""

    def __init__(self, shell: Any, listener: socket.socket | None = None) -> None:
        self.shell = shell
        self.listener = listener or listen("127.0.0.1", 0)
        self.address: tuple[str, int] = self.listener.getsockname()
        self.ready = threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self) -> None:
        try:
            self.shell.serve(self.listener, self.ready.set)
        except BaseException as error:
            self.error = error
        finally:
            self.ready.set()

    def start(self) -> None:
        """Start, and wait until clients can be served; raise what kept it from that."""
        self.thread.start()
        if not self.ready.wait(20):
            raise AssertionError("the server has not begun")
        if self.error is not None:
            self.thread.join(20)
            raise self.error

    def stop(self, seconds: float = 20) -> None:
        """Stop; fail when the server does not, or has failed meanwhile."""
        self.shell.stop()
        self.thread.join(seconds)
        if self.thread.is_alive():
            self.shell.stop()
            self.thread.join(5)
            raise AssertionError("the server did not stop")
        if self.error is not None:
            raise AssertionError(f"the server failed: {self.error!r}") from self.error

    def cpu(self) -> float:
        """Return the CPU time of the server's thread, in seconds."""
        return time.clock_gettime(time.pthread_getcpuclockid(self.thread.ident or 0))


@contextmanager
def serving(
    app: Any,
    shell: str | Callable[..., Any] = "asyncio",
    engine: str = "http1",
    *,
    lifespan: str = "auto",
    slow_callback: float | None = None,
    connections: int = 10_000,
    **how: Any,
) -> Iterator[Serving]:
    """Serve an ASGI application in a thread."""
    how.setdefault("timeouts", PATIENT)
    make = SHELLS[shell] if isinstance(shell, str) else shell
    service = Service(app, engine=ENGINES[engine], **how)
    server = Serving(
        make(service, connections=connections, lifespan=lifespan, slow_callback=slow_callback)
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Ours:
    """One shell with one engine (subject of the contract ``asgi``)."""

    shell: str
    engine: str
    patience: float = 10.0
    timeouts: Timeouts = PATIENT
    hurry: float = 0.15
    serving: Serving | None = None

    provides = frozenset((
        "timeouts", "graceful", "half-close", "root path", "lifespan", "state", "trailers",
        "early hints", "cpu", "log", "watchdog", "websocket",
    ))  # fmt: skip

    @contextmanager
    def serve(
        self,
        app: Any,
        *,
        impatient: bool = False,
        root_path: str = "",
        log: list[str] | None = None,
        slow_callback: float | None = None,
        tls: Tls | None = None,
    ) -> Iterator[tuple[str, int]]:
        with ExitStack() as stack:
            stack.enter_context(logged(log))
            if impatient:  # who waits half a second must be looked at more often than each second
                stack.enter_context(mock.patch.object(async_shell, "SWEEP", 0.1))
            self.serving = stack.enter_context(
                serving(
                    app,
                    self.shell,
                    self.engine,
                    timeouts=IMPATIENT if impatient else self.timeouts,
                    script_name=root_path,
                    slow_callback=slow_callback,
                    tls=tls,
                )
            )
            yield self.serving.address

    def cpu(self) -> float:
        assert self.serving is not None
        return self.serving.cpu()


@dataclass
class WsgiOnOurs:
    """A WSGI server: the adapter on one of our shells (subject of the contract ``server``)."""

    shell: str
    engine: str
    patience: float = 10.0
    adapter: Callable[..., Any] = WsgiInAsgi

    @property
    def provides(self) -> frozenset[str]:
        offered = {"timeouts", "graceful", "script name", "streamed upload", "threads"}
        if self.engine == "http1":
            offered.add("keep-alive in 1.0")
        return frozenset(offered)

    @contextmanager
    def serve(
        self, app: Any, *, impatient: bool = False, script_name: str = ""
    ) -> Iterator[tuple[str, int]]:
        get_loop = {"get_loop": loop.get_running_loop} if self.shell == "loop" else {}
        inner = Ours(self.shell, self.engine)
        with inner.serve(
            self.adapter(app, **get_loop), impatient=impatient, root_path=script_name
        ) as address:
            yield address
