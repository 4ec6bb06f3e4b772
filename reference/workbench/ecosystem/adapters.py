"""From one way of waiting to the other: WSGI in ASGI, and plain functions in async frameworks.

An async server has one thread.  A view that may block must leave it, and come back: two hops
between threads for each request.  ``thread_hops()`` measures what they cost, all in one process of
one server, so that nothing else differs:

=====================  =============================================================================
``/asgi``              no framework, no hop: what the others are compared with
``/starlette/...``     a view of ``async def``, one of ``def``, ``run_in_threadpool`` inside one
``/quart/...``         a view of ``async def``, one of ``def``, which it runs by ``run_sync``
``/django/...``        a view of ``async def``, one of ``def``, which it runs by ``sync_to_async``
``/wsgi/ours``         a WSGI application, by the course's ``handmade.wsgi_in_asgi``
``/wsgi/asgiref``      the same by asgiref's ``WsgiToAsgi``
=====================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from .cost import CpuCosts, cores, driver, hello, interleaved, pin
from .servers import SERVERS, RealServer
from .starting import serving
from .yardstick import BODY, get, wsgi
from .yardstick import app as raw

APP = "workbench.ecosystem.adapters:app"
CONNECTIONS = 16  # fewer than the threads of the smallest pool here
PATIENCE = 12.0  # seconds for an answer: to import all frameworks takes a busy machine some
HELLO = BODY.decode()
Asgi = Callable[[Any, Any, Any], Any]
ROWS = {
    "/asgi": "ASGI alone",
    "/starlette/async": "Starlette, async def",
    "/starlette/def": "Starlette, def: in a thread",
    "/starlette/pool": "Starlette, run_in_threadpool",
    "/quart/async": "Quart, async def",
    "/quart/def": "Quart, def: run_sync",
    "/django/async": "Django, async def",
    "/django/def": "Django, def: sync_to_async",
    "/wsgi/ours": "WSGI in ASGI, ours",
    "/wsgi/asgiref": "WSGI in ASGI, asgiref",
}
"""By its path, what answers there."""

HOPS = {
    "Starlette": ("/starlette/def", "/starlette/async"),
    "Quart": ("/quart/def", "/quart/async"),
    "Django": ("/django/def", "/django/async"),
    "WSGI, ours": ("/wsgi/ours", "/asgi"),
    "WSGI, asgiref": ("/wsgi/asgiref", "/asgi"),
}
"""Pairs of paths that differ by the hop, and for WSGI by the change of interface."""


# ---------------------------------------------------------------- the applications


def starlette_app() -> Asgi:
    """Return Starlette's three ways."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    def blocking() -> str:
        return HELLO

    async def view(request: Request) -> PlainTextResponse:
        return PlainTextResponse(HELLO)

    def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse(HELLO)

    async def pool(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await run_in_threadpool(blocking))

    views = {"async": view, "def": plain, "pool": pool}
    return Starlette(routes=[Route(f"/starlette/{name}", each) for name, each in views.items()])


def quart_app() -> Asgi:
    """Return Quart's two ways; it wraps a view of ``def`` by ``run_sync`` itself."""
    from quart import Quart

    app = Quart(__name__)

    async def view() -> str:
        return HELLO

    def plain() -> str:
        return HELLO

    app.add_url_rule("/quart/async", view_func=view, endpoint="async")
    app.add_url_rule("/quart/def", view_func=plain, endpoint="def")
    return app


def django_app() -> Asgi:
    """Return Django's two ways, without middleware: each of ``def`` would be another hop."""
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(HELLO)

    def plain(request: HttpRequest) -> HttpResponse:
        return HttpResponse(HELLO)

    urls = type("Urls", (), {})
    urls.urlpatterns = [path("django/async", view), path("django/def", plain)]  # type: ignore[attr-defined]  # made above
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=[], SECRET_KEY="lesson")
    django.setup(set_prefix=False)
    found: Asgi = get_asgi_application()
    return found


