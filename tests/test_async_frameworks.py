"""Unmodified Starlette, Quart, Django and FastAPI, by httpx and curl, on our ASGI servers."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import importlib
import logging
import os
import re
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from contracts.async_shells import Ours, WsgiOnOurs, serving
from test_oracles import curl

from handmade.wsgi_in_asgi import WsgiInAsgi
from workbench.contracts import find
from workbench.contracts.wire import Wire, request

APPS = Path(__file__).parent / "apps"
PATIENCE = 20.0
EVERYWHERE = [("asyncio", "http1"), ("asyncio", "h11")]
ids = "-".join
# Frameworks leave a temporary file to the garbage collector now and then.
UNCLOSED = "ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning"
pytestmark = pytest.mark.filterwarnings(UNCLOSED)


@contextmanager
def client_of(app, shell="asyncio", engine="http1", **how):
    """Serve ``app``, and give a client of it."""
    with serving(app, shell, engine, **how) as server:
        base = "http://{}:{}".format(*server.address)
        with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE) as client:
            yield client


@pytest.fixture(scope="session", autouse=True)
def applications():
    sys.path.insert(0, str(APPS))
    yield
    sys.path.remove(str(APPS))


@pytest.fixture(scope="module", autouse=True)
def tidy():
    """Let the garbage be collected while its warnings are ignored, and not in somebody's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def module_of(name):
    return importlib.import_module(name)


@pytest.fixture(scope="module", params=[*EVERYWHERE, ("loop", "http1")], ids=ids)
def starlette(request):
    with client_of(module_of("starlette_app").app, *request.param) as client:
        client.shell = request.param[0]
        yield client


@pytest.fixture(scope="module", params=[*EVERYWHERE, ("loop", "http1")], ids=ids)
def fastapi(request):
    with client_of(module_of("fastapi_app").app, *request.param) as client:
        client.shell = request.param[0]
        yield client


@pytest.fixture(scope="module", params=EVERYWHERE, ids=ids)
def quart(request):
    with client_of(module_of("quart_app").app, *request.param) as client:
        yield client


@pytest.fixture(scope="session")
def django_application(tmp_path_factory):
    """Migrate a database of its own, once, and load the project."""
    home = tmp_path_factory.mktemp("django-asgi")
    before = {name: os.environ.get(name) for name in ("DJANGO_APP_HOME", "DJANGO_SETTINGS_MODULE")}
    os.environ["DJANGO_APP_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_app.settings"
    from django.core.management import call_command

    asgi = importlib.import_module("django_app.asgi")
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield asgi.application
    from django.db import connections

    connections.close_all()
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="module", params=EVERYWHERE, ids=ids)
def django(request, django_application):
    with client_of(django_application, *request.param) as client:
        yield client


