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
from workbench.exercises.model import Hangs, Slip
from workbench.places import ROOT, is_the_learners, place_of_thread
from workbench.running import Server, fixed, running

PATIENCE = 0.8  # seconds for one answer
LOOKS = 8  # at a thread, before it is said to be stuck
_CHECKS = str(ROOT / "reference" / "workbench")


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
    error of a line of the learner's is raised instead. What is raised for a lifespan before
    anything was received is no error then: so does who takes no part in it.
    """
    before, errors = set(threading.enumerate()), list[Exception]()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        takes_part = not tolerant or scope["type"] != "lifespan"

        async def received() -> Any:
            nonlocal takes_part
            takes_part = True
            return await receive()

        try:
            await app(scope, received, send)
        except OSError:
            raise
        except Exception as error:
            # An assert about the scope is how an application knows no lifespan.
            if scope["type"] == "http" or (takes_part and not isinstance(error, AssertionError)):
                errors.append(error)
            raise

    how = {"patience": 1.0, "clock": fixed, **how}
    with quiet_loops(), running(watched, **how) as server, ExitStack() as stack:
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


@contextmanager
def told_by_the_log(own_only: bool = False) -> Iterator[None]:
    """Where something is broken, raise what a server has logged: a client only sees a 500.

    An error from a line of the learner's is raised instead of the failure, and so is, unless
    ``own_only``, one of the server's about what it was given. What a check itself has raised says
    nothing.
    """
    caught = _Caught()
    logger = logging.getLogger("handmade")
    logger.addHandler(caught)
    try:
        yield
    except Broken as broken:
        errors = caught.errors[::-1]
        for error in filter(_is_their_own, errors):
            raise error from broken
        for error in filter(_is_the_servers, [] if own_only else errors):
            raise Slip(f"the server's log says: {error}") from None
        raise
    finally:
        logger.removeHandler(caught)


class _Caught(logging.Handler):
    """Keeps the errors that a server logs."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of one record, be it with its traceback or in one line."""
        told = record.exc_info[1] if record.exc_info else None
        among = record.args if isinstance(record.args, tuple) else ()
        self.errors += [each for each in (told, *among) if isinstance(each, BaseException)][:1]


def _is_their_own(error: BaseException) -> bool:
    """Tell an error of the learner's code from one of the application that a check brought.

    Their own is also what a library or the server raises when a line of theirs has called it.
    """
    return _raised_in(error) == "theirs"


def _is_the_servers(error: BaseException) -> bool:
    """Tell an error for which neither a line of the learner's nor one of a check was running."""
    return not _raised_in(error)


def _raised_in(error: BaseException) -> str:
    """Say whose the innermost frame is, of those that are the learner's or the check's."""
    whose, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if is_the_learners(file):
            whose = "theirs"
        elif file.startswith(_CHECKS):
            whose = "the check's"
        trace = trace.tb_next
    return whose


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


def places(before: set[threading.Thread]) -> str:
    """Say where threads that were started meanwhile are in the learner's code, "" for nowhere."""
    found = {place_of_thread(thread.ident) for thread in _young(before)} - {""}
    return ", and at ".join(sorted(found))


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
