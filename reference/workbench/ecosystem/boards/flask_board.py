"""The board in Flask: a WSGI application, with sqlite3 and a connection for each request."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
from flask import Flask, Response, abort, g, redirect, request
from werkzeug.wrappers import Response as Answer

from workbench.board.page import page
from workbench.board.store import AUTHOR, TEXT, Post

from .common import EVERYBODY, LINES, UPSTREAM, folder, line, number

app = Flask(__name__)
upstream = httpx.Client(base_url=UPSTREAM, limits=EVERYBODY, timeout=30, trust_env=False)
FILE = folder() / "flask.sqlite3"
TABLE = "CREATE TABLE IF NOT EXISTS post (number INTEGER PRIMARY KEY, author TEXT, text TEXT)"

# Each worker does this at its start; sqlite's own lock lets one of them make the table.
with closing(sqlite3.connect(FILE, timeout=20)) as first:
    first.execute(TABLE)


def database() -> sqlite3.Connection:
    """Return this request's connection."""
    if "database" not in g:
        g.database = sqlite3.connect(FILE, timeout=20)
    found: sqlite3.Connection = g.database
    return found


@app.teardown_appcontext
def close_database(error: BaseException | None) -> None:
    """Close it when the request is over."""
    if found := g.pop("database", None):
        found.close()


def all_posts() -> list[Post]:
    """Return the posts, oldest first."""
    rows = database().execute("SELECT number, author, text FROM post ORDER BY number")
    return [Post(*row) for row in rows]


@app.get("/")
def home() -> str:
    """Show the page."""
    return page(all_posts()).decode()


@app.get("/posts")
def list_posts() -> list[dict[str, Any]]:
    """List the posts: Flask makes JSON of what a view returns."""
    return [dict(post.as_dict()) for post in all_posts()]


@app.post("/posts")
def add_post() -> tuple[dict[str, Any], int] | Answer:
    """Take a post: a form from the page, which is then shown again, or JSON."""
    fields = request.get_json() if request.is_json else request.form
    if not isinstance(fields, dict):
        abort(400, "a post is an object with author and text")
    author, text = str(fields.get("author") or "anonymous"), str(fields.get("text", "")).strip()
    if not text or len(text) > TEXT or len(author) > AUTHOR:
        abort(400, f"a post has 1 to {TEXT} characters, and its author at most {AUTHOR}")
    with database() as transaction:
        made = transaction.execute("INSERT INTO post (author, text) VALUES (?, ?)", (author, text))
    if request.is_json:
        return Post(made.lastrowid or 0, author, text).as_dict(), 201
    return redirect("./", 303)


@app.get("/stream")
def stream() -> Response:
    """Give lines, each as soon as it is made."""
    count = int(number(request.args, "n", 5, LINES))
    pause = number(request.args, "pause", 0.02, 1)

    def lines() -> Iterator[str]:
        for each in range(1, count + 1):
            yield line(each, count)
            time.sleep(pause)

    return Response(lines(), mimetype="text/plain")


@app.get("/slow")
def slow() -> Response:
    """Ask the upstream; this thread waits."""
    if not UPSTREAM:
        abort(503, "this board was started without an upstream")
    answer = upstream.get("/", params={"wait": number(request.args, "wait", 0.1, 30)})
    return Response(answer.content, mimetype="application/json")


@app.post("/upload")
def upload() -> dict[str, Any]:
    """Count an upload, a block at a time."""
    size, digest = 0, hashlib.sha256()
    while block := request.stream.read(65536):
        size += len(block)
        digest.update(block)
    return {"bytes": size, "sha256": digest.hexdigest()}
