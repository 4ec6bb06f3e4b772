"""What an X-ray puts around a socket, an engine and an application, to listen.

Each tap does what the thing inside it did before, and notes it in a `Record`. A tap changes no
byte, no event and no order.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from handmade.events import Data, End, Engine, Informational, PeerError, Request, Response
from workbench.places import last_line
from workbench.wire_dump import HIDDEN, hidden, visible

SECRET = ("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "HTTP_COOKIE")


class Record(Protocol):
    """Where a tap notes what happens; see ``workbench.xray.XRay``."""

    environ: tuple[str, ...]

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
        """Record that ``source`` did something to ``target``."""


class SocketTap(socket.socket):
    """A real socket, watched."""

    def __init__(self, sock: socket.socket, x: Record, number: int) -> None:
        timeout = sock.gettimeout()
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.settimeout(timeout)
        self._x = x
        self._number = number

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(size, flags)
        label, detail = (
            ("recv", bytes_told(data)) if data else ("end", ("b'': the client is done", b""))
        )
        self._x.note("client", "socket", label, *detail, connection=self._number)
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        count = super().send(data, flags)
        self._sent(bytes(data)[:count])
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        super().sendall(data, flags)
        self._sent(bytes(data))

    def sendmsg(self, buffers: Any, *more: Any) -> int:
        whole = b"".join(map(bytes, buffers))
        count = super().sendmsg([whole], *more)
        self._sent(whole[:count])
        return count

    def _sent(self, data: bytes) -> None:
        self._x.note("socket", "client", "send", *bytes_told(data), connection=self._number)

    def shutdown(self, how: int) -> None:
        self._x.note("socket", "client", "shutdown", connection=self._number)
        super().shutdown(how)

    def close(self) -> None:
        if self.fileno() >= 0:
            self._x.note("socket", "client", "close", connection=self._number)
        super().close()


class EngineTap:
    """An engine, watched: bytes and events in both directions."""

    def __init__(self, engine: Engine, x: Record, number: int) -> None:
        self._engine = engine
        self._x = x
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def receive(self, data: bytes) -> None:
        what = f"{len(data)} bytes" if data else "b'': the end"
        self._x.note("socket", "engine", "receive", what, connection=self._number)
        self._engine.receive(data)

    def next_event(self) -> Any:
        try:
            event = self._engine.next_event()
        except PeerError as error:
            self._note_event("PeerError", str(error), bad=True)
            raise
        if isinstance(event, Request | Data | End):
            self._note_event(type(event).__name__, *_event(event))
        elif getattr(event, "name", "") == "NEED_DATA":
            self._x.note("engine", "socket", "NEED_DATA", connection=self._number)
        else:
            self._note_event(getattr(event, "name", type(event).__name__))
        return event

    def _note_event(
        self, label: str, detail: str = "", data: bytes = b"", bad: bool = False
    ) -> None:
        self._x.note(
            "engine", "gateway", label, detail, data, bad=bad, connection=self._number
        )  # fmt: skip

    def send(self, event: Any) -> bytes:
        number = self._number
        told = _event(event)
        self._x.note("gateway", "engine", type(event).__name__, *told, connection=number)
        try:
            data = self._engine.send(event)
        except Exception as error:
            name = type(error).__name__
            self._x.note("engine", "gateway", name, str(error), bad=True, connection=number)
            raise
        if data:
            self._x.note("engine", "socket", "bytes", *bytes_told(data), connection=number)
        return data


class ApplicationTap:
    """A WSGI application, watched."""

    def __init__(self, app: Any, x: Record) -> None:
        self._app = app
        self._x = x

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        shown = {key: environ[key] for key in self._x.environ if environ.get(key) not in (None, "")}
        shown.update((key, HIDDEN) for key in SECRET if key in shown)
        detail = ", ".join(f"{key} {value}" for key, value in shown.items())
        self._x.note("gateway", "application", "call", detail)
        environ["wsgi.input"] = InputTap(environ["wsgi.input"], self._x)
        try:
            result = self._app(environ, self._watched(start_response))
        except BaseException as error:
            self._note("raise", last_line(error), bad=True)
            raise
        if type(result) in (list, tuple):
            self._note("return", f"{type(result).__name__} of {len(result)}: {_short(result)}")
            return result
        self._note("return", f"{type(result).__name__}, to be iterated")
        return BlocksTap(result, self._x) if isinstance(result, Iterable) else result

    def _note(self, label: str, detail: str = "", data: bytes = b"", bad: bool = False) -> None:
        self._x.note("application", "gateway", label, detail, data, bad=bad)

    def _watched(self, start_response: Any) -> Any:
        def watched(status: Any, headers: Any, *exc_info: Any) -> Any:
            self._note("start_response", f"{status}, {count_told(headers, 'header')}")
            write = start_response(status, headers, *exc_info)

            def watched_write(block: bytes) -> None:
                self._note("write", *bytes_told(block))
                write(block)

            return watched_write

        return watched


class BlocksTap:
    """What an application returned, watched while it is iterated."""

    def __init__(self, blocks: Iterable[bytes], x: Record) -> None:
        self._blocks = blocks
        self._x = x
        if hasattr(blocks, "close"):
            self.close = self._close

    def __iter__(self) -> Iterator[bytes]:
        iterator = iter(self._blocks)
        while True:
            self._x.note("gateway", "application", "next")
            try:
                block = next(iterator)
            except StopIteration:
                self._x.note("application", "gateway", "StopIteration", "that was all")
                return
            except BaseException as error:
                self._x.note("application", "gateway", "raise", last_line(error), bad=True)
                raise
            self._x.note("application", "gateway", "yield", *bytes_told(block))
            yield block

    def _close(self) -> None:
        self._x.note("gateway", "application", "close")
        self._blocks.close()  # type: ignore[attr-defined]  # asked for in __init__


class InputTap:
    """``wsgi.input``, watched while it is read."""

    def __init__(self, stream: io.BufferedIOBase, x: Record) -> None:
        self._stream = stream
        self._x = x

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        return self._watched(name, found) if name.startswith("read") else found

    def __iter__(self) -> Iterator[bytes]:
        while line := self._watched("readline", self._stream.readline)():
            yield line

    def _watched(self, name: str, method: Any) -> Any:
        def read(*size: int) -> Any:
            asked = ", ".join(map(str, size))
            self._x.note("application", "gateway", name, f"wsgi.input.{name}({asked})")
            data = method(*size)
            count = f"{len(data)} {'bytes' if isinstance(data, bytes) else 'lines'}"
            self._x.note("gateway", "application", "input", count)
            return data

        return read


# --- Few words --------------------------------------------------------------------------------


def bytes_told(data: object) -> tuple[str, bytes]:
    """Say how many bytes, and which the first ones are."""
    if not isinstance(data, bytes):
        return f"{type(data).__name__}, not bytes", b""
    told = f": {visible(hidden(data)[:60])}" if data else ""
    return f"{len(data)} bytes{told}", data


def _event(event: Any) -> tuple[str, bytes]:
    if isinstance(event, Request):
        line = f"{event.method.decode('latin-1')} {event.target.decode('latin-1')}"
        return f"{line}, {count_told(event.fields, 'field')}", b""
    if isinstance(event, Response | Informational):
        return f"{event.status}, {count_told(event.fields, 'field')}", b""
    if isinstance(event, Data):
        return bytes_told(event.data)
    trailers = getattr(event, "trailers", ())
    return (count_told(trailers, "trailer") if trailers else ""), b""


def count_told(things: Any, name: str) -> str:
    """Say how many there are of what can be counted without using it up."""
    number = len(things) if isinstance(things, list | tuple) else 0
    return f"{number} {name}{'' if number == 1 else 's'}"


def _short(blocks: Any) -> str:
    return visible(b"".join(block for block in blocks if isinstance(block, bytes))[:60])
