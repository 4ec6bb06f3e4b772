"""Little WSGI applications that the server's contract serves, and what they found out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from . import Broken
from .wire import PATIENCE, Answer, request, up

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], Any]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
A = TypeVar("A", bound=Callable[..., Any])

TEXT = ("Content-Type", "text/plain")


def raw(app: A) -> A:
    """Mark an application that no validator may wrap.

    Either it breaks PEP 3333 on purpose, or the wrapper would hide what the case is about: behind
    one, a list is no list any more.
    """
    app.raw = True  # type: ignore[attr-defined]  # a mark on a function, read by the test's adapter
    return app


def ok(start_response: StartResponse, body: bytes = b"ok") -> list[bytes]:
    """Answer 200 with a short body."""
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


class Probe:
    """Note every environ; answer with what ``view`` makes of it, or with ``ok``."""

    def __init__(self, view: Callable[[Environ], bytes] | None = None, *, raw: bool = False):
        self.view = view
        self.raw = raw
        self.calls: list[Environ] = []
        self.results: list[bytes] = []
        self.errors: list[BaseException] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """Be a WSGI application."""
        self.calls.append(dict(environ))
        if self.view is None:
            return ok(start_response)
        try:
            result = self.view(environ)
        except Exception as error:
            self.errors.append(error)
            raise
        self.results.append(result)
        return ok(start_response, result)

    @property
    def paths(self) -> list[str]:
        """The paths of the calls so far."""
        return [environ["PATH_INFO"] for environ in self.calls]


def environ_of(server: Any, sent: bytes, **options: Any) -> Environ:
    """Return the environ that the application is given for a request."""
    probe = Probe()
    with up(server, probe, **options) as connect:
        answer = connect().send(sent).response()
    if answer.status != 200 or len(probe.calls) != 1:
        raise Broken(
            f"the request should reach the application once and be answered 200; the application "
            f"was called {len(probe.calls)} times and the status is {answer.status}",
            sent=sent,
            got=answer.head,
        )
    return probe.calls[0]


def view_of(server: Any, sent: bytes, view: Callable[[Environ], bytes], **options: Any) -> bytes:
    """Return what ``view`` makes of the environ while the request is running."""
    probe = Probe(view, raw=options.pop("raw", False))
    with up(server, probe, **options) as connect:
        answer = connect().send(sent).response()
    if probe.errors:
        raise Broken(f"in the application: {probe.errors[0]!r}", sent=sent) from probe.errors[0]
    if not probe.results:
        raise Broken("the application was never called", sent=sent, got=answer.head)
    return probe.results[0]


def variable(server: Any, key: str, wanted: object, sent: bytes, **options: Any) -> None:
    """Demand a value of one environ variable."""
    holds(environ_of(server, sent, **options), key, wanted, sent)


def holds(environ: Environ, key: str, wanted: object, sent: bytes) -> None:
    """Demand a value of a variable in an environ."""
    if key not in environ:
        raise Broken(f"environ has no {key}; {wanted!r} is wanted", sent=sent)
    problem = f"environ[{key!r}] is {environ[key]!r}, and should be {wanted!r}"
    same(environ[key], wanted, problem, sent)


def lacks(environ: Environ, key: str, why: str, sent: bytes) -> None:
    """Demand that a variable is not there."""
    if key in environ:
        raise Broken(f"{key} is there, as {environ[key]!r}, and must not be: {why}", sent=sent)


def same(got: object, wanted: object, problem: str, sent: bytes | None = None) -> None:
    """Raise Broken unless both are equal and of one type."""
    if got != wanted or type(got) is not type(wanted):
        raise Broken(problem, sent=sent, got=got, wanted=wanted)


def expect(
    condition: object, problem: str, *, sent: bytes | None = None, got: object = None
) -> None:
    """Raise Broken unless ``condition`` is true."""
    if not condition:
        raise Broken(problem, sent=sent, got=got)


class Moment:
    """Something that happens once, in one thread, and that another one waits for."""

    def __init__(self, what: str, patience: float = PATIENCE) -> None:
        self.what = what
        self.patience = patience
        self._event = threading.Event()

    def __bool__(self) -> bool:
        """True when it has happened."""
        return self._event.is_set()

    def happens(self) -> None:
        """Let it happen."""
        self._event.set()

    def wait(self) -> None:
        """Wait for it; raise Broken when it does not happen."""
        if not self._event.wait(self.patience):
            raise Broken(f"still waiting for {self.what} after {self.patience:g} s")


def moment(server: Any, what: str) -> Moment:
    """Return a Moment that is waited for as long as ``server`` may take."""
    return Moment(what, getattr(server, "patience", PATIENCE))


class Closing:
    """An iterable that counts the calls of its close() and notes what was asked of it."""

    def __init__(self, blocks: Iterable[bytes], closed: Moment) -> None:
        self.blocks = iter(blocks)
        self.closed = closed
        self.closes = 0

    def __iter__(self) -> Closing:
        return self

    def __next__(self) -> bytes:
        return next(self.blocks)

    def close(self) -> None:
        """Count."""
        self.closes += 1
        self.closed.happens()


def refused(server: Any, app: App, why: str, sent: bytes | None = None) -> Answer:
    """Demand that an application's mistake is answered with 500."""
    sent = sent or request()
    with up(server, raw(app)) as connect:
        answer = connect().send(sent).response(whole=False)
    if answer.status != 500:
        raise Broken(f"{why}: that is the application's error, and 500", sent=sent, got=answer.head)
    return answer
