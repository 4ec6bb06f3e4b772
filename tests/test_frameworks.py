"""Unmodified Flask and Django on our server: forms, uploads, files, streams, sessions, errors."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from wsgiref.validate import validator

import httpx
import pytest
from contracts.shells import serving
from test_oracles import curl

APPS = Path(__file__).parent / "apps"


class Sized:
    """wsgi.input with a size in every read.

    Werkzeug reads without one where ``wsgi.input_terminated`` is true, and PEP 3333 lets it; the
    validator is stricter.
    """

    def __init__(self, stream):
        self.stream = stream

    def read(self, size=-1):
        return self.stream.read(size)

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __iter__(self):
        return iter(self.stream)


def sized(app):
    def inner(environ, start_response):
        environ["wsgi.input"] = Sized(environ["wsgi.input"])
        return app(environ, start_response)

    return inner


@contextmanager
def client_of(app, shell, engine):
    """Serve ``app`` behind wsgiref.validate, and give a client of it."""
    with serving(validator(sized(app)), shell, engine) as (host, port):
        base = f"http://{host}:{port}"
        with httpx.Client(base_url=base, trust_env=False, timeout=20) as client:
            yield client


EVERYWHERE = [("threads", "http1"), ("threads", "h11"), ("one", "http1"), ("one", "h11")]
ids = "-".join


@pytest.fixture(scope="session")
def flask_application():
    sys.path.insert(0, str(APPS))
    yield importlib.import_module("flask_app")
    sys.path.remove(str(APPS))


@pytest.fixture(scope="module", params=EVERYWHERE, ids=ids)
def flask(request, flask_application):
    with client_of(flask_application.app, *request.param) as client:
        yield client


@pytest.fixture(scope="session")
def django_application(tmp_path_factory):
    """Migrate a database of its own, once, and load the project."""
    home = tmp_path_factory.mktemp("django")
    before = {name: os.environ.get(name) for name in ("DJANGO_APP_HOME", "DJANGO_SETTINGS_MODULE")}
    os.environ["DJANGO_APP_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_app.settings"
    sys.path.insert(0, str(APPS))
    from django.core.management import call_command

    wsgi = importlib.import_module("django_app.wsgi")
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield wsgi.application
    from django.db import connections

    connections.close_all()
    sys.path.remove(str(APPS))
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="module", params=EVERYWHERE, ids=ids)
def django(request, django_application):
    with client_of(django_application, *request.param) as client:
        yield client


# --- Flask ------------------------------------------------------------------------------------


def test_flask_answers_with_its_own_fields(flask):
    answer = flask.get("/")
    assert (answer.status_code, answer.text) == (200, "<h1>Flask</h1>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == "14"


def test_flask_decodes_path_and_query(flask):
    assert flask.get("/hello/caf%C3%A9%20au%20lait").text == "hello café au lait"
    assert flask.get("/hello/%E2%82%AC%2B").text == "hello €+"
    assert flask.get("/echo", params={"q": "a b&é"}).json()["args"] == {"q": "a b&é"}


def test_flask_knows_where_it_is_served(flask):
    answer = flask.get("/echo", headers={"X-Header": "yes"}).json()
    assert answer["url"] == f"{flask.base_url}/echo"
    assert answer["header"] == "yes"
    assert answer["remote"] == "127.0.0.1"


def test_flask_reads_forms_and_json(flask):
    assert flask.post("/echo", data={"a": "1", "b": "é"}).json()["form"] == {"a": "1", "b": "é"}
    assert flask.put("/echo", json={"a": [1]}).json()["json"] == {"a": [1]}
    assert flask.delete("/echo").json()["method"] == "DELETE"


@pytest.mark.parametrize("size", [0, 10_000, 3_000_000])
def test_flask_takes_uploads(flask, size):
    content = os.urandom(size)
    answer = flask.post("/upload", files={"one": ("ä.bin", content)}).json()
    assert answer["one"] == {"filename": "ä.bin", "sha256": hashlib.sha256(content).hexdigest()}


def test_flask_takes_a_chunked_upload(flask):
    parts = [os.urandom(10_000) for _ in range(20)]
    answer = flask.post("/raw", content=iter(parts)).json()
    wanted = {"size": 200_000, "sha256": hashlib.sha256(b"".join(parts)).hexdigest()}
    assert answer == wanted


def test_flask_streams(flask):
    with flask.stream("GET", "/stream", params={"n": 4}) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert list(answer.iter_lines()) == [f"line {number}" for number in range(4)]


def test_flask_sends_files_and_ranges(flask, flask_application):
    file = flask_application.FILE
    assert flask.get("/file").content == file
    answer = flask.get("/file", headers={"Range": "bytes=1000-1999"})
    assert (answer.status_code, answer.content) == (206, file[1000:2000])
    answer = flask.get("/file", headers={"Range": "bytes=99999999-"})
    assert answer.status_code == 416
    assert flask.head("/file").headers["content-length"] == str(len(file))


def test_flask_sends_a_file_from_disk_once(flask):
    answer = flask.get("/own-file")
    assert answer.content == (APPS / "flask_app.py").read_bytes()
    again = flask.get("/own-file", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_flask_keeps_a_session(flask):
    flask.cookies.clear()
    assert [flask.get("/count").text for _ in range(3)] == ["1", "2", "3"]


def test_flask_sets_two_cookies(flask):
    assert flask.get("/cookies").headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    flask.cookies.clear()


def test_flask_redirects(flask):
    answer = flask.get("/redirect")
    assert (answer.status_code, answer.headers["location"]) == (302, "/hello/again")
    assert flask.get("/redirect", follow_redirects=True).text == "hello again"


def test_flask_answers_errors(flask):
    assert flask.get("/nowhere").status_code == 404
    assert flask.post("/hello/x").status_code == 405
    assert flask.get("/teapot").status_code == 418
    assert "on purpose" not in flask.get("/fail").text
    assert flask.get("/fail").status_code == 500
    empty = flask.get("/empty")
    assert (empty.status_code, empty.content) == (204, b"")
    assert "content-length" not in empty.headers


def test_flask_serves_many_at_once(flask_application):
    with (
        client_of(flask_application.app, "threads", "http1") as client,
        ThreadPoolExecutor(16) as pool,
    ):
        answers = list(pool.map(lambda number: client.get(f"/hello/{number}").text, range(200)))
    assert answers == [f"hello {number}" for number in range(200)]


def test_flask_by_curl(flask, tmp_path):
    content = os.urandom(2_000_000)
    (tmp_path / "file.bin").write_bytes(content)
    upload = curl("-F", f"one=@{tmp_path / 'file.bin'}", f"{flask.base_url}/upload")
    assert hashlib.sha256(content).hexdigest().encode() in upload.stdout
    jar = str(tmp_path / "jar")
    for number in (b"1", b"2"):
        assert curl("-b", jar, "-c", jar, f"{flask.base_url}/count").stdout == number
    assert curl("-L", f"{flask.base_url}/redirect").stdout == b"hello again"


# --- Django -----------------------------------------------------------------------------------


def test_django_saves_a_form_that_has_its_token(django):
    page = django.get("/")
    assert page.status_code == 200
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[1]
    text = f"a note of {django.base_url} & é"
    answer = django.post("/", data={"text": text, "csrfmiddlewaretoken": token})
    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    assert text.replace("&", "&amp;") in django.get("/").text


def test_django_refuses_a_form_without_its_token(django):
    assert django.post("/", data={"text": "no token"}).status_code == 403
    assert "no token" not in django.get("/").text


def test_django_decodes_path_and_query(django):
    assert django.get("/hello/caf%C3%A9%20au%20lait").text == "hello café au lait"
    answer = django.get("/echo?q=a%20b%26%C3%A9", headers={"X-Header": "yes"}).json()
    assert answer["query"] == {"q": "a b&é"}
    assert answer["header"] == "yes"
    assert answer["uri"] == f"{django.base_url}/echo?q=a%20b%26%C3%A9"


def test_django_reads_a_body(django):
    assert django.put("/echo", content=b"x" * 100_000).json()["length"] == 100_000


@pytest.mark.parametrize(
    ("size", "kind"),
    [(10, "InMemoryUploadedFile"), (4_000_000, "TemporaryUploadedFile")],
)
def test_django_takes_uploads(django, size, kind):
    content = os.urandom(size)
    answer = django.post("/upload", files={"file": ("a.bin", content)}, data={"field": "é"})
    assert answer.json() == {
        "name": "a.bin",
        "size": size,
        "sha256": hashlib.sha256(content).hexdigest(),
        "kind": kind,
        "field": "é",
    }


def test_django_streams(django):
    with django.stream("GET", "/stream") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert answer.read() == b"line 0\nline 1\nline 2\n"


def test_django_sends_a_file(django):
    content = (APPS / "django_app" / "urls.py").read_bytes()
    answer = django.get("/file", headers={"Accept-Encoding": "identity"})
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert django.head("/file").content == b""


def test_django_compresses(django):
    answer = django.get("/long", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "a long text that can be compressed " * 1000


def test_django_keeps_a_session_in_its_database(django):
    django.cookies.clear()
    assert [django.get("/count").text for _ in range(3)] == ["1", "2", "3"]


def test_django_redirects(django):
    assert django.get("/redirect", follow_redirects=True).text == "hello again"


def test_django_answers_not_modified(django):
    answer = django.get("/hello/x")
    again = django.get("/hello/x", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_django_answers_errors_without_telling(django):
    assert django.get("/nowhere").status_code == 404
    assert django.get("/missing").status_code == 404
    assert django.get("/upload").status_code == 405
    answer = django.get("/fail")
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    assert django.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_django_serves_many_at_once(django_application):
    with (
        client_of(django_application, "threads", "http1") as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda number: client.get(f"/hello/{number}").text, range(100)))
    assert answers == [f"hello {number}" for number in range(100)]


def test_django_by_curl(django, tmp_path):
    content = os.urandom(4_000_000)
    (tmp_path / "file.bin").write_bytes(content)
    upload = curl("-F", f"file=@{tmp_path / 'file.bin'}", f"{django.base_url}/upload")
    assert hashlib.sha256(content).hexdigest().encode() in upload.stdout
    assert b"TemporaryUploadedFile" in upload.stdout
    assert curl("--compressed", f"{django.base_url}/long").stdout.startswith(b"a long text")


def test_django_passes_its_own_check_in_a_process_of_its_own(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "django", "check"],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "django_app.settings",
            "DJANGO_APP_HOME": str(tmp_path),
            "PYTHONPATH": str(APPS),
        },
    )
    assert done.returncode == 0, done.stderr
