r"""An X-ray: one request from bytes to bytes, through every layer, in the order it happened.

    xray(app, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

An application and a request come in; what the layers said to each other comes out, as rows of data
and as a picture. The same `XRay` is a tap: ``running(app, tap=x)`` records a real server. It only
listens: what it wraps does what it did before.

In the first form there is no network, bytes are handed over, and the clock stands still. So the
same request gives the same picture every time. A WSGI application then waits for nothing; one that
speaks ASGI does, and a column tells who has the loop: see ``workbench.xray_asgi``.
"""

from __future__ import annotations

import html
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from handmade.connection import Connection
from handmade.events import Engine, Limits
from handmade.loading import interface_of
from handmade.service import Service
from handmade.wire import Phase
from workbench import xray_asgi
from workbench.http2_client import conversation
from workbench.lanes import Happening, swimlanes
from workbench.logs import Log, LogStream, captured
from workbench.picture import Picture
from workbench.running import ENGINES, fixed
from workbench.taps import ApplicationTap, EngineTap, SocketTap, bytes_told
from workbench.taps_asgi import FREE, AsgiTap, Holders
from workbench.taps_frames import FramesTap
from workbench.taps_http2 import Http2Tap
from workbench.wire_dump import hidden, visible

LANES = ("client", "socket", "engine", "gateway", "application")
ENVIRON = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")
SCOPE = ("type", "method", "path", "query_string")
AGAIN = ("NEED_DATA", "waits")  # said twice in a row, it is shown once


class XRay:
    """A record of what happened, and the taps that make it.

    ``rows`` is the record; ``environ`` and ``scope`` name what the call of an application shows of
    them. With ``lifespan`` the start-up and the shutdown of an ASGI application are recorded too.
    ``note`` adds a row: whoever taps another layer uses that, and names lanes of its own.
    """

    def __init__(
        self,
        lanes: Sequence[str] = LANES,
        environ: Sequence[str] = ENVIRON,
        title: str = "",
        scope: Sequence[str] = SCOPE,
        lifespan: bool = False,
    ) -> None:
        self.lanes = tuple(lanes)
        self.environ = tuple(environ)
        self.scope = tuple(scope)
        self.lifespan = lifespan
        self.title = title
        self.rows: list[Happening] = []
        self.log = Log()
        self.holders = Holders()
        self.waiting = 0  # how many wait for the client, in receive
        self._in_a_loop = self._ended = False
        self._numbers: dict[Any, int] = {}  # of connections, by the client's address
        self._connections = 0
        self._here = threading.local()  # the connection that this thread is busy with
        self._lock = threading.Lock()

    def note(
        self,
        source: str,
        target: str,
        label: str,
        detail: str = "",
        data: bytes = b"",
        *,
        bad: bool = False,
        connection: int | None = None,
    ) -> None:
        """Record that ``source`` did something to ``target``; both are lanes. Any thread may."""
        number = getattr(self._here, "number", 1) if connection is None else connection
        self._here.number = number
        holder = "" if not self._in_a_loop else FREE if label == "waits" else self.holders.now()
        row = Happening(source, target, label, detail, data, bad, number, holder)
        with self._lock:
            if self._ended:
                return
            again = row.label in AGAIN and self.rows and self.rows[-1] == row
            if not again:
                self.rows.append(row)

    def end(self) -> None:
        """Record nothing any more."""
        self._ended = True

    # ------------------------------------------------------------ the taps

    def socket(self, sock: socket.socket) -> socket.socket:
        """Take over a socket that was accepted and return one that is watched."""
        number = self._next_connection()
        with suppress(OSError):  # it may have left already
            self._numbers[tuple(sock.getpeername()[:2])] = number
        return SocketTap(sock, self, number)

    def engine(self, make: Callable[[Limits], Engine]) -> Callable[[Limits], Engine]:
        """Return a maker of engines that are watched."""
        return lambda limits: EngineTap(make(limits), self, getattr(self._here, "number", 1))

    def app(self, app: Any) -> Any:
        """Return an application that does the same and is watched, be it WSGI or ASGI."""
        if interface_of(app) == "wsgi":
            return ApplicationTap(app, self)
        self._in_a_loop = True
        return AsgiTap(app, self, self.lifespan)

    def shell(self, shell: Any) -> None:
        """Watch what a client speaks that begins otherwise: WebSockets, and HTTP/2."""
        plain = getattr(shell, "replaced", None)
        if plain is None:
            return

        def replaced(old: Any, new: Any) -> None:
            plain(old, new)
            if hasattr(new, "messages"):
                number = self.connection_of(new.client)
                new.messages.frames = FramesTap(new.messages.frames, self, number)
            elif hasattr(new, "channels"):
                new.engine = Http2Tap(new.engine, self, self.connection_of(new.client))

        shell.replaced = replaced

    def connection_of(self, client: Any) -> int:
        """Return the number of the connection that a client's address belongs to."""
        return self._numbers.get(tuple(client), 1) if client else 1

    def _next_connection(self) -> int:
        with self._lock:
            self._connections += 1
            self._here.number = self._connections
            return self._connections

    # ------------------------------------------------------------ looking at it

    def step(self, number: int, height: int | None = None) -> Picture:
        """Draw the first ``number`` rows, and leave room for ``height``."""
        return swimlanes(self.lanes, self.rows, number, self.title, height)

    def picture(self) -> Picture:
        """Draw all rows."""
        return swimlanes(self.lanes, self.rows, None, self.title)

    def __repr__(self) -> str:
        return repr(self.picture())

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.picture()._repr_mimebundle_(include, exclude)

    def streams(self, title: str = "", connection: bool = True) -> Picture:
        """Draw what went over the wire in HTTP/2, frame by frame, with a lane for each stream."""
        sides = {"recv": "client", "send": "server"}
        said = [(sides[row.label], row.data) for row in self.rows if row.label in sides]
        return conversation(said, title or self.title, connection)

    def table(self) -> Table:
        """Return the rows with all their bytes, as a table."""
        return Table(self.rows)

    def play(self) -> Any:
        """Return a slider over the steps, for a live notebook with ipywidgets."""
        import ipywidgets as widgets

        every = len(self.rows)
        image = widgets.Image(format="png", value=self.step(1, every)._repr_png_())
        slider = widgets.IntSlider(1, 1, every, description="step")
        slider.observe(lambda change: _set(image, self.step(change["new"], every)), "value")
        return widgets.VBox([slider, image])


