"""What an event loop is asked, whoever wrote it: the subject is its class.

It has ``run``, ``create_task``, ``call_later`` and ``add_reader`` as asyncio's loops have them, so
far as the case needs it; its futures come from ``create_future``, or are ``Future(loop)`` where the
class is defined.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import Broken, case

PATIENCE = 2.0  # seconds for a whole case
STEP = 0.05  # seconds, the time that a timer takes here


def in_time(work: Callable[[], object], problem: str) -> None:
    """Run it in a thread; raise what it raises, and Broken when it does not come to its end."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        raise Broken(f"{problem}: still waiting after {PATIENCE:g} s")
    if errors:
        raise Broken(f"{problem}: {errors[0]!r}") from errors[0]


def future_of(loop: Any) -> Any:
    """Return a future of this loop."""
    if hasattr(loop, "create_future"):
        return loop.create_future()
    return type(loop).__init__.__globals__["Future"](loop)


async def nap(loop: Any, seconds: float) -> None:
    """Sleep, by what every loop with timers has."""
    future = future_of(loop)
    loop.call_later(seconds, future.set_result, None)
    await future


@case("loop", "a task that fails", "asyncio: Coroutines and Tasks, Awaitables", 8)
def a_task_fails(kind: Any) -> None:
    """An error in one task is raised where it is awaited, and nowhere else."""
    loop = kind()
    seen = []

    async def bad() -> None:
        raise ValueError("on purpose")

    async def good() -> None:
        seen.append("good")

    coroutines = bad(), good()

    async def main() -> None:
        failing, other = map(loop.create_task, coroutines)
        await other
        try:
            await failing
        except ValueError:
            seen.append("told")

    try:
        in_time(lambda: loop.run(main()), "a task failed, and the others with it")
    finally:
        for coroutine in coroutines:
            coroutine.close()  # or it is said that nobody awaited it
    if seen != ["good", "told"]:
        raise Broken("an error in a task did not come where it is awaited", got=seen)


@case("loop", "naps side by side", "asyncio: Coroutines and Tasks, Sleeping", 8)
def naps(kind: Any) -> None:
    """Three naps take as long as the longest."""
    loop = kind()

    async def main() -> None:
        tasks = [loop.create_task(nap(loop, STEP * n)) for n in (3, 1, 2)]
        for task in tasks:
            await task

    began = time.monotonic()
    in_time(lambda: loop.run(main()), "three naps")
    took = time.monotonic() - began
    if not 3 * STEP - 0.01 <= took < 6 * STEP:
        raise Broken(f"naps of {STEP}, {2 * STEP} and {3 * STEP:.2f} s took {took:.3f} s")


@case("loop", "hears while others sleep", "asyncio: Event Loop, Watching file descriptors", 8)
def hears(kind: Any) -> None:
    """Bytes that come while everybody sleeps are heard when they come, not after the nap."""
    loop = kind()
    heard: list[float] = []
    ours, theirs = socket.socketpair()

    def hear() -> None:
        heard.append(time.monotonic())
        ours.recv(10)

    async def main() -> None:
        loop.add_reader(ours.fileno(), hear)
        await nap(loop, STEP * 6)
        loop.remove_reader(ours.fileno())

    def speak() -> None:
        with suppress(OSError):  # the loop has failed, and the sockets are closed
            theirs.send(b"x")

    with ours, theirs:
        sent = time.monotonic() + STEP
        timer = threading.Timer(STEP, speak)
        timer.start()
        in_time(lambda: loop.run(main()), "a nap with somebody to hear")
        timer.join()
    if not heard or heard[0] - sent > STEP * 3:
        raise Broken("bytes that came during a nap were heard after it, or not at all")


@case("loop", "rests while all wait", "", 8)
def rests(kind: Any) -> None:
    """A loop whose tasks all wait takes no processor time."""
    loop = kind()
    used = []

    def work() -> None:
        began = time.thread_time()
        loop.run(nap(loop, STEP * 4))
        used.append(time.thread_time() - began)

    in_time(work, "one nap")
    if used[0] > STEP * 4 * 0.2:
        raise Broken(f"during a nap of {STEP * 4:g} s the loop computed for {used[0]:.3f} s")
