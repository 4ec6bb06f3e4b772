"""What a loop by hand runs and waits for: futures, and coroutines as tasks.

A ``Future`` is a result that is not there yet; a ``Task`` runs a coroutine from one future that it
awaits to the next.  They know a loop's ``call_soon`` and nothing of time or sockets.  Names and
meanings are those of asyncio.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import Loop


class Cancelled(BaseException):
    """Thrown into a coroutine at the place where it waits, to end it.

    It is no Exception, as in asyncio: an ``except Exception`` in an application must not stop it.
    """


class Future:
    """A result that is not there yet.

    ``await future`` gives the future itself to whoever runs the coroutine, and goes on when it has
    a result: this ``yield`` is the only place in the whole loop where anything waits.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[tuple[Callable[[Any], object], contextvars.Context]] = []

    def __await__(self) -> Generator[Future, None, Any]:
        """Yield until done; return the result or raise the error."""
        if not self._done:
            yield self
        return self.result()

    def done(self) -> bool:
        """True when there is a result, or an error."""
        return self._done

    def result(self) -> Any:
        """Return the result, or raise the error."""
        if not self._done:
            raise RuntimeError("there is no result yet")
        if self._error is not None:
            raise self._error
        return self._result

    def set_result(self, result: Any) -> None:
        """Give it a result, and wake who waits for it."""
        self._finish(result, None)

    def set_exception(self, error: BaseException) -> None:
        """Give it an error, which is raised where it is awaited."""
        self._finish(None, error)

    def cancel(self) -> bool:
        """End it with Cancelled; False when it was done already."""
        if self._done:
            return False
        self._finish(None, Cancelled())
        return True

    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: contextvars.Context | None = None
    ) -> None:
        """Call ``callback(future)`` soon after it is done."""
        context = contextvars.copy_context() if context is None else context
        if self._done:
            self.loop.call_soon(callback, self, context=context)
        else:
            self._callbacks.append((callback, context))

    def _finish(self, result: Any, error: BaseException | None) -> None:
        """Be done."""
        if self._done:
            raise RuntimeError("a future has one result")
        self._done, self._result, self._error = True, result, error
        for callback, context in self._callbacks:
            self.loop.call_soon(callback, self, context=context)
        self._callbacks.clear()


class Task(Future):
    """A coroutine that the loop runs; as a future, its result is the coroutine's."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], loop: Loop, context: contextvars.Context | None
    ) -> None:
        super().__init__(loop)
        self._coroutine = coroutine
        self._context = contextvars.copy_context() if context is None else context
        self._waits_for: Future | None = None
        self._to_raise: BaseException | None = None
        loop.tasks.add(self)
        loop.call_soon(self._step, context=self._context)

    def cancel(self) -> bool:
        """Raise Cancelled in the coroutine, where it waits; it may still clean up, and wait."""
        if self._done:
            return False
        if self._waits_for is None or not self._waits_for.cancel():
            self._to_raise = Cancelled()  # it does not wait now: at its next step
        return True

    def _step(self, awaited: Future | None = None) -> None:
        """Run the coroutine to its next await that has to wait, or to its end."""
        self._waits_for = None
        previous, self.loop.current = self.loop.current, self
        try:
            if self._to_raise is not None:
                error, self._to_raise = self._to_raise, None
                future = self._coroutine.throw(error)
            else:
                future = self._coroutine.send(None)
        except StopIteration as end:
            self._end(end.value, None)
        except BaseException as error:
            self._end(None, error)
        else:
            self._wait(future)
        finally:
            self.loop.current = previous

    def _wait(self, future: Any) -> None:
        """Take the next step when ``future`` is done; what is none of ours fails at its await."""
        if not isinstance(future, Future) or future.loop is not self.loop:
            kind = f"{type(future).__module__}.{type(future).__qualname__}"
            self._to_raise = RuntimeError(f"this loop cannot wait for {kind}: it is another loop's")
            self.loop.call_soon(self._step, context=self._context)
            return
        self._waits_for = future
        future.add_done_callback(self._step, context=self._context)
        if self._to_raise is not None and future.cancel():
            self._to_raise = None

    def _end(self, result: Any, error: BaseException | None) -> None:
        """Be done; with what is meant to end the program, end the loop too."""
        self.loop.tasks.discard(self)
        self._finish(result, error)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise error


def wake(future: Future) -> None:
    """Let who waits for the future go on, if anybody still does."""
    if not future.done():
        future.set_result(None)
