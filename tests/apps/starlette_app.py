"""An ordinary Starlette application: forms, uploads, streams, files, a lifespan, middleware."""

import contextlib
import hashlib
from pathlib import Path

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent
LOG = []


@contextlib.asynccontextmanager
async def lifespan(app):
    LOG.append("started")
    yield {"greeting": "hello from the start-up"}
    LOG.append("stopped")


async def index(request):
    return PlainTextResponse("Starlette")


def sync(request):
    return PlainTextResponse("from a thread")


async def hello(request):
    return PlainTextResponse(f"hello {request.path_params['name']}")


async def echo(request):
    return JSONResponse(
        {
            "method": request.method,
            "url": str(request.url),
            "query": dict(request.query_params),
            "header": request.headers.get("x-header"),
            "client": request.client.host,
            "greeting": request.state.greeting,
            "cookies": request.cookies,
        }
    )


async def form(request):
    async with request.form() as form:
        return JSONResponse(dict(form))


async def upload(request):
    async with request.form() as form:
        file = form["file"]
        digest, size = hashlib.sha256(), 0
        while block := await file.read(65536):
            digest.update(block)
            size += len(block)
        return JSONResponse({"name": file.filename, "size": size, "sha256": digest.hexdigest()})


async def raw(request):
    digest = hashlib.sha256()
    async for block in request.stream():
        digest.update(block)
    return PlainTextResponse(digest.hexdigest())


async def json(request):
    return JSONResponse(await request.json())


async def stream(request):
    async def lines():
        for number in range(int(request.query_params.get("n", 3))):
            yield f"line {number}\n"

    return StreamingResponse(lines(), media_type="text/plain")


async def broken_stream(request):
    async def lines():
        yield "line 0\n"
        raise RuntimeError("on purpose, in the middle")

    return StreamingResponse(lines(), media_type="text/plain")


async def background(request):
    async def later(what):
        LOG.append(what)

    return PlainTextResponse("soon", background=BackgroundTask(later, "in the background"))


async def log(request):
    return JSONResponse(LOG)


async def cookies(request):
    response = PlainTextResponse("two")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def away(request):
    return RedirectResponse("/hello/again")


async def empty(request):
    return Response(status_code=204)


async def teapot(request):
    raise HTTPException(418, "short and stout")


async def fail(request):
    raise RuntimeError("on purpose: the password is swordfish")


async def own_file(request):
    return FileResponse(__file__)


class AddHeader(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-middleware"] = request.url.path
        return response


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", index),
        Route("/sync", sync),
        Route("/hello/{name}", hello),
        Route("/echo", echo, methods=["GET", "PUT"]),
        Route("/form", form, methods=["POST"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/raw", raw, methods=["POST"]),
        Route("/json", json, methods=["POST"]),
        Route("/stream", stream),
        Route("/broken-stream", broken_stream),
        Route("/background", background),
        Route("/log", log),
        Route("/cookies", cookies),
        Route("/redirect", away),
        Route("/empty", empty),
        Route("/teapot", teapot),
        Route("/fail", fail),
        Route("/file", own_file),
        Mount("/static", StaticFiles(directory=HERE / "django_app")),
        Mount(
            "/wrapped",
            routes=[
                Route("/", index),
                Route("/stream", stream),
                Route("/raw", raw, methods=["POST"]),
            ],
            middleware=[Middleware(AddHeader)],
        ),
    ],
)
