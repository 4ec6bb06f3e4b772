"""An X-ray of an ASGI application, without a network, and the same every time.

Bytes come in, one piece after the other; rows come out.  The next piece comes when the loop has
nothing left to do and somebody waits for the client: then it is certain who runs before whom.  What
an application waits for elsewhere, a timer or a thread, is waited for.

All runs in a thread of its own, for a notebook's thread has a loop already.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from handmade import aio, loop_shell
from handmade.asgi import Gateway
from handmade.asgi_scope import Server
from handmade.events import Engine, Limits
from handmade.gateway import Bell, HttpDate
from handmade.lifespan import Life, Lifespan
from handmade.loop import Loop
from handmade.protocol import HttpProtocol
from handmade.protocol_choice import Newcomer
from handmade.service import Service, Timeouts
from workbench.http2_bytes import PREFACE, Teller
from workbench.logs import captured
from workbench.taps import bytes_told

if TYPE_CHECKING:
    from workbench.xray import XRay

CLIENT, SERVER = ("127.0.0.1", 50000), ("127.0.0.1", 8000)
SILENCE = 0.25  # seconds without anything, after which we believe that nothing will come
PATIENCE = 5.0  # seconds for the whole
PROMPT = Timeouts(half_closed=0.02)


class StillRunning(Exception):
    """The application has not come to its end, or to a wait; the message says what it does."""


def record(
    x: XRay,
    app: Any,
    pieces: Sequence[bytes],
    *,
    engine: Callable[[Limits], Engine],
    clock: Callable[[], float],
    half_close: bool = False,
    leaves: bool = False,
    shell: str = "asyncio",
    patience: float = PATIENCE,
    **settings: Any,
) -> None:
    """Take a request through engine, gateway and application, in a loop, and record it in ``x``.

    With ``leaves`` the client goes away as soon as everybody waits for it.  ``shell`` is "asyncio"
    or "loop", the one by hand.  Raise StillRunning when it takes longer than ``patience`` seconds.
    """
    timeouts = settings.pop("timeouts", PROMPT)
    service = Service(
        x.app(app), engine=x.engine(engine), clock=clock, timeouts=timeouts, **settings
    )
    client = _Client(x, pieces, half_close, leaves)
    failure: list[BaseException] = []

    def run() -> None:
        try:
            _run(x, service, client, shell)
        except BaseException as error:
            failure.append(error)

    with captured(x.log):
        thread = threading.Thread(target=run, name="xray", daemon=True)
        thread.start()
        thread.join(patience)
    if thread.is_alive():
        x.end()
        raise StillRunning(f"the application still runs after {patience:g} s: what does it do?")
    if failure:
        raise failure[0]


def _run(x: XRay, service: Service, client: _Client, shell: str) -> None:
    """Run a loop of the kind that is asked for, until all is done."""
    if shell == "loop":
        by_hand = _LoopByHand(client)
        by_hand.run(_main(x, by_hand, _ShellByHand(service), client))
        return
    with asyncio.Runner(loop_factory=lambda: _AsyncioLoop(client)) as runner:
        runner.run(_main(x, runner.get_loop(), _AsyncioShell(service), client))


async def _main(x: XRay, loop: Any, shell: Any, client: _Client) -> None:
    """Start up, let the client ask, shut down."""
    lifespan = Lifespan(shell.service.app, loop)
    if x.lifespan:
        await lifespan.startup(shell.service.timeouts.startup)
    state = lifespan.state if lifespan.life is Life.UP else None
    shell.prepare(loop, state)
    x.shell(shell)
    client.connect(loop, shell)
    await client.done.wait()
    if x.lifespan:
        await lifespan.shutdown(shell.service.timeouts.shutdown)
    x.end()


# --- The client: what it sends, and what reaches it -------------------------------------------


class _Client:
    """A client, and the transport between it and the server, in memory."""

    def __init__(self, x: XRay, pieces: Sequence[bytes], half_close: bool, leaves: bool) -> None:
        self._x = x
        self._pieces = list(pieces)
        self._half_close = half_close
        self._leaves = leaves
        self._reading = True
        self._closed = False
        self._quiet_since: float | None = None
        self.protocol: Any = None
        # Of HTTP/2 a row names the frames: their bytes are no text.
        self._http2 = b"".join(pieces).startswith(PREFACE)
        self._came, self._went = Teller(), Teller()

    def _told(self, teller: Teller, data: bytes) -> tuple[str, bytes]:
        return (teller.told(data), data) if self._http2 else bytes_told(data)

    def connect(self, loop: Any, shell: Any) -> None:
        """Open the connection."""
        self._loop, self._shell = loop, shell
        self.done = Bell(loop.create_future)
        self.protocol = (Newcomer if self._http2 else HttpProtocol)(shell)
        self.protocol.connection_made(self)

    def idle(self, something_is_due: bool) -> bool:
        """Do what the client does next, now that the loop is idle; True when it did something.

        ``something_is_due``: a timer runs.
        """
        protocol = self.protocol
        if protocol is None:
            return False
        running = bool(self._shell.gateway.running)
        if self._closed and not running:
            self.done.ring()
        elif self._x.waiting or not running:
            return self._go_on(protocol, running, something_is_due)
        else:
            return False
        return True

    def _go_on(self, protocol: Any, running: bool, something_is_due: bool) -> bool:
        """Send, end or leave; the server waits for it."""
        if self._pieces and self._reading and not self._closed:
            piece = self._pieces.pop(0)
            self._x.note("client", "socket", "recv", *self._told(self._came, piece))
            protocol.data_received(piece)
        elif self._half_close and not self._closed:
            self._half_close = False
            self._x.note("client", "socket", "end", "b'': nothing more will come")
            protocol.eof_received()
        elif self._leaves and not self._closed:
            self._closed = True
            self._x.note("client", "socket", "leaves", "the connection is closed")
            protocol.connection_lost(None)
        elif not running:
            self.done.ring()
        else:
            return not something_is_due and self._nothing_will_come()
        self._quiet_since = None
        return True

    def _nothing_will_come(self) -> bool:
        """End it when nothing has happened for a while: who still waits, waits for ever."""
        now = time.monotonic()
        self._quiet_since = self._quiet_since or now
        if now - self._quiet_since < SILENCE:
            return False
        self._x.note("client", "client", "waits", "nothing more will happen")
        self._x.end()
        self.done.ring()
        return True

    # ------------------------------------------------------------ handmade.async_wire.Transport

    def get_extra_info(self, name: str) -> Any:
        """Return the client's address; as its socket, something that takes options."""
        return {"peername": CLIENT, "socket": self}.get(name)

    def setsockopt(self, *options: Any) -> None:
        """Take no options: there is no TCP here."""

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closed

    def set_protocol(self, protocol: Any) -> None:
        """Hand what comes to another protocol from now on."""
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        """Take all of it at once."""
        if not self._closed:
            self._x.note("socket", "client", "send", *self._told(self._went, data))

    def get_write_buffer_size(self) -> int:
        """Return 0: nothing ever waits."""
        return 0

    def pause_reading(self) -> None:
        """Let the client wait."""
        self._reading = False
        self._x.note("engine", "socket", "pause_reading")

    def resume_reading(self) -> None:
        """Let it go on."""
        self._reading = True
        self._x.note("engine", "socket", "resume_reading")

    def write_eof(self) -> None:
        """Close our side; the client closes its own when it has sent what it had."""
        self._x.note("socket", "client", "shutdown", "nothing more will be sent")
        self._leaves = True

    def close(self) -> None:
        """Close."""
        if not self._closed:
            self._closed = True
            self._x.note("socket", "client", "close")
            self._loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        """Close at once."""
        if not self._closed:
            self._x.note("socket", "client", "abort", "the answer is broken off", bad=True)
            self._closed = True
            self._loop.call_soon(self.protocol.connection_lost, None)


