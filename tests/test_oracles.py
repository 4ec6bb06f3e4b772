"""Clients that others wrote, against our servers: do they see what was meant?"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import shutil
import subprocess
import urllib.error
import urllib.request

import httpx
import pytest
from contracts.shells import ENGINES, serving

TEN_MEGABYTES = 10_000_000
BLOCK = 65536


def app(environ, start_response):
    """Answer what the clients ask for, by path."""
    path = environ["PATH_INFO"]
    if path == "/long":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return (b"%07d\n" % number * 1000 for number in range(TEN_MEGABYTES // 8000))
    if path == "/count":
        digest, size = hashlib.sha256(), 0
        while block := environ["wsgi.input"].read(BLOCK):
            digest.update(block)
            size += len(block)
        kind = environ.get("HTTP_TRANSFER_ENCODING", environ.get("CONTENT_LENGTH", ""))
        return _whole(start_response, f"{size} {digest.hexdigest()} {kind}".encode())
    if path == "/unread":
        return _whole(start_response, b"not read")
    if path == "/gzip":
        fields = [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")]
        return _whole(start_response, gzip.compress(b"compressed " * 1000), fields)
    if path == "/client":
        return _whole(start_response, environ["REMOTE_PORT"].encode())
    if path == "/cut":
        return _cut(start_response)
    if path in STATUSES:
        start_response(STATUSES[path], [("Location", "/client")] if path == "/301" else [])
        return [b"gone"] if path == "/404" else []
    return _whole(start_response, environ["REQUEST_METHOD"].encode())


STATUSES = {"/204": "204 No Content", "/304": "304 Not Modified", "/404": "404 Not Found",
            "/301": "301 Moved Permanently"}  # fmt: skip


def _whole(start_response, body, fields=(("Content-Type", "text/plain"),)):
    start_response("200 OK", list(fields))
    return [body]


def _cut(start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"some of it"
    raise RuntimeError("on purpose")


def counted(body, kind=""):
    return f"{len(body)} {hashlib.sha256(body).hexdigest()} {kind}"


@pytest.fixture(scope="module", params=ENGINES)
def address(request):
    with serving(app, "threads", request.param) as (host, port):
        yield host, port


@pytest.fixture
def url(address):
    return f"http://{address[0]}:{address[1]}"


@pytest.fixture(scope="module")
def long_body():
    return os.urandom(TEN_MEGABYTES)


LONG = b"".join(b"%07d\n" % number * 1000 for number in range(TEN_MEGABYTES // 8000))


# --- http.client and urllib -------------------------------------------------------------------


def test_http_client_reuses_one_connection(address):
    connection = http.client.HTTPConnection(*address, timeout=10)
    ports = []
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        connection.request(method, "/", body=b"hello" if method == "POST" else None)
        answer = connection.getresponse()
        assert answer.read() == (b"" if method == "HEAD" else method.encode())
        assert answer.headers["content-length"] == str(len(method))
        connection.request("GET", "/client")
        ports.append(connection.getresponse().read())
    assert len(set(ports)) == 1
    connection.close()


@pytest.mark.parametrize("path", ["/204", "/304"])
def test_http_client_goes_on_after_a_response_without_content(address, path):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (int(path[1:]), b"")
    connection.request("GET", "/404")
    assert connection.getresponse().read() == b"gone"
    connection.close()


def test_http_client_sends_chunks(address):
    connection = http.client.HTTPConnection(*address, timeout=10)
    parts = [b"x" * 5000, b"", b"y" * 70_000]
    connection.request("POST", "/count", body=iter(parts), encode_chunked=True)
    assert connection.getresponse().read().decode() == counted(b"".join(parts), "chunked")
    connection.close()


def test_http_client_notices_a_response_that_was_cut(address):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", "/cut")
    answer = connection.getresponse()
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    connection.close()


def test_urllib_reads_errors_and_follows_redirects(url):
    with pytest.raises(urllib.error.HTTPError) as info:
        urllib.request.urlopen(f"{url}/404", timeout=10)
    with info.value as error:
        assert (error.code, error.read()) == (404, b"gone")
    with urllib.request.urlopen(f"{url}/301", timeout=10) as answer:
        assert answer.url == f"{url}/client"
    with urllib.request.urlopen(f"{url}/count", data=b"a=b", timeout=10) as answer:
        assert answer.read().decode() == counted(b"a=b", "3")


# --- httpx ------------------------------------------------------------------------------------


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        yield client


def test_httpx_keeps_its_connection(client):
    assert len({client.get("/client").text for _ in range(20)}) == 1


def test_httpx_downloads_ten_megabytes(client):
    with client.stream("GET", "/long") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert b"".join(answer.iter_bytes()) == LONG


def test_httpx_uploads_ten_megabytes(client, long_body):
    answer = client.post("/count", content=long_body)
    assert answer.text == counted(long_body, str(TEN_MEGABYTES))


def test_httpx_uploads_ten_megabytes_in_chunks(client, long_body):
    parts = (long_body[start : start + 100_000] for start in range(0, TEN_MEGABYTES, 100_000))
    assert client.post("/count", content=parts).text == counted(long_body, "chunked")


def test_httpx_gets_an_answer_to_an_upload_that_nobody_reads(client, long_body):
    assert client.post("/unread", content=long_body).text == "not read"
    assert client.get("/").text == "GET"


def test_httpx_head_and_empty_answers(client):
    answer = client.head("/long")
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.get("/204").content == b""
    assert client.get("/").text == "GET"


def test_httpx_decompresses(client):
    assert client.get("/gzip").text == "compressed " * 1000


def test_httpx_notices_a_response_that_was_cut(client):
    with pytest.raises(httpx.TransportError):
        client.get("/cut")
    assert client.get("/").text == "GET"


# --- curl -------------------------------------------------------------------------------------


def curl(*arguments, stdin=b"", fails=False):
    """Run curl; skip where there is none."""
    if (program := shutil.which("curl")) is None:
        pytest.skip("curl is not installed: apt-get install curl (or brew install curl)")
    command = [program, "--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]
    done = subprocess.run([*command, *arguments], input=stdin, capture_output=True, timeout=30)
    assert bool(done.returncode) == fails, done.stderr
    return done


def test_curl_gets_and_sees_the_status_line(url):
    head, _, body = curl("--include", f"{url}/404").stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert body == b"gone"


def test_curl_head(url):
    came = curl("--head", f"{url}/").stdout
    assert came.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-length: 4\r\n" in came.lower()


def test_curl_reuses_its_connection(url):
    written = "%{num_connects} "
    came = curl("-w", written, f"{url}/204", f"{url}/", f"{url}/304", f"{url}/404").stdout
    assert came == b"1 GET0 0 gone0 "


def test_curl_speaks_http_1_0(url):
    came = curl("--http1.0", "--include", f"{url}/long").stdout
    head, _, body = came.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == LONG


def test_curl_waits_for_100_before_a_big_upload(url, long_body, tmp_path):
    (tmp_path / "body").write_bytes(long_body)
    upload = ["-T", str(tmp_path / "body"), "-H", "Expect: 100-continue"]
    # Far longer than --max-time: curl would not send the body unasked.
    done = curl("--verbose", "--expect100-timeout", "60", *upload, f"{url}/count")
    assert b"HTTP/1.1 100 Continue" in done.stderr
    assert done.stdout.decode() == counted(long_body, str(TEN_MEGABYTES))


def test_curl_is_spared_an_upload_that_nobody_reads(url, long_body, tmp_path):
    (tmp_path / "body").write_bytes(long_body)
    upload = ["-T", str(tmp_path / "body"), "-H", "Expect: 100-continue"]
    done = curl("--verbose", "-w", " %{size_upload}", "--expect100-timeout", "60", *upload,
                f"{url}/unread")  # fmt: skip
    assert b"100 Continue" not in done.stderr
    assert done.stdout == b"not read 0"


def test_curl_uploads_chunks_from_a_pipe(url, long_body):
    done = curl("-T", "-", f"{url}/count", stdin=long_body)
    assert done.stdout.decode() == counted(long_body, "chunked")


def test_curl_decompresses(url):
    assert curl("--compressed", f"{url}/gzip").stdout == b"compressed " * 1000


def test_curl_notices_a_response_that_was_cut(url):
    assert curl(f"{url}/cut", fails=True).returncode in (18, 56)


def test_curl_encodes_nothing_twice(url):
    assert curl("--path-as-is", f"{url}/../%2e%2e/").stdout == b"GET"


def test_curl_posts_a_form(url):
    came = curl("--data", "a=b&c=d", f"{url}/count").stdout.decode()
    assert came == counted(b"a=b&c=d", "7")
