"""Two boards, in Flask and in Starlette, that break as the file ``broken`` in their folder says."""

import io
import json
import os
from pathlib import Path

FILE = Path(os.environ["BOARD_FOLDER"], "broken")


def how():
    """Return how to break now, "" for not at all."""
    try:
        return FILE.read_text("ascii")
    except FileNotFoundError:
        return ""


# --- WSGI -------------------------------------------------------------------------------------


def wsgi(environ, start_response):
    """Be the board in Flask, broken."""
    from workbench.ecosystem.boards.flask_board import app

    found = BROKEN.get((how(), environ["PATH_INFO"]))
    return found(app, environ, start_response) if found else app(environ, start_response)


def changed(change):
    """Return an application that changes status, fields and body of the board's answer."""

    def broken(app, environ, start_response):
        begun = []
        body = b"".join(app(environ, lambda *given: begun.append(given)))
        status, fields, body = change(*begun[0][:2], body)
        kept = [field for field in fields if field[0] != "Content-Length"]
        start_response(status, [*kept, ("Content-Length", str(len(body)))])
        return [body]

    return broken


def half(app, environ, start_response):
    """Take the half of an upload for the whole."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 2) // 2)
    environ["wsgi.input"] = io.BytesIO(body)
    return app(environ, start_response)


def die(app, environ, start_response):
    """End the process in the middle of a request."""
    os._exit(3)


def unescaped(status, fields, body):
    return status, fields, body.replace(b"&lt;", b"<")


def elsewhere(status, fields, body):
    fields = [("Location", "/nowhere") if name == "Location" else (name, value)
              for name, value in fields]  # fmt: skip
    return status, fields, body


def shorter(status, fields, body):
    return status, fields, json.dumps(json.loads(body)[1:]).encode() if body[:1] == b"[" else body


def reordered(status, fields, body):
    return status, fields, json.dumps(json.loads(body)[::-1]).encode() if body[:1] == b"[" else body


def well(status, fields, body):
    return "200 OK", fields, body


def plain(status, fields, body):
    return status, [("Content-Type", "text/plain")], body


def same(status, fields, body):
    return status, fields, body


def waited(status, fields, body):
    return status, fields, b'{"waited": 0}'


BROKEN = {
    ("type", "/"): changed(plain),
    ("escape", "/"): changed(unescaped),
    ("elsewhere", "/posts"): changed(elsewhere),
    ("created", "/posts"): changed(well),
    ("shorter", "/posts"): changed(shorter),
    ("reordered", "/posts"): changed(reordered),
    ("joined", "/stream"): changed(same),
    ("half", "/upload"): half,
    ("slow", "/slow"): changed(waited),
    ("found", "/nowhere"): changed(well),
    ("die", "/stream"): die,
}


# --- ASGI -------------------------------------------------------------------------------------


async def asgi(scope, receive, send):
    """Be the board in Starlette, broken."""
    from workbench.ecosystem.boards.starlette_board import app

    async def changed_send(message):
        await send(broken_message(how(), scope["path"], message))

    async def changed_receive():
        message = await receive()
        if how() == "lost" and scope["path"] == "/upload" and message.get("more_body"):
            return {**message, "body": message["body"][1:]}
        return message

    if scope["type"] == "websocket" and how() == "deny":
        await receive()
        await send({"type": "websocket.close"})
    elif scope["type"] == "lifespan":
        await app(scope, receive, send)
    else:
        await app(scope, changed_receive, changed_send)


def broken_message(word, path, message):
    """Return a message of the board's feed, with something else in it."""
    if message["type"] == "websocket.send":
        news = json.loads(message["text"])
        if word == "forgetful":
            news["posts"] = news["posts"][-1:]
        if word == "crowd":
            news["readers"] += 1
        return {"type": "websocket.send", "text": json.dumps(news)}
    return message
