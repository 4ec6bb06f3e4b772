"""An ordinary Quart application: forms, uploads, streams, a session, start-up and shutdown."""

import asyncio
import hashlib

from quart import Quart, abort, jsonify, redirect, request, session, url_for

app = Quart(__name__)
app.secret_key = "not a secret, a test"
LOG = []


@app.before_serving
async def begin():
    LOG.append("started")
    app.greeting = "hello from the start-up"


@app.after_serving
async def end():
    LOG.append("stopped")


@app.get("/")
async def index():
    return "<h1>Quart</h1>"


@app.get("/sync")
def sync():
    return "from a thread"


@app.get("/hello/<name>")
async def hello(name):
    return f"hello {name}"


@app.get("/echo")
async def echo():
    facts = {"query": request.args.to_dict(), "header": request.headers.get("X-Header")}
    return jsonify(**facts, url=request.url, client=request.remote_addr, greeting=app.greeting)


@app.post("/form")
async def form():
    return (await request.form).to_dict()


@app.post("/upload")
async def upload():
    file = (await request.files)["file"]
    content = file.read()
    digest = hashlib.sha256(content).hexdigest()
    return {"name": file.filename, "size": len(content), "sha256": digest}


@app.post("/raw")
async def raw():
    digest = hashlib.sha256()
    async for block in request.body:
        digest.update(block)
    return digest.hexdigest()


@app.get("/stream")
async def stream():
    async def lines():
        for number in range(3):
            yield f"line {number}\n".encode()
            await asyncio.sleep(0)

    return lines(), 200, {"Content-Type": "text/plain"}


@app.get("/background")
async def background():
    async def later():
        LOG.append("in the background")

    app.add_background_task(later)
    return "soon"


@app.get("/log")
async def log():
    return jsonify(LOG)


@app.get("/count")
async def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.get("/redirect")
async def away():
    return redirect(url_for("hello", name="again"))


@app.get("/teapot")
async def teapot():
    abort(418)


@app.get("/fail")
async def fail():
    raise RuntimeError("on purpose: the password is swordfish")