# --- The loops, which tell the client when they are idle --------------------------------------


class _Idle(selectors.DefaultSelector):
    """A selector that asks the client before it waits."""

    client: _Client

    def select(self, timeout: float | None = None) -> Any:
        """Wait for sockets and timers, unless the client goes on."""
        found = super().select(0)
        if found or timeout == 0:
            return found
        return [] if self.client.idle(timeout is not None) else super().select(_short(timeout))


def _short(timeout: float | None) -> float:
    return SILENCE / 4 if timeout is None else min(timeout, SILENCE / 4)


class _AsyncioLoop(asyncio.SelectorEventLoop):
    """asyncio's own, on a selector that asks the client."""

    def __init__(self, client: _Client) -> None:
        selector = _Idle()
        selector.client = client
        super().__init__(selector)


class _LoopByHand(Loop):
    """The one by hand."""

    def __init__(self, client: _Client) -> None:
        super().__init__()
        self._client = client

    def _wait(self, seconds: float | None) -> None:
        super()._wait(0)
        if self._ready or seconds == 0:
            return
        if not self._client.idle(seconds is not None):
            super()._wait(_short(seconds))


class _Prepared:
    """A shell that serves one client, and never listens."""

    service: Service

    def prepare(self: Any, loop: Any, state: dict[str, Any] | None) -> None:
        """Be as a shell is when it has started up."""
        self.loop = loop
        self.bell = Bell(loop.create_future)
        self._accepting = True  # it never will
        server = Server(address=SERVER, root_path=self.service.script_name, state=state)
        self.gateway = Gateway(self.service.app, server, HttpDate(self.service.clock))
        self._context = contextvars.copy_context()


class _AsyncioShell(_Prepared, aio.Asyncio):
    """On asyncio."""


class _ShellByHand(_Prepared, loop_shell.LoopShell):
    """On the loop by hand."""
