"""An ordinary FastAPI application: dependencies with yield, validation, a lifespan."""

from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

LOG: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI):
    LOG.append("started")
    yield {"greeting": "hello from the start-up"}
    LOG.append("stopped")


app = FastAPI(lifespan=lifespan)


class Post(BaseModel):
    text: str = Field(max_length=20)
    stars: int = 0


async def database():
    LOG.append("opened")
    try:
        yield "a database"
    finally:
        LOG.append("closed")


def sync_database():
    LOG.append("opened in a thread")
    try:
        yield "a database in a thread"
    finally:
        LOG.append("closed in a thread")


@app.get("/")
async def index() -> dict[str, str]:
    return {"hello": "FastAPI"}


@app.get("/items/{number}")
async def item(number: int, q: str | None = None) -> dict[str, str | int | None]:
    return {"number": number, "q": q}


@app.post("/posts", status_code=201)
async def create(post: Post) -> Post:
    return Post(text=post.text.upper(), stars=post.stars + 1)


@app.get("/sync")
def sync() -> str:
    return "from a thread"


@app.get("/database")
async def with_database(database: Annotated[str, Depends(database)]) -> str:
    LOG.append("used")
    return database


@app.get("/sync-database")
def with_sync_database(database: Annotated[str, Depends(sync_database)]) -> str:
    return database


@app.get("/broken-database")
async def with_broken_database(database: Annotated[str, Depends(database)]) -> str:
    raise HTTPException(409, "the database is busy")


@app.get("/state")
async def state(request: Request) -> str:
    return request.state.greeting


@app.post("/form")
async def form(name: Annotated[str, Form()], file: Annotated[UploadFile, File()]) -> dict:
    return {"name": name, "size": len(await file.read())}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def lines():
        for number in range(3):
            yield f"line {number}\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/log")
async def log() -> list[str]:
    return LOG


@app.get("/fail")
async def fail():
    raise RuntimeError("on purpose: the password is swordfish")
