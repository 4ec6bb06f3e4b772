"""The gauntlet: one black-box suite over the network, for every server that can be started.

    gauntlet("asyncio")                                    # a server by name
    gauntlet(cmd="uvicorn probe:app --port {port}")        # any command that serves the probe
    gauntlet(handler=talk)                                 # a function of one socket, in a cell
    gauntlet(serve=serve, interface="wsgi")                # one that serves the probe by itself

In the terminal: ``python3 learn.py gauntlet asyncio uvicorn``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import targets
from .judge import judge
from .model import Report
from .table import Table, told_live

__all__ = ["Report", "Table", "gauntlet", "judge"]


def gauntlet(
    *names: str,
    cmd: str = "",
    handler: Callable[..., object] | None = None,
    serve: Callable[..., Any] | None = None,
    app: Any = None,
    interface: str = "",
    group: str = "",
    chapter: int = 99,
    show: bool = False,
    **more: Any,
) -> Table:
    """Judge servers, and return the table.

    ``names`` are those of ``targets.TARGETS`` or of several; ``cmd``, ``handler``, ``serve`` and
    ``app`` are another way to have a server, as ``running`` takes them with ``more`` of its
    options. ``interface`` says that a function serves the probe: "wsgi" or "asgi"; without it only
    those checks are asked that look at the wire alone. ``group`` asks one group, ``chapter`` those
    checks that must pass by then; ``show`` prints each result as it comes.
    """
    wanted = [target for name in names for target in targets.named(name)]
    if cmd:
        wanted.append(targets.of_command(cmd))
    for kind, function in {"handler": handler, "serve": serve, "app": app}.items():
        if function is not None:
            name = getattr(function, "__name__", kind)
            wanted.append(targets.of_function(name, interface, **{kind: function}, **more))
    if not wanted:
        raise TypeError("gauntlet() takes a name, cmd=, handler=, serve= or app=")
    heard = told_live if show else (lambda result, done, of: None)
    return Table([judge(target, group=group, chapter=chapter, heard=heard) for target in wanted])
