"""Serve a learner's ASGI application for one point, and be rid of it afterwards.

    with serving(app) as server:
        server.connect().send(request()).response()

An application that holds the loop is told by its line, and its thread is ended: otherwise it would
take half of the processor from all that follows.
"""

from __future__ import annotations

import gc
import inspect
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from workbench.contracts import Broken
from workbench.contracts.wire import Wire
from workbench.exercises import stuck
from workbench.exercises.coroutines import kind
from workbench.exercises.model import Hangs
from workbench.places import is_the_learners, place_of_thread
from workbench.running import Server, running

PATIENCE = 0.8  # seconds for one answer
LOOKS = 8  # at a thread, before it is said to be stuck


class Served:
    """A learner's application on a server, and connections to it."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self.server = server
        self._stack = stack

    def connect(self, patience: float = PATIENCE) -> Wire:
        """Open a connection, which is closed at the end of the block."""
        return self._stack.enter_context(Wire(self.server.address, patience))


def application(app: Any, name: str) -> Any:
    """Return an ASGI application; raise Broken that says what it is instead."""
    if app is None:
        raise Broken(f"{name} gave None: does it return the application?")
    if inspect.iscoroutine(app):
        app.close()
        raise Broken(f"{name} is an `async def`: a plain `def` that returns one is wanted")
    return kind(app, "app")


@contextmanager
def serving(app: Any, tolerant: bool = False, **how: Any) -> Iterator[Served]:
    """Run an application on our server. ``how`` is for `workbench.running.running`.

    What the application raises is raised at the end of the block: it says more than a 500. An
    OSError does not count: it tells that a client has left, or that a resource cannot be had.
    ``tolerant``: nor do others, for a check provokes them; only where something is broken, the
    error of a line of the learner's is raised instead.
    """
    before, errors = set(threading.enumerate()), list[Exception]()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except OSError:
            raise
        except Exception as error:
            if scope["type"] == "http" or not isinstance(error, AssertionError):
                errors.append(error)  # an assert about the scope is how an app knows no lifespan
            raise

    with quiet_loops(), running(watched, patience=1.0, **how) as server, ExitStack() as stack:
        try:
            yield Served(server, stack)
        except Broken as broken:
            told = [error for error in errors if not tolerant or _is_their_own(error)]
            if not told:
                raise _with_place(broken, before) from None
            raise told[0] from broken
        finally:
            for thread in _young(before):
                if _is_a_server(thread) and _holds_the_loop(thread):
                    stuck.end(thread)
    if errors and not tolerant:
        raise errors[0]


def _is_their_own(error: BaseException) -> bool:
    """Tell an error of the learner's code from one of the application that a check brought."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and is_the_learners(trace.tb_frame.f_code.co_filename)


@contextmanager
def quiet_loops() -> Iterator[None]:
    """Let a loop die without a word: the report says what its code did.

    A block inside of another one does nothing: to look for what is left takes a tenth of a second.
    """
    logger = logging.getLogger("asyncio")
    if logger.disabled:
        yield
        return
    logger.disabled = True
    try:
        yield
    finally:
        gc.collect()  # tasks of a loop that was ended complain when they are thrown away
        logger.disabled = False


def _young(before: set[threading.Thread]) -> list[threading.Thread]:
    """Return the threads that were started meanwhile."""
    return [thread for thread in threading.enumerate() if thread not in before]


def _is_a_server(thread: threading.Thread) -> bool:
    return thread.name.startswith("server-")


def _with_place(broken: Broken, before: set[threading.Thread]) -> Broken:
    """Add to a failure where the learner's code holds the loop, or runs in circles in threads.

    Such threads are ended.
    """
    for thread in _young(before):
        if _is_a_server(thread) and (place := _holds_the_loop(thread)):
            return _hangs(broken, f"holds the loop, at {place}")
    circles = [
        place
        for thread in _young(before)
        if place_of_thread(thread.ident) and (place := _ended_circle(thread))
    ]
    return _hangs(broken, f"is still running, at {circles[0]}") if circles else broken


def _ended_circle(thread: threading.Thread) -> str:
    """End a thread that runs in circles, and return where; "" for one that waits."""
    place, waits = stuck.where(thread)
    if not place or waits:
        return ""
    stuck.end(thread)
    return place


def _hangs(broken: Broken, how: str) -> Hangs:
    problem = f"{broken.problem}; meanwhile your code {how}"
    return Hangs(problem, sent=broken.sent, got=broken.got, wanted=broken.wanted)


def _holds_the_loop(thread: threading.Thread) -> str:
    """Return the line of the learner's at which a loop's thread is all the time, "" for none."""
    place = ""
    for _ in range(LOOKS):
        if not (place := place_of_thread(thread.ident)):
            return ""
        time.sleep(0.01)
    return place
