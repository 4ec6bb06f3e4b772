"""Any server, up for the length of a ``with`` block and gone after it.

    with running(app) as server:
        print(server.get("/").text)

In goes a WSGI application, a function that talks with one socket, one that serves a listening
socket, or a command line; out comes a `Server` to talk to. It listens on this machine alone, on a
port that the system chooses, in a daemon thread or in a process. What it has to say waits in
``server.log``: nothing is printed by a thread.
"""

from __future__ import annotations

import inspect
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from handmade import aio, blocking, http1, http1_h11, loop_shell, threads
from handmade.events import Engine, Limits
from handmade.lifespan import LifespanFailed
from handmade.loading import interface_of
from handmade.service import Access, Service, Timeouts
from handmade.tls_files import load as load_certificate
from workbench import hosts
from workbench.certificates import Certificate
from workbench.logs import Log, LogStream, captured
from workbench.talk import NoAnswer, StillWaiting, Until, talk

if TYPE_CHECKING:
    import httpx

FIXED_TIME = 784887151.0
"""Tue, 15 Nov 1994 08:12:31 GMT: the Date of RFC 9110's examples."""

ENGINES: dict[str, Callable[[Limits], Engine]] = {
    "handmade": http1.Connection,
    "h11": http1_h11.Connection,
}
SHELLS: dict[str, Callable[..., Any]] = {
    "one": lambda service, threads: blocking.OneAtATime(service),
    "threads": lambda service, threads: threads_shell(service, threads),
    "asyncio": lambda service, threads, **more: aio.Asyncio(service, **more),
    "loop": lambda service, threads, **more: loop_shell.LoopShell(service, **more),
}
USUAL_SHELL = {"wsgi": "threads", "asgi": "asyncio"}
PROMPT = Timeouts(drain=0.0, graceful=2.0, startup=2.0, shutdown=2.0)
"""The timeouts of a server that must be gone when a cell ends."""


def fixed() -> float:
    """Tell the same time always: a clock for outputs that are compared."""
    return FIXED_TIME


def threads_shell(service: Service, number: int) -> threads.Threads:
    """Return the threaded shell; the parameter's name would hide the module in a lambda."""
    return threads.Threads(service, threads=number)


class Tap(Protocol):
    """Something that watches a server from the inside, such as an X-ray."""

    def app(self, app: Any) -> Any:
        """Return an application that does the same and is watched."""

    def engine(self, make: Callable[[Limits], Engine]) -> Callable[[Limits], Engine]:
        """Return a maker of engines that are watched."""

    def shell(self, shell: Any) -> None:
        """Watch what a shell does beside that: its WebSockets."""

    def socket(self, sock: socket.socket) -> socket.socket:
        """Take over an accepted socket and return one that is watched."""


class Server:
    """A running server, and a client of it."""

    def __init__(self, host: hosts.Host, log: Log, tls: Certificate | None = None) -> None:
        self._host = host
        self.tls = tls
        self._log = log
        self.host = hosts.HOST
        self.port = host.port
        self.address = (self.host, self.port)
        self.pid = host.pid

    def __repr__(self) -> str:
        return f"<server at {self.url()}>"

    def url(self, path: str = "/") -> str:
        """Return the address of a path on this server, for a client on this machine."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"

    @property
    def link(self) -> str:
        """The address for the learner's browser, which may sit on the far side of a hub."""
        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        return f"{prefix.rstrip('/')}/proxy/{self.port}/" if prefix else self.url()

    @property
    def log(self) -> list[str]:
        """What the server has said so far: its log, ``wsgi.errors``, tracebacks; line by line."""
        if isinstance(self._host, hosts.CommandHost) and self._host.is_running:
            self._host.collect()
        return self._log.lines

    def log_text(self) -> str:
        """Return the log as one text."""
        return "\n".join(self.log)

    def was_read(self, client: tuple[str, int]) -> bool | None:
        """Tell whether all was read that a client has sent; None where nobody knows."""
        return self._host.was_read(client)

    def talk(
        self,
        raw: bytes | Sequence[bytes],
        *,
        timeout: float = 2.0,
        half_close: bool = False,
        until: Until = None,
    ) -> bytes:
        """Send these bytes on a new connection and return the bytes of the answer.

        See `workbench.talk.talk`. Raise NoAnswer when the server failed instead of answering.
        """
        before = len(self._log.errors)
        try:
            came = talk(
                self.address,
                raw,
                timeout=timeout,
                half_close=half_close,
                until=until,
                was_read=self._host.was_read,
            )
        except StillWaiting as waiting:
            if failed := self._log.errors[before:]:
                raise StillWaiting(f"{waiting}; its last error is {failed[-1]}") from None
            raise
        if not came and (failed := self._log.errors[before:]):
            raise NoAnswer(f"the server closed without a byte; its last error is {failed[-1]}")
        return came

    def request(self, method: str, path: str = "/", **options: Any) -> httpx.Response:
        """Send a request by httpx, the real client, with its options, on a new connection.

        Over TLS it trusts the server's certificate, unless ``verify`` says otherwise.
        """
        import httpx

        # trust_env: a proxy that the environment names would be asked for our own machine.
        client_options = {"trust_env": False, "timeout": options.pop("timeout", 5.0)}
        if self.tls is not None:
            client_options["verify"] = options.pop("verify", None) or self.tls.context()
        with httpx.Client(**client_options) as client:
            return client.request(method, self.url(path), **options)

    def get(self, path: str = "/", **options: Any) -> httpx.Response:
        """Get a path by httpx."""
        return self.request("GET", path, **options)


