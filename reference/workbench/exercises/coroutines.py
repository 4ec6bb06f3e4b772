"""What checks of coroutines need: kinds, time limits, and loops that never wake or never rest.

A learner's coroutine may be a plain function, be forgotten, wait for ever, or block the loop. Each
of these ends here in ``Broken`` with a line of the learner's, within the given seconds. It serves
points that are coroutine functions, which the runner runs on asyncio, and points that run a loop
which the learner has written.

    kind(app, "app")                                    # an async def, or Broken
    await within(1.0, app(scope, receive, send), "the end of app")
    async with prompt(0.1): ...                         # nobody holds the loop for longer
    with none_forgotten(): ...                          # every coroutine was awaited
    loop.selector = Watched(loop.selector)              # a loop by hand waits, and wakes
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
import selectors
import threading
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from workbench.contracts import Broken
from workbench.exercises import stuck
from workbench.exercises.model import Slip
from workbench.places import place_of_thread

Got = TypeVar("Got")
MOST_ROUNDS = 3000  # looks at a selector in a row that found nothing and did not wait
GRACE = 0.2  # seconds that a task gets to end when it is cancelled


# --- Is it a coroutine? -----------------------------------------------------------------------


def kind(thing: Any, name: str) -> Any:
    """Return a coroutine function; raise Broken that says what it is instead."""
    if inspect.iscoroutinefunction(thing) or inspect.iscoroutinefunction(
        getattr(thing, "__call__", None)  # noqa: B004  # an instance whose __call__ is async
    ):
        return thing
    if inspect.isasyncgenfunction(thing):
        raise Broken(f"{name} has a yield in it, so a call gives an async generator: nobody awaits")
    if inspect.isgeneratorfunction(thing):
        raise Broken(f"{name} is a generator function: `async def` and `await` are wanted")
    if callable(thing):
        raise Broken(f"{name} is a plain function: `async def {name}(...)` is wanted")
    raise Broken(f"{name} is not a function but {type(thing).__name__}")


def awaitable(value: Any, name: str) -> Any:
    """Return what can be awaited; raise Broken when a call gave something else."""
    if not inspect.isawaitable(value):
        got = "None" if value is None else type(value).__name__
        raise Broken(f"{name} gave {got}, which nobody can await: is it an `async def`?")
    return value


@contextmanager
def none_forgotten() -> Iterator[None]:
    """Raise Broken when a coroutine was made in the block and never awaited.

    Raise Slip, instead of what the block raises, when something was found broken in there: a call
    that is not awaited is the cause.
    """
    broken: Broken | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except Broken as error:
            broken = error
        gc.collect()  # it is said when the coroutine is thrown away
    said = [str(warning.message) for warning in caught]
    forgotten = [text for text in said if "was never awaited" in text]
    if forgotten:
        name = re.sub(r"'[^']*<locals>\.", "'", forgotten[0])
        problem = f"{name}: a call of an `async def` alone runs none of it"
        raise Slip(problem) if broken else Broken(problem)
    if broken:
        raise broken


# --- Time limits on asyncio -------------------------------------------------------------------


async def within(seconds: float, waited: Awaitable[Got], what: str) -> Got:
    """Return the result of ``waited``; raise Broken with its line when it takes too long.

    ``what`` is what the check waits for: "the end of app".
    """
    task: asyncio.Future[Got] = asyncio.ensure_future(awaitable(waited, what))
    done, _ = await asyncio.wait([task], timeout=seconds)
    if done:
        return task.result()
    place = stuck.place_of_task(task) if isinstance(task, asyncio.Task) else ""
    task.cancel()
    await asyncio.wait([task], timeout=GRACE)
    taken_note_of(task)
    raise Broken(f"still waiting for {what} after {seconds:g} s" + (f", at {place}" * bool(place)))


def taken_note_of(task: asyncio.Future[Any]) -> None:
    """Take note of how a task ended: asyncio would complain that nobody has."""
    if task.done() and not task.cancelled():
        task.exception()


class Steps:
    """Await a coroutine, and ``count`` how often it has to be run for that."""

    def __init__(self, coroutine: Awaitable[Any]) -> None:
        self.count = 0
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, None, Any]:
        """Be awaited."""
        inner = self._coroutine.__await__()
        while True:
            self.count += 1
            try:
                waits_for = next(inner)
            except StopIteration as end:
                return end.value
            yield waits_for


@asynccontextmanager
async def prompt(seconds: float) -> AsyncIterator[None]:
    """Raise Broken when somebody holds the loop for more than ``seconds`` within the block."""
    beat, stop, late = [time.monotonic()], threading.Event(), [""]
    thread = threading.get_ident()

    def look() -> None:
        while not stop.wait(seconds / 5):
            if time.monotonic() - beat[0] > seconds and not late[0]:
                late[0] = place_of_thread(thread) or "a place that is not yours"

    async def heart() -> None:
        while True:
            beat[0] = time.monotonic()
            await asyncio.sleep(seconds / 10)

    watcher = threading.Thread(target=look, daemon=True)
    beating = asyncio.ensure_future(heart())
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        beating.cancel()
    if late[0]:
        raise Broken(
            f"the loop stood still for more than {seconds:g} s, and all others with it, "
            f"at {late[0]}"
        )


# --- Loops by hand ----------------------------------------------------------------------------


class Watched(selectors.BaseSelector):
    """A selector that raises Broken when the loop that asks it can never wake, or never waits."""

    def __init__(
        self, inner: selectors.BaseSelector, in_line: Callable[[], int] = lambda: 0
    ) -> None:
        """Watch over ``inner``. ``in_line`` tells how many calls the loop has ready.

        ``slept`` is how long it has waited, in seconds, ``limits`` are the timeouts it was given.
        """
        self._inner = inner
        self._in_line = in_line
        self._in_vain = 0
        self.slept = 0.0
        self.limits: list[float | None] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as the inner one does."""
        self.limits.append(timeout)
        if timeout is None and not self._inner.get_map():
            if count := self._in_line():
                raise Slip(
                    "the loop waits for ever: it asks the selector to wait without an end, and "
                    f"{count} call{' is' if count == 1 else 's are'} in `ready`: then it must not "
                    "wait at all"
                )
            raise Broken(
                "the loop waits for ever: it asks the selector to wait without an end, no socket "
                "is watched, and no timer was handed to it as `timeout`"
            )
        began = time.monotonic()
        found = self._inner.select(timeout)
        self.slept += time.monotonic() - began
        waited = timeout is None or timeout > 0
        self._in_vain = 0 if found or waited else self._in_vain + 1
        if self._in_vain > MOST_ROUNDS:
            raise Broken(
                f"the loop has looked at the selector {MOST_ROUNDS} times in a row without "
                "waiting, and nothing was there: it burns a processor"
            )
        return found

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a socket."""
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Watch it no more."""
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch it for something else."""
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return what is watched."""
        return self._inner.get_map()

    def close(self) -> None:
        """Close the inner one."""
        self._inner.close()
