"""The life of an application: what it does before the first request and after the last one.

One task runs ``app(scope, receive, send)`` from the start of the server to its end, beside all
requests.  It is told when to start up and when to shut down, and says when it has.  Cited as ASGI
Lifespan 2.0, by section title.  Like the gateway it knows no event loop: one is handed in.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from .asgi import Application
from .asgi_messages import Message
from .asgi_scope import ASGI_VERSION
from .gateway import ApplicationError, Bell, logger

LIFESPAN_VERSION = "2.0"


class LifespanFailed(Exception):
    """The application could not start up, or did not say so in time; the message is one line."""


class Life(Enum):
    """Where an application is in its life."""

    STARTING = "it starts up"
    UP = "it serves"
    STOPPING = "it shuts down"
    DOWN = "it has shut down"
    FAILED = "it could not start up"
    UNKNOWN = "it knows no lifespan"


# What an application may say, and when (ASGI Lifespan 2.0, Startup Complete to Shutdown Failed):
#
#   STARTING ──startup.complete──▶ UP ──(we tell it)──▶ STOPPING ──shutdown.complete──▶ DOWN
#      │ │                                                    └──────shutdown.failed──▶ DOWN
#      │ └──startup.failed──▶ FAILED
#      └──it raises, or returns──▶ UNKNOWN
LIFE: dict[tuple[Life, str], Life] = {
    (Life.STARTING, "lifespan.startup.complete"): Life.UP,
    (Life.STARTING, "lifespan.startup.failed"): Life.FAILED,
    (Life.STOPPING, "lifespan.shutdown.complete"): Life.DOWN,
    (Life.STOPPING, "lifespan.shutdown.failed"): Life.DOWN,
}


class Lifespan:
    """Run an application's lifespan.

    ``loop`` has ``create_task``, ``create_future`` and ``call_later``.  ``wanted``: True when an
    application without lifespan is a mistake.  ``state`` is what each request gets a copy of.
    """

    def __init__(self, app: Application, loop: Any, wanted: bool = False) -> None:
        self.life = Life.STARTING
        self.state: dict[str, Any] = {}
        self._app = app
        self._loop = loop
        self._wanted = wanted
        self._bell = Bell(loop.create_future)
        self._told = 0
        self._late = ""
        self._said = ""
        self._task: Any = None

    @property
    def knows(self) -> bool:
        """True when the application takes part."""
        return self.life is Life.UP

    # ------------------------------------------------------------ what the shell calls

    async def startup(self, seconds: float) -> None:
        """Wait until the application has started up; raise LifespanFailed when it cannot."""
        self._task = self._loop.create_task(self._run())
        if not await self._until_it_has_left(Life.STARTING, seconds):
            self.life = Life.FAILED
            self._task.cancel()
            raise LifespanFailed(f"the application has not started up {self._late}")
        if self.life is Life.FAILED:
            *before, last = self._said.strip().splitlines() or ["it does not say why"]
            if before:  # Starlette says it by a whole traceback
                logger.error("the application could not start up:\n%s", self._said)
            raise LifespanFailed(f"the application could not start up: {last}")
        if self.life is Life.UNKNOWN and self._wanted:
            raise LifespanFailed(f"the application knows no lifespan: {self._said}")

    async def shutdown(self, seconds: float) -> None:
        """Tell the application that it is over, and wait until it has put its things away."""
        if self.life is Life.UP:
            self.life = Life.STOPPING
            self._bell.ring()
            if not await self._until_it_has_left(Life.STOPPING, seconds):
                logger.error("the application has not shut down %s", self._late)
        if self._task is not None:
            self._task.cancel()

    async def _until_it_has_left(self, life: Life, seconds: float) -> bool:
        """Wait until the application is somewhere else; False when that takes too long."""
        self._late = ""
        timer = self._loop.call_later(seconds, self.hurry, f"within {seconds:g} s")
        while self.life is life and not self._late:
            await self._bell.wait()
        timer.cancel()
        return self.life is not life

    def hurry(self, why: str) -> None:
        """Wait no longer for a start-up or a shutdown that is under way; ``why`` is for the log."""
        self._late = why
        self._bell.ring()

    # ------------------------------------------------------------ what the application calls

    async def _run(self) -> None:
        """Run the application; what it makes of a scope that it does not know is no error."""
        asgi = {"version": ASGI_VERSION, "spec_version": LIFESPAN_VERSION}
        scope = {"type": "lifespan", "asgi": asgi, "state": self.state}
        try:
            await self._app(scope, self._receive, self._send)
            self._ended("it returned at once")
        except (Exception, SystemExit) as error:
            self._ended(f"{type(error).__name__}: {error}".rstrip(": "), error)
        finally:
            self._ended("it was cancelled")  # where nothing else has ended it
            self._bell.ring()

    def _ended(self, how: str, error: BaseException | None = None) -> None:
        """Note how the application left its lifespan."""
        if self.life is Life.STARTING:
            self.life, self._said = Life.UNKNOWN, how
            if not self._wanted:
                logger.info("the application takes no part in lifespan (%s)", how)
        elif self.life in (Life.UP, Life.STOPPING):
            if error is not None:
                what = "the application's lifespan failed: %s"
                logger.error(what, how, exc_info=error)
            self.life = Life.DOWN

    async def _receive(self) -> Message:
        """Return the start-up, then wait for the shutdown; after that there is nothing to tell."""
        self._told += 1
        if self._told == 1:
            return {"type": "lifespan.startup"}
        while self.life is not Life.STOPPING or self._told > 2:
            await self._bell.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        """Take what the application says of itself."""
        kind = message.get("type") if isinstance(message, dict) else None
        life = LIFE.get((self.life, str(kind)))
        if life is None:
            raise ApplicationError(f"{kind!r} may not come now: {self.life.value}")
        self.life, self._said = life, str(message.get("message", "it does not say why"))
        if kind == "lifespan.shutdown.failed":
            logger.error("the application failed to shut down: %s", self._said)
        self._bell.ring()