def _set(image: Any, picture: Picture) -> None:
    image.value = picture._repr_png_()


class Table:
    """The rows of an X-ray in full."""

    def __init__(self, rows: Sequence[Happening]) -> None:
        self.rows = list(rows)

    def __repr__(self) -> str:
        return "\n".join(
            f"{number:>3}  {row.source} > {row.target}: {row.label} {_full(row)}".rstrip()
            for number, row in enumerate(self.rows, 1)
        )

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        cells = "".join(
            f"<tr><td>{number}</td><td {left}>{row.source} &rarr; {row.target}</td>"
            f"<td {left}>{html.escape(row.label)}</td>"
            f'<td style="text-align:left;font-family:monospace">{html.escape(_full(row))}</td></tr>'
            for number, row in enumerate(self.rows, 1)
        )
        head = "".join(f"<th {left}>{name}</th>" for name in ("", "from, to", "what", "detail"))
        return f"<table><tr>{head}</tr>{cells}</table>"


def _full(row: Happening) -> str:
    return visible(hidden(row.data)) if row.data else row.detail


# --- One request, without a network -----------------------------------------------------------


def xray(
    app: Any = None,
    request: bytes | Sequence[bytes] = b"",
    *,
    engine: str | Callable[[Limits], Engine] = "handmade",
    clock: Callable[[], float] = fixed,
    half_close: bool = False,
    environ: Sequence[str] = ENVIRON,
    scope: Sequence[str] = SCOPE,
    title: str = "",
    lifespan: bool = False,
    **settings: Any,
) -> XRay:
    """Take a request through engine, gateway and application, and record it.

    ``request`` is bytes, with one request or several, or a list of pieces that arrive one by one.
    With ``half_close`` the client says at the end that nothing more will come. ``settings`` are
    those of ``handmade.service.Service``, and for ASGI also those of ``xray_asgi.record``. Without
    an application: an empty X-ray, to tap a server.
    """
    x = XRay(environ=environ, title=title, scope=scope, lifespan=lifespan)
    if app is None:
        return x
    make = ENGINES[engine] if isinstance(engine, str) else engine
    pieces = [request] if isinstance(request, bytes) else list(request)
    if interface_of(app) == "asgi":
        how = {"engine": make, "clock": clock, "half_close": half_close, **settings}
        xray_asgi.record(x, app, pieces, **how)
        return x
    with captured(x.log), _Memory(pieces, x, half_close) as sock:
        errors: Any = LogStream(x.log)
        service = Service(x.app(app), engine=x.engine(make), clock=clock, errors=errors, **settings)
        gateway = service.gateway(sock, multithread=False)
        connection = Connection(sock, ("127.0.0.1", 50000), gateway, service)
        while connection.phase is Phase.READING and sock.has_more():
            connection.read()
            while (found := connection.next_request()) is not None:
                connection.respond(found)
        if connection.phase is Phase.LINGERING:
            connection.close()
        if connection.phase is Phase.CLOSED:
            x.note("socket", "client", "close")
    return x


class _Memory(socket.socket):
    """A socket without a network: it gives the pieces of a request, and takes a response.

    It is always ready: whoever waits for it, waits for a socket pair that has a byte to read.
    """

    def __init__(self, pieces: Sequence[bytes], x: XRay, half_close: bool) -> None:
        ready, self._other = socket.socketpair()
        super().__init__(ready.family, ready.type, ready.proto, ready.detach())
        self._other.send(b"!")
        self._pieces = list(pieces)
        self._x = x
        self._ended = not half_close

    def __exit__(self, *error: object) -> None:
        self._other.close()
        self.close()

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8000

    def setsockopt(self, *options: Any) -> None:
        """Take no options: there is no TCP here."""

    def has_more(self) -> bool:
        """Tell whether the client has anything to say."""
        return bool(self._pieces) or not self._ended

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Give the next piece, or the end."""
        if not self._pieces:
            self._ended = True
            self._x.note("client", "socket", "end", "b'': nothing more will come")
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        self._x.note("client", "socket", "recv", *bytes_told(piece[:size]))
        return piece[:size]

    def send(self, data: Any, flags: int = 0) -> int:
        """Take all of it."""
        self._x.note("socket", "client", "send", *bytes_told(bytes(data)))
        return len(data)

    def shutdown(self, how: int) -> None:
        """Note which side is closed."""
        self._x.note("socket", "client", "shutdown", "nothing more will be sent")
