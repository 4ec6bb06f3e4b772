"""How a learner's own code is handed to a contract.

The contracts ``handler``, ``parser`` and ``body`` take a function as it is.  The contract
``server`` wants something that can serve an application; a draft of chapter 04 talks on one
accepted socket, ``serve_client(sock, app)``, one of chapter 05 has the listening socket,
``serve(listener, app)``.  Which of them it is, its parameters tell.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ..running import running


class LearnersServer:
    """Serve an application by a learner's function (subject of the contract ``server``)."""

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
    if first == "listener":
        with running(serve=lambda listener: function(listener, app)) as server:
            yield server.address
    else:
        with running(handler=lambda sock: function(sock, app)) as server:
            yield server.address


def adapt(contract: str, subject: Any) -> Any:
    """Return ``subject`` as the contract takes it."""
    return LearnersServer(subject) if contract == "server" else subject