def comes(condition, what):
    """Wait for what comes behind an answer."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what}"
        threading.Event().wait(0.005)


def needs_asyncio(client):
    """Leave a test out where the framework calls for asyncio: see the end of this file."""
    if client.shell == "loop":
        pytest.skip(
            "this part of the framework needs asyncio: test_on_the_loop_by_hand_... says how"
        )


# --- Starlette --------------------------------------------------------------------------------


def test_starlette_answers(starlette):
    answer = starlette.get("/")
    assert (answer.status_code, answer.text) == (200, "Starlette")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "9"
    assert starlette.head("/").headers["content-length"] == "9"


def test_starlette_decodes_path_and_query(starlette):
    assert starlette.get("/hello/caf%C3%A9%20au%20lait").text == "hello café au lait"
    facts = starlette.get("/echo?q=a%20b%26%C3%A9", headers={"X-Header": "yes"}).json()
    assert facts["query"] == {"q": "a b&é"}
    assert (facts["header"], facts["client"]) == ("yes", "127.0.0.1")
    assert facts["url"] == f"{starlette.base_url}/echo?q=a%20b%26%C3%A9"
    assert starlette.put("/echo").json()["method"] == "PUT"


def test_starlette_started_up(starlette):
    assert starlette.get("/log").json()[0] == "started"
    assert starlette.get("/echo").json()["greeting"] == "hello from the start-up"


def test_starlette_reads_forms_and_json(starlette):
    assert starlette.post("/form", data={"a": "1", "b": "é"}).json() == {"a": "1", "b": "é"}
    assert starlette.post("/json", json={"a": [1]}).json() == {"a": [1]}


@pytest.mark.parametrize("size", [0, 10_000, 3_000_000])
def test_starlette_takes_uploads(starlette, size):
    if size > 1 << 20:
        needs_asyncio(starlette)  # a long file is spooled to the disk, in a thread
    content = os.urandom(size)
    answer = starlette.post("/upload", files={"file": ("ä.bin", content)}).json()
    assert answer == {
        "name": "ä.bin",
        "size": size,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_starlette_takes_a_chunked_upload(starlette):
    parts = [os.urandom(100_000) for _ in range(30)]
    answer = starlette.post("/raw", content=iter(parts)).text
    assert answer == hashlib.sha256(b"".join(parts)).hexdigest()


def test_starlette_streams(starlette):
    with starlette.stream("GET", "/stream", params={"n": 4}) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert list(answer.iter_lines()) == [f"line {number}" for number in range(4)]


def test_starlette_streams_that_break_are_seen_to(starlette):
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        starlette.get("/broken-stream")


def test_starlette_works_in_the_background(starlette):
    def times():
        return starlette.get("/log").json().count("in the background")

    before = times()
    assert starlette.get("/background").text == "soon"
    comes(lambda: times() > before, "the work in the background")


def test_starlette_sets_and_gets_cookies(starlette):
    answer = starlette.get("/cookies")
    assert [c.partition(";")[0] for c in answer.headers.get_list("set-cookie")] == ["a=1", "b=2"]
    assert starlette.get("/echo").json()["cookies"] == {"a": "1", "b": "2"}
    starlette.cookies.clear()


def test_starlette_redirects_and_answers_nothing(starlette):
    assert starlette.get("/redirect", follow_redirects=True).text == "hello again"
    answer = starlette.get("/empty")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers


def test_starlette_answers_errors(starlette):
    assert starlette.get("/nowhere").status_code == 404
    assert starlette.post("/hello/x").status_code == 405
    assert starlette.get("/teapot").text == "short and stout"
    answer = starlette.get("/fail")
    assert (answer.status_code, "swordfish" in answer.text) == (500, False)


def test_starlette_runs_functions_in_threads(starlette):
    needs_asyncio(starlette)
    assert starlette.get("/sync").text == "from a thread"


def test_starlette_sends_files(starlette):
    needs_asyncio(starlette)
    file = (APPS / "starlette_app.py").read_bytes()
    answer = starlette.get("/file")
    assert answer.content == file
    assert starlette.head("/file").headers["content-length"] == str(len(file))
    part = starlette.get("/file", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, file[10:20])
    answer = starlette.get("/static/models.py")
    assert answer.content == (APPS / "django_app" / "models.py").read_bytes()
    again = starlette.get("/static/models.py", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert starlette.get("/static/../flask_app.py").status_code == 404


def test_starlette_wraps_with_middleware(starlette):
    needs_asyncio(starlette)
    assert starlette.get("/wrapped/").headers["x-middleware"] == "/wrapped/"
    answer = starlette.get("/wrapped/stream")
    assert (answer.text, answer.headers["x-middleware"]) == (
        "line 0\nline 1\nline 2\n",
        "/wrapped/stream",
    )
    content = os.urandom(300_000)
    answer = starlette.post("/wrapped/raw", content=content)
    assert answer.text == hashlib.sha256(content).hexdigest()


def test_starlette_serves_many_at_once(starlette):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: starlette.get(f"/hello/{number}").text, range(100)))
    assert answers == [f"hello {number}" for number in range(100)]


def test_starlette_by_curl(starlette, tmp_path):
    content = os.urandom(500_000)
    (tmp_path / "file.bin").write_bytes(content)
    upload = curl("-F", f"file=@{tmp_path / 'file.bin'}", f"{starlette.base_url}/upload")
    assert hashlib.sha256(content).hexdigest().encode() in upload.stdout
    assert curl("-L", f"{starlette.base_url}/redirect").stdout == b"hello again"
    assert curl("-N", f"{starlette.base_url}/stream?n=2").stdout == b"line 0\nline 1\n"
    raw = curl("--data-binary", f"@{tmp_path / 'file.bin'}", "-H", "Expect: 100-continue",
               f"{starlette.base_url}/raw")  # fmt: skip
    assert raw.stdout.decode() == hashlib.sha256(content).hexdigest()


def test_starlette_shuts_down():
    module = module_of("starlette_app")
    before = module.LOG.count("stopped")
    with client_of(module.app) as client:
        client.get("/")
        assert module.LOG.count("stopped") == before
    assert module.LOG.count("stopped") == before + 1


# --- FastAPI ----------------------------------------------------------------------------------


def test_fastapi_answers(fastapi):
    assert fastapi.get("/").json() == {"hello": "FastAPI"}
    assert fastapi.get("/items/7?q=x").json() == {"number": 7, "q": "x"}


def test_fastapi_validates(fastapi):
    answer = fastapi.get("/items/seven")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["path", "number"]
    assert fastapi.post("/posts", json={"text": "x" * 21}).status_code == 422
    answer = fastapi.post("/posts", json={"text": "hi"})
    assert (answer.status_code, answer.json()) == (201, {"text": "HI", "stars": 1})
    assert fastapi.get("/openapi.json").json()["info"]["title"] == "FastAPI"


def test_fastapi_opens_and_closes_dependencies(fastapi):
    needs_asyncio(fastapi)
    for path, status in (("/database", 200), ("/broken-database", 409)):
        log = fastapi.get("/log").json()
        assert fastapi.get(path).status_code == status
        wanted = ["opened", "used", "closed"] if status == 200 else ["opened", "closed"]
        comes(lambda: fastapi.get("/log").json()[len(log) :] == wanted, "the closing")  # noqa: B023


def test_fastapi_has_its_lifespan_and_state(fastapi):
    assert fastapi.get("/log").json()[0] == "started"
    assert fastapi.get("/state").json() == "hello from the start-up"


def test_fastapi_streams(fastapi):
    assert fastapi.get("/stream").text == "line 0\nline 1\nline 2\n"


def test_fastapi_answers_errors(fastapi):
    answer = fastapi.get("/fail")
    assert (answer.status_code, "swordfish" in answer.text) == (500, False)
    assert fastapi.get("/nowhere").json() == {"detail": "Not Found"}


def test_fastapi_takes_a_form_with_a_file(fastapi):
    form = {"data": {"name": "é"}, "files": {"file": b"x" * 100_000}}
    assert fastapi.post("/form", **form).json() == {"name": "é", "size": 100_000}


def test_fastapi_runs_functions_in_threads(fastapi):
    needs_asyncio(fastapi)
    assert fastapi.get("/sync").json() == "from a thread"
    assert fastapi.get("/sync-database").json() == "a database in a thread"
    wanted = ["opened in a thread", "closed in a thread"]
    comes(lambda: fastapi.get("/log").json()[-2:] == wanted, "the closing, behind the answer")


def test_fastapi_by_curl(fastapi):
    json = ["-H", "Content-Type: application/json", "-d", '{"text": "by curl"}']
    assert curl(*json, f"{fastapi.base_url}/posts").stdout == b'{"text":"BY CURL","stars":1}'


# --- Quart ------------------------------------------------------------------------------------


def test_quart_answers(quart):
    answer = quart.get("/")
    assert (answer.status_code, answer.text) == (200, "<h1>Quart</h1>")
    assert quart.get("/sync").text == "from a thread"
    assert quart.get("/hello/caf%C3%A9").text == "hello café"


def test_quart_knows_the_request(quart):
    facts = quart.get("/echo?q=a%20b%26%C3%A9", headers={"X-Header": "yes"}).json()
    assert facts["query"] == {"q": "a b&é"}
    assert (facts["header"], facts["client"]) == ("yes", "127.0.0.1")
    assert facts["url"].startswith(f"{quart.base_url}/echo?q=")
    assert facts["greeting"] == "hello from the start-up"


def test_quart_reads_forms_and_uploads(quart):
    assert quart.post("/form", data={"a": "1", "b": "é"}).json() == {"a": "1", "b": "é"}
    for size in (10, 3_000_000):
        content = os.urandom(size)
        answer = quart.post("/upload", files={"file": ("a.bin", content)}).json()
        assert answer["sha256"] == hashlib.sha256(content).hexdigest()
    parts = [os.urandom(100_000) for _ in range(20)]
    answer = quart.post("/raw", content=iter(parts)).text
    assert answer == hashlib.sha256(b"".join(parts)).hexdigest()


def test_quart_streams(quart):
    with quart.stream("GET", "/stream") as answer:
        assert list(answer.iter_lines()) == ["line 0", "line 1", "line 2"]


def test_quart_keeps_a_session_and_redirects(quart):
    quart.cookies.clear()
    assert [quart.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    assert quart.get("/redirect", follow_redirects=True).text == "hello again"


def test_quart_works_in_the_background(quart):
    assert quart.get("/background").text == "soon"
    comes(lambda: "in the background" in quart.get("/log").json(), "the work in the background")


def test_quart_answers_errors(quart):
    assert quart.get("/nowhere").status_code == 404
    assert quart.get("/teapot").status_code == 418
    answer = quart.get("/fail")
    assert (answer.status_code, "swordfish" in answer.text) == (500, False)


def test_quart_starts_up_and_shuts_down():
    module = module_of("quart_app")
    counts = module.LOG.count("started"), module.LOG.count("stopped")
    with client_of(module.app) as client:
        client.get("/")
    assert (module.LOG.count("started"), module.LOG.count("stopped")) == (
        counts[0] + 1,
        counts[1] + 1,
    )


def test_quart_by_curl(quart, tmp_path):
    content = os.urandom(500_000)
    (tmp_path / "file.bin").write_bytes(content)
    upload = curl("-F", f"file=@{tmp_path / 'file.bin'}", f"{quart.base_url}/upload")
    assert hashlib.sha256(content).hexdigest().encode() in upload.stdout


# --- Django -----------------------------------------------------------------------------------

SYNC_IN_ASYNC = pytest.mark.filterwarnings(
    "ignore:StreamingHttpResponse must consume synchronous iterators"
)


def test_django_saves_a_form_that_has_its_token(django):
    page = django.get("/")
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
    text = f"a note of {django.base_url} & é"
    answer = django.post("/", data={"text": text, "csrfmiddlewaretoken": token})
    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    assert text.replace("&", "&amp;") in django.get("/").text
    assert django.post("/", data={"text": "no token"}).status_code == 403


def test_django_runs_async_views_on_sqlite(django):
    text = f"by {django.base_url}"
    assert django.post("/async/notes", data={"text": text}).status_code == 201
    assert text in django.get("/async/notes").json()["notes"]
    assert django.get("/async/hello/caf%C3%A9").text == "hello café, asynchronously"


def test_django_knows_the_request(django):
    answer = django.get("/echo?q=a%20b%26%C3%A9", headers={"X-Header": "yes"}).json()
    assert (answer["query"], answer["header"]) == ({"q": "a b&é"}, "yes")
    assert answer["uri"] == f"{django.base_url}/echo?q=a%20b%26%C3%A9"
    assert django.put("/echo", content=b"x" * 100_000).json()["length"] == 100_000


@pytest.mark.parametrize("path", ["/upload", "/async/upload"])
def test_django_takes_uploads(django, path):
    for size in (10, 4_000_000):
        content = os.urandom(size)
        answer = django.post(path, files={"file": ("a.bin", content)}, data={"field": "é"}).json()
        assert answer["sha256"] == hashlib.sha256(content).hexdigest()


@SYNC_IN_ASYNC
def test_django_streams(django):
    for path, name in (("/stream", "line"), ("/async/stream", "line")):
        answer = django.get(path, headers={"Accept-Encoding": "identity"})
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.text == "".join(f"{name} {number}\n" for number in range(3))


def test_django_cancels_a_view_whose_client_has_left(django):
    address = (django.base_url.host, django.base_url.port)
    with Wire(address, PATIENCE) as wire:
        wire.send(b"GET /async/endless HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wire.until(b"tick", "the beginning of an endless stream")
        wire.reset()

    def stands_still():
        before = django.get("/async/ticks").text
        threading.Event().wait(0.05)  # fifty ticks
        return django.get("/async/ticks").text == before

    comes(stands_still, "the end of the stream")


def test_django_keeps_sessions_and_cookies(django):
    django.cookies.clear()
    assert [django.get("/count").text for _ in range(3)] == ["1", "2", "3"]
    cookies = django.get("/async/cookies").headers.get_list("set-cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]
    django.cookies.clear()


@SYNC_IN_ASYNC
def test_django_sends_files(django):
    identity = {"Accept-Encoding": "identity"}
    content = (APPS / "django_app" / "urls.py").read_bytes()
    assert django.get("/file", headers=identity).content == content
    answer = django.get("/static/models.py", headers=identity)
    assert answer.content == (APPS / "django_app" / "models.py").read_bytes()
    assert django.get("/long", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"]


def test_django_answers_errors_without_telling(django):
    assert django.get("/nowhere").status_code == 404
    assert django.get("/missing").status_code == 404
    assert django.get("/upload").status_code == 405
    for path in ("/fail", "/async/fail"):
        answer = django.get(path)
        assert (answer.status_code, "swordfish" in answer.text) == (500, False)
    assert django.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_django_serves_many_at_once(django):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: django.get(f"/async/hello/{n}").text, range(60)))
    assert answers == [f"hello {number}, asynchronously" for number in range(60)]


def test_django_by_curl(django, tmp_path):
    content = os.urandom(4_000_000)
    (tmp_path / "file.bin").write_bytes(content)
    upload = curl("-F", f"file=@{tmp_path / 'file.bin'}", f"{django.base_url}/upload")
    assert hashlib.sha256(content).hexdigest().encode() in upload.stdout
    assert curl("--compressed", f"{django.base_url}/long").stdout.startswith(b"a long text")


# --- On the loop by hand: what needs asyncio says so -------------------------------------------

NO_LOOP = "no (running|current) event loop|unknown async library|NoEventLoopError"


@contextmanager
def on_the_loop(app, caplog):
    with caplog.at_level(logging.INFO, "handmade"), client_of(app, "loop") as client:
        yield client


def told_why(client, path, caplog):
    """Demand a 500, and one entry in the log with the reason."""
    caplog.clear()
    answer = client.get(path)
    assert answer.status_code == 500
    assert "event loop" not in answer.text
    # Frameworks answer first, and let the error go on then: the log may come behind the answer.
    comes(lambda: re.search(NO_LOOP, caplog.text), "the reason in the log")
    assert sum(record.levelno >= logging.ERROR for record in caplog.records) == 1


@pytest.mark.parametrize("path", ["/sync", "/file", "/static/models.py", "/wrapped/"])
def test_on_the_loop_by_hand_starlette_needs_asyncio_for_threads_and_groups(path, caplog):
    with on_the_loop(module_of("starlette_app").app, caplog) as client:
        assert client.get("/").text == "Starlette"
        told_why(client, path, caplog)


def test_on_the_loop_by_hand_fastapi_needs_asyncio_for_threads_and_scopes(caplog):
    with on_the_loop(module_of("fastapi_app").app, caplog) as client:
        for path in ("/sync", "/sync-database", "/database"):
            told_why(client, path, caplog)


def test_on_the_loop_by_hand_quart_needs_asyncio(caplog):
    with on_the_loop(module_of("quart_app").app, caplog) as client:
        told_why(client, "/", caplog)
    assert "the application failed to shut down: " in caplog.text


@pytest.mark.filterwarnings("ignore:.*SyncToAsync.__call__. was never awaited")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_on_the_loop_by_hand_django_needs_asyncio(django_application, caplog):
    with on_the_loop(django_application, caplog) as client:
        told_why(client, "/async/hello/x", caplog)
        told_why(client, "/hello/x", caplog)


# --- asgiref: what the authors of the specification made ---------------------------------------


def flask_like(environ, start_response):
    body = environ["wsgi.input"].read() or environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]


def test_asgiref_wsgi_to_asgi_runs_on_our_server():
    from asgiref.wsgi import WsgiToAsgi

    with client_of(WsgiToAsgi(flask_like)) as client:
        assert client.get("/a%20b").text == "/a b"
        content = os.urandom(500_000)
        assert client.post("/", content=content).content == content
        assert client.get("/").headers["transfer-encoding"] == "chunked"


def test_asgiref_wsgi_to_asgi_keeps_what_it_can_of_the_contract():
    """The same cases that our adapter keeps: so it is not only ours that our server serves well."""
    from asgiref.wsgi import WsgiToAsgi

    server = WsgiOnOurs("asyncio", "http1", adapter=WsgiToAsgi)
    for name in ("one answer", "read()", "long upload", "each block at once", "many fields",
                 "PATH_INFO is decoded", "HEAD", "204 and 304", "in turn"):  # fmt: skip
        find("server", name).run(server)


def test_an_application_of_asgi_2_runs_by_asgirefs_adapter():
    from asgiref.compatibility import guarantee_single_callable

    class Old:
        def __init__(self, scope):
            self.scope = scope

        async def __call__(self, receive, send):
            await receive()
            await send({"type": "http.response.start", "status": 200})
            body = self.scope["path"].encode()
            await send({"type": "http.response.body", "body": body})

    with client_of(guarantee_single_callable(Old), lifespan="off") as client:
        assert client.get("/old").text == "/old"


def test_our_adapter_under_asgirefs_communicator():
    """The tester that asgiref gives to authors of applications takes our adapter for one."""
    from asgiref.testing import ApplicationCommunicator

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/a b", "raw_path": b"/a%20b", "query_string": b"", "headers": [],
        "root_path": "", "client": None, "server": None,
    }  # fmt: skip

    async def talk():
        communicator = ApplicationCommunicator(WsgiInAsgi(flask_like), scope)
        await communicator.send_input({"type": "http.request", "body": b"he", "more_body": True})
        await communicator.send_input({"type": "http.request", "body": b"llo"})
        start = await communicator.receive_output(PATIENCE)
        body = await communicator.receive_output(PATIENCE)
        assert await communicator.receive_nothing()
        await communicator.wait(PATIENCE)
        return start, body

    start, body = asyncio.run(talk())
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert (b"content-length", b"5") in start["headers"]
    assert body == {"type": "http.response.body", "body": b"hello", "more_body": False}


def test_our_adapter_under_httpx():
    """httpx calls an ASGI application without any server: raw_path is there, root_path empty."""

    async def talk():
        transport = httpx.ASGITransport(WsgiInAsgi(flask_like))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.get("/a%20b")).text, (await client.post("/", content="x")).text]

    assert asyncio.run(talk()) == ["/a b", "x"]


def test_the_contract_on_uvloop_and_asyncio_is_the_same_server():
    """A glance that the parametrized servers are what they say: their loops differ."""
    seen = {}

    async def app(scope, receive, send):
        if scope["type"] == "http":
            seen[shell] = type(asyncio.get_running_loop()).__module__
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    for shell in ("asyncio", "uvloop"):
        with Ours(shell, "http1").serve(app) as address, Wire(address) as wire:
            wire.send(request()).response()
    assert seen == {"asyncio": "asyncio.unix_events", "uvloop": "uvloop"}
