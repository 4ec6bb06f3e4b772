"""Find the line at which a thread is stuck, and get it to let go.

A thread cannot be ended from outside. An exception can be left for it to find, but a thread that
waits in the system for a lock or for bytes does not look; so sockets that it waits on are shut
down, selectors that it waits in are given something to find, and tasks of an asyncio loop that it
runs are cancelled.
"""

from __future__ import annotations

import ast
import asyncio
import ctypes
import linecache
import re
import selectors
import socket
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from workbench.deadline import TookTooLong
from workbench.places import file_name, is_the_learners

SAMPLES = 15
BETWEEN = 0.004  # seconds between two looks at where a thread is
BUSY = 3_000_000  # nanoseconds of work in these looks that a thread which waits does not do
TRIES = 20
PATIENCE = 0.05  # seconds that a thread gets to find the exception, each time

# A call, a `with` or an `await` may wait; anything else that does not end goes round in circles.
_MAY_WAIT = re.compile(r"[\w\])]\(|\bwith\b|\bawait\b")

Place = tuple[str, str, int]  # file, function, line
Stack = list[Place]  # the learner's own places, the outermost first


def where(thread: threading.Thread) -> tuple[str, bool]:
    """Say at which line of the learner's a thread is, "" for none, and whether it waits there.

    A thread that goes round in circles is at the loop that it does not leave.
    """
    stacks: list[Stack] = []
    began = _time_on_cpu(thread)
    for _ in range(SAMPLES):
        if stack := _stack(sys._current_frames().get(thread.ident or -1)):
            stacks.append(stack)
        time.sleep(BETWEEN)
    if not stacks:
        return at(_waiting_task(thread) or _elsewhere(thread)), True
    if _is_one_place(stacks) and not _was_busy(thread, began):
        return at(stacks[0][-1]), True
    return at(_circle(stacks)), False


def end(thread: threading.Thread) -> bool:
    """Make a thread end; False when it does not, whatever we do."""
    with ExitStack() as open_ends:
        for _ in range(TRIES):
            if not thread.is_alive():
                break
            _wake(sys._current_frames().get(thread.ident or -1), open_ends)
            ident, error = ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TookTooLong)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)
            thread.join(PATIENCE)
    return not thread.is_alive()


def _wake(frame: FrameType | None, open_ends: ExitStack) -> None:
    """Shut down a thread's sockets, cancel the tasks of its event loop, wake its selector."""
    waiting: list[selectors.BaseSelector] = []
    while frame is not None:
        for value in list(frame.f_locals.values()):
            if isinstance(value, socket.socket):
                with suppress(OSError):  # it is closed, or connected to nobody
                    value.shutdown(socket.SHUT_RDWR)
            elif isinstance(value, asyncio.AbstractEventLoop) and value.is_running():
                value.call_soon_threadsafe(_cancel_all, value)
                waiting.clear()  # asyncio's own selector wakes by itself
            elif isinstance(value, selectors.BaseSelector):
                waiting.append(value)
        frame = frame.f_back
    for selector in waiting:
        _poke(selector, open_ends)


def _poke(selector: selectors.BaseSelector, open_ends: ExitStack) -> None:
    """Give a selector something to find: epoll and kqueue notice it while they wait."""
    reader, writer = socket.socketpair()
    open_ends.enter_context(reader)
    writer.close()  # so the other end can be read, for ever
    with suppress(OSError, ValueError, KeyError, RuntimeError):  # it is closed
        selector.register(reader, selectors.EVENT_READ)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


# --- Places -----------------------------------------------------------------------------------


def _stack(frame: FrameType | None) -> Stack:
    found: Stack = []
    while frame is not None:
        if is_the_learners(frame.f_code.co_filename):
            found.insert(0, _place(frame))
        frame = frame.f_back
    return found


def _is_one_place(stacks: list[Stack]) -> bool:
    same = all(stack == stacks[0] for stack in stacks)
    return same and _MAY_WAIT.search(_line(*stacks[0][-1])) is not None


def _was_busy(thread: threading.Thread, began: int) -> bool:
    """Tell a call that waits from a loop around a call that returns at once, where we can see."""
    return _time_on_cpu(thread) - began > BUSY


def _time_on_cpu(thread: threading.Thread) -> int:
    """Return how many nanoseconds a thread has worked, 0 where the system does not tell."""
    try:
        text = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text("ascii")
        return int(text.split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _place(frame: FrameType) -> Place:
    return frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno


def _line(file: str, function: str, number: int) -> str:
    return linecache.getline(file, number).strip()


def at(place: Place | None) -> str:
    """Name a place, with its line of code, as a reader knows it; "" for none."""
    if place is None:
        return ""
    within = "" if place[1].startswith("<") else f", in {place[1]}"
    return f"line {place[2]} of {file_name(place[0])}{within}: {_line(*place)}".removesuffix(": ")


def _circle(stacks: list[Stack]) -> Place:
    """Return the innermost loop that holds all the places that were seen."""
    depth = 0
    while all(len(stack) > depth + 1 for stack in stacks) and (
        len({stack[depth] for stack in stacks}) == 1
    ):
        depth += 1
    while depth >= 0:
        file, function, _ = stacks[0][depth]
        same = {stack[depth][2] for stack in stacks if stack[depth][:2] == (file, function)}
        if loop := _loop_around(file, same):
            return file, function, loop
        depth -= 1
    return stacks[0][-1]  # no loop at all: a function that calls itself, for example


def _loop_around(file: str, numbers: set[int]) -> int:
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # a cell with a magic
        return 0
    loops = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.While | ast.For | ast.AsyncFor)
        and all(node.lineno <= number <= (node.end_lineno or 0) for number in numbers)
    ]
    return max(loops, default=0)


def _waiting_task(thread: threading.Thread) -> Place | None:
    """Return the innermost place of the learner's in a task of the loop that a thread runs."""
    frame = sys._current_frames().get(thread.ident or -1)
    while frame is not None:
        loop = frame.f_locals.get("self")
        if isinstance(loop, asyncio.AbstractEventLoop):
            with suppress(RuntimeError):  # the set of tasks has changed under our eyes
                places = sorted(filter(None, map(_place_of_task, asyncio.all_tasks(loop))))
                return places[0] if places else None
        frame = frame.f_back
    return None


def place_of_task(task: asyncio.Task[Any]) -> str:
    """Say at which line of the learner's a task waits, "" for none."""
    return at(_place_of_task(task))


def _place_of_task(task: asyncio.Task[Any]) -> Place | None:
    found = None
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None and is_the_learners(frame.f_code.co_filename):
            found = _place(frame)
        awaited = getattr(awaited, "cr_await", None)
    return found


def _elsewhere(thread: threading.Thread) -> Place | None:
    """Return where another, younger thread is, for a check that waits for the learner's server."""
    known = threading.enumerate()
    younger = known[known.index(thread) + 1 :] if thread in known else []
    frames = sys._current_frames()
    for other in younger:
        if stack := _stack(frames.get(other.ident or -1)):
            return stack[-1]
    return None