def wsgi_apps() -> dict[str, Asgi]:
    """Return the same WSGI application behind each adapter."""
    from asgiref.wsgi import WsgiToAsgi

    from handmade.wsgi_in_asgi import WsgiInAsgi

    return {"/wsgi/ours": WsgiInAsgi(wsgi), "/wsgi/asgiref": WsgiToAsgi(wsgi)}  # type: ignore[no-untyped-call]  # asgiref is typed in part


class Dispatcher:
    """One application with all of them behind it.

    Each is made with the first request for it: the frameworks take a second to import, and who
    asks for one path needs one of them.
    """

    def __init__(self) -> None:
        self._found: dict[str, Asgi] = {}

    def _make(self, wanted: str) -> None:
        makers = {"starlette": starlette_app, "quart": quart_app, "django": django_app}
        family = wanted.split("/")[1]
        if family in makers:
            made = makers[family]()
            self._found.update({path: made for path in ROWS if path.startswith(f"/{family}/")})
        else:
            self._found.update({"/asgi": raw, **wsgi_apps()})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request by the application of its path."""
        if scope["type"] == "http":
            if scope["path"] not in self._found:
                self._make(scope["path"])
            await self._found[scope["path"]](scope, receive, send)
            return
        if scope["type"] != "lifespan":
            raise NotImplementedError
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})


app = Dispatcher()


# ---------------------------------------------------------------- measuring


def thread_hops(
    server: RealServer = SERVERS["ours"],
    paths: Iterable[str] = ROWS,
    rounds: int = 3,
    seconds: float = 0.3,
) -> CpuCosts:
    """Measure the CPU time of a request on each path, on one server, in turns.

    The first path is what the others are compared with.  Raise CannotServe when the server does not
    start, RuntimeError when a path does not answer as it should.
    """
    titles = {path: ROWS[path] for path in paths}
    costs = CpuCosts(titles, ("small head",))
    with serving(server, "plain", APP) as run:
        run.patience = PATIENCE
        pin(run.pid, cores()[0])
        for path in titles:
            hello(run, path)
        drives = {
            (path, "small head"): (run.pid, driver(run, path, {}, CONNECTIONS)) for path in titles
        }
        return interleaved(costs, drives, rounds, seconds)


def hops(costs: CpuCosts, pairs: Mapping[str, tuple[str, str]] = HOPS) -> dict[str, float]:
    """Return what the way through a thread costs: µs of CPU per request, by name."""
    column = costs.columns[0]
    return {
        name: costs.micros(there, column) - costs.micros(here, column)
        for name, (there, here) in pairs.items()
        if {there, here} <= set(costs.rows)
    }


def statuses_of(lines: Iterable[str]) -> dict[str, list[int]]:
    """Ask several servers at the same time; a line is a name, and an option behind a blank."""

    def one(line: str) -> list[int]:
        name, _, option = line.partition(" ")
        return statuses(SERVERS[name], option)

    wanted = list(lines)
    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def statuses(
    server: RealServer, option: str = "", path: str = "/wsgi/asgiref", times: int = 20
) -> list[int]:
    """Ask a path so often on one connection; return the statuses, as many as the server gives.

    ``option`` goes to the end of the server's command line.  Who closes behind an answer gives a
    list that is shorter than ``times``.

    An answer is complete for its client when its Content-Length is there, and for the application
    a message later.  A server that starts the next request meanwhile, in the context of that last
    message, hands asgiref's adapter the thread of a request that is over, and it fails.
    """
    found = []
    plain = f"{server.ways['plain']} {option}".strip()
    with serving(replace(server, ways={"plain": plain}), "plain", APP) as run:
        run.patience = PATIENCE
        wire = run.connect()
        for _ in range(times):
            answer = wire.send(get(path, "test", {})).response(whole=False)
            found.append(answer.status)
            if (answer.value("connection") or "").lower() == "close":
                break
    return found
