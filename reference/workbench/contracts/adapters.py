"""How a learner's own code is handed to a contract.

The contracts ``handler``, ``parser`` and ``body`` take a function as it is.  The contract
``server`` wants something that can serve an application; a draft of chapter 04 talks on one
accepted socket, ``serve_client(sock, app)``, one of chapter 05 has the listening socket,
``serve(listener, app)``.  Which of them it is, its parameters tell.  For the contract ``asgi`` it
is a coroutine function of chapter 09, ``serve_client(loop, sock, app)``, which runs on the loop by
hand, or a shell, a class that is made with a ``service``.  For the contract ``websocket`` it is a
class that stands for ``websocket.Connection``; the rest of that surface is ours.
"""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from handmade.async_shell import AsyncShell
from handmade.loop import Loop

from ..running import running
from .websocket_frames import Surface


class LearnersServer:
    """Serve an application by a learner's function (subject of ``server`` and of ``asgi``)."""

    provides: frozenset[str] = frozenset()  # no promise beyond the plain one: see ``server``

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def serve(self, app: Any) -> AbstractContextManager[tuple[str, int]]:
        """Serve ``app`` on a free port of this machine; the context gives ``(host, port)``."""
        return _served(self.function, app)


@contextmanager
def _served(function: Callable[..., Any], app: Any) -> Any:
    """Run the function in the way that its first parameter asks for."""
    first = next(iter(inspect.signature(function).parameters))
    if first == "loop":
        with running(serve=lambda listener: _on_a_loop(function, listener, app)) as server:
            yield server.address
    elif first == "listener":
        with running(serve=lambda listener: function(listener, app)) as server:
            yield server.address
    else:
        with running(handler=lambda sock: function(sock, app)) as server:
            yield server.address


def _on_a_loop(function: Callable[..., Any], listener: socket.socket, app: Any) -> None:
    """Serve each client in a task of its own, on a loop by hand."""
    loop = Loop()
    listener.setblocking(False)

    async def serve() -> None:
        while True:
            sock, _ = await loop.sock_accept(listener)
            loop.create_task(function(loop, sock, app))

    loop.run(serve())


class LearnersShell:
    """Serve an application by a learner's shell (subject of the contract ``asgi``)."""

    provides: frozenset[str] = frozenset()

    def __init__(self, kind: type[AsyncShell]) -> None:
        self.kind = kind

    @contextmanager
    def serve(self, app: Any) -> Any:
        """Serve ``app`` on a free port of this machine; the context gives ``(host, port)``."""
        with running(app, shell=lambda service, threads, **how: self.kind(service, **how)) as up:
            yield up.address


def adapt(contract: str, subject: Any) -> Any:
    """Return ``subject`` as the contract takes it."""
    if isinstance(subject, type) and issubclass(subject, AsyncShell):
        return LearnersShell(subject)
    if contract == "websocket":
        return Surface(Connection=subject)
    return LearnersServer(subject) if contract in ("server", "asgi") else subject