@contextmanager
def running(
    app: Any = None,
    *,
    handler: Callable[..., object] | None = None,
    serve: Callable[..., Any] | None = None,
    command: str | None = None,
    port: int = 0,
    patience: float = 5.0,
    tap: Tap | None = None,
    tls: Certificate | None = None,
    **more: Any,
) -> Iterator[Server]:
    """Run a server for the length of the block. Give one of the first four.

    ``app``: a WSGI or ASGI application in our own server. ``shell`` is "one" or "threads" (with
    ``threads`` of them) for WSGI, "asyncio" or "loop" (the one by hand) for ASGI; ``engine``
    "handmade", "h11" or a class; ``access=True`` puts a line for each request into the log;
    ``limits``, ``timeouts``, ``script_name`` and ``clock`` are those of
    ``handmade.service.Service``. An ASGI application has started up when the block begins; raise
    LifespanFailed when it cannot; ``lifespan``, ``connections``, ``slow_callback`` and, for
    asyncio, ``loop_factory`` are those of ``handmade.async_shell.AsyncShell``.

    ``handler``: a function of one accepted socket, or of socket and address; ``each`` is "one" for
    one client after the other, "thread" for a thread each. The socket is closed after the call.

    ``serve``: a function, or a coroutine function, that gets the listening socket and serves it;
    ``stop`` is what makes it return, where closing the socket does not.

    ``command``: a command line with ``{port}`` in it, and ``{python}`` for this Python; ``cwd`` and
    ``env`` are those of ``subprocess``.

    ``tls``: a `workbench.certificates.certificate`; our own server speaks TLS by it, of a command
    it is told that it does. ``get`` and ``request`` trust it; ``talk`` sends bytes as they are.

    What still hangs ``patience`` seconds after the block is named in a printed line, and left.
    """
    if sum(way is not None for way in (app, handler, serve, command)) != 1:
        raise TypeError("running() takes one of: an app, handler=, serve=, command=")
    log = Log()
    with ExitStack() as stack:
        stack.enter_context(captured(log))
        host: hosts.Host
        if command is not None:
            host = hosts.CommandHost(command, port, log, patience, **more)
        else:
            wrap = tap.socket if tap is not None else None
            listener = hosts.Listener(port, wrap)
            listener.setblocking(app is None)  # our shells never wait in accept, learners' do
            stack.callback(listener.let_go)
            if app is not None:
                more["tls"] = tls
            function, stop = _server(app, handler, serve, log, tap, **more)
            started = _Started(function) if app is not None else None
            host = hosts.ThreadHost(started or function, listener, log, stop)
            if started is not None:
                started.wait(patience)
        try:
            yield Server(host, log, tls)
        finally:
            if hung := host.stop(patience):
                print(f"{hung}. Its sockets are closed, and it is left behind.")


class _Started:
    """Serve a listening socket, and tell another thread when that has begun, or why it has not."""

    def __init__(self, serve: Callable[..., object]) -> None:
        self.__self__ = getattr(serve, "__self__", None)  # by which ThreadHost knows its workers
        self._serve = serve
        self._begun = threading.Event()
        self._error: LifespanFailed | None = None

    def __call__(self, listener: socket.socket) -> None:
        try:
            self._serve(listener, self._begun.set)
        except LifespanFailed as error:
            self._error = error
        finally:
            self._begun.set()

    def wait(self, patience: float) -> None:
        """Wait until it serves; raise LifespanFailed when it never will, or not in time."""
        if not self._begun.wait(patience):
            raise LifespanFailed(f"the server has not begun within {patience:g} s: what blocks it?")
        if self._error is not None:
            raise self._error


def _server(
    app: Any, handler: Any, serve: Any, log: Log, tap: Tap | None, **more: Any
) -> tuple[Callable[[socket.socket], object], Callable[[], object] | None]:
    """Return a function that serves a listening socket, and one that ends it, if it needs one."""
    if app is not None:
        shell = _shell(app, log, tap, **more)
        return shell.serve, shell.stop
    if handler is not None:
        return hosts.handler_loop(handler, log, **more), None
    return _serving(serve, **more)


def _serving(
    serve: Callable[..., Any], stop: Callable[[], object] | None = None
) -> tuple[Callable[[socket.socket], object], Callable[[], object] | None]:
    if inspect.iscoroutinefunction(serve):
        return hosts.in_a_loop(serve)
    return serve, stop


def _shell(
    app: Any,
    log: Log,
    tap: Tap | None,
    *,
    shell: str | Callable[..., Any] | None = None,
    threads: int = 8,
    engine: str | Callable[[Limits], Engine] = "handmade",
    limits: Limits | None = None,
    timeouts: Timeouts = PROMPT,
    script_name: str = "",
    access: bool | Callable[[Access], None] = False,
    clock: Callable[[], float] = time.time,
    tls: Certificate | None = None,
    **more: Any,
) -> Any:
    """Return one of the reference's shells around an application."""
    shell = shell or USUAL_SHELL[interface_of(app)]
    make = ENGINES[engine] if isinstance(engine, str) else engine
    if tap is not None:
        app, make = tap.app(app), tap.engine(make)
    service = Service(
        app,
        engine=make,
        limits=limits or Limits(),
        timeouts=timeouts,
        script_name=script_name,
        errors=LogStream(log),  # type: ignore[arg-type]  # a TextIO in all that PEP 3333 asks for
        access=(lambda line: log.add(_line(line))) if access is True else access or None,
        clock=clock,
        tls=load_certificate(tls.certfile, tls.keyfile) if tls else None,
    )
    made = (SHELLS[shell] if isinstance(shell, str) else shell)(service, threads=threads, **more)
    if tap is not None:
        tap.shell(made)
    return made


def _line(access: Access) -> str:
    """Write one line of the access log, without what differs from run to run."""
    method, target = access.request.method.decode(), access.request.target.decode("latin-1")
    return f"{method} {target} {access.status} {access.sent}"
