"""An ordinary Flask application: what our server has to carry without a change to it."""

from __future__ import annotations

import hashlib
import io
import time

from flask import (
    Flask,
    Response,
    abort,
    jsonify,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)

app = Flask(__name__)
app.secret_key = "not a secret, a test"
FILE = bytes(range(256)) * 2000


@app.get("/")
def home():
    return "<h1>Flask</h1>"


@app.get("/hello/<name>")
def hello(name):
    return f"hello {name}"


@app.route("/echo", methods=["GET", "POST", "PUT", "DELETE"])
def echo():
    return jsonify(
        method=request.method,
        path=request.path,
        args=request.args.to_dict(),
        form=request.form.to_dict(),
        json=request.get_json(silent=True),
        host=request.host,
        url=request.url,
        content_length=request.content_length,
        header=request.headers.get("X-Header"),
        remote=request.remote_addr,
    )


@app.post("/upload")
def upload():
    return {
        name: {
            "filename": file.filename,
            "sha256": hashlib.sha256(file.read()).hexdigest(),
        }
        for name, file in request.files.items()
    }


@app.post("/raw")
def raw():
    digest, size = hashlib.sha256(), 0
    while block := request.stream.read(65536):
        digest.update(block)
        size += len(block)
    return jsonify(size=size, sha256=digest.hexdigest())


@app.get("/stream")
def stream():
    @stream_with_context
    def lines():
        for number in range(int(request.args.get("n", 3))):
            yield f"line {number}\n"

    return Response(lines(), mimetype="text/plain")


@app.get("/file")
def file():
    return send_file(io.BytesIO(FILE), mimetype="application/octet-stream", conditional=True,
                     download_name="file.bin", etag="fixed")  # fmt: skip


@app.get("/own-file")
def own_file():
    return send_file(__file__, mimetype="text/x-python", conditional=True)


@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.get("/cookies")
def cookies():
    response = Response("cookies")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.get("/redirect")
def away():
    return redirect(url_for("hello", name="again"))


@app.get("/teapot")
def teapot():
    abort(418)


@app.get("/empty")
def empty():
    response = Response(status=204)
    del response.headers["Content-Type"]  # wsgiref.validate rightly wants none where nothing is
    return response


@app.get("/fail")
def fail():
    raise RuntimeError("on purpose")


@app.get("/slow")
def slow():
    time.sleep(0.2)
    return "slow"
