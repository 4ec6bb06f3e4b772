"""A small Flask application, unmodified, for the tests of ``handmade serve``."""

import os
import time

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def hello():
    return "Hello, world!"


@app.get("/pid")
def pid():
    return str(os.getpid())


@app.get("/slow")
def slow():
    time.sleep(float(request.args["seconds"]))
    return "at last"


@app.get("/stream")
def stream():
    return Response((f"{n}\n" for n in range(5)), mimetype="text/plain")


@app.post("/length")
def length():
    return str(len(request.get_data()))


@app.get("/exit")
def leave():
    os._exit(int(request.args["status"]))
