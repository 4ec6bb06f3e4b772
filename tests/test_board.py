"""The running example: does the board keep its promises, on our servers and on others?"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator

import httpx
import pytest
from contracts.shells import serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from workbench.audience import HANDSHAKE
from workbench.board import asgi, wsgi
from workbench.board.live import BATCH, BEHIND, PRESENCE
from workbench.board.page import event, page
from workbench.board.store import Board, Post
from workbench.board.upstream import upstream
from workbench.board.work import burn
from workbench.board.wsgi import make_app
from workbench.running import running


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


@contextmanager
def wsgiref_serving(app):
    """Serve by the standard library, whose wsgi.input does not end with the body."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address
        finally:
            server.shutdown()
            thread.join(5)


@pytest.fixture(scope="module")
def slow_service():
    with upstream(wait=0.05) as url:
        yield url


@contextmanager
def asgi_serving(app, engine):
    with running(app, engine=engine) as server:
        yield server.address


@contextmanager
def uvicorn_serving(app):
    """Serve by another ASGI server, which has an opinion of its own."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        how = {"sockets": [listener]}
        thread = threading.Thread(target=server.run, kwargs=how, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(10)


FORMS = ["one", "threads", "wsgiref", "asyncio", "asyncio h11", "uvicorn"]


@contextmanager
def board_serving(how, upstream_url):
    """Serve the board in the form that a server takes; WSGI is validated."""
    if how in ("one", "threads", "wsgiref"):
        app = make_app(upstream_url)
        checked = validator(app)
        with wsgiref_serving(checked) if how == "wsgiref" else serving(checked, how) as address:
            yield address
        app.close()
        return
    app, engine = asgi.make_app(upstream_url), "h11" if how.endswith("h11") else "handmade"
    with uvicorn_serving(app) if how == "uvicorn" else asgi_serving(app, engine) as address:
        yield address


@pytest.fixture(params=FORMS)
def client(request, slow_service):
    """A client of the board in both forms, on our shells and on others."""
    with board_serving(request.param, slow_service) as (host, port):
        base = f"http://{host}:{port}"
        with httpx.Client(base_url=base, trust_env=False, timeout=20) as client:
            yield client


def test_an_empty_page(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")
    assert "<li>" not in answer.text


def test_a_form_is_posted_and_the_page_shown_again(client):
    answer = client.post("/posts", data={"author": "Ada", "text": "1 < 2 & ü"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert "<b>Ada</b> 1 &lt; 2 &amp; ü" in client.get("/").text


def test_json_is_posted_and_listed(client):
    for number in (1, 2):
        answer = client.post("/posts", json={"author": "Ada", "text": f"post {number}"})
        assert answer.status_code == 201
        assert answer.json() == {"number": number, "author": "Ada", "text": f"post {number}"}
    assert [post["text"] for post in client.get("/posts").json()] == ["post 1", "post 2"]


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"json": {"author": "Ada"}}, 400),
        ({"json": ["no", "object"]}, 400),
        ({"json": {"text": "x" * 501}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"\xff=\xff", "headers": {"Content-Type": "text/plain"}}, 400),
        ({"data": {}}, 400),
        ({"content": b"x" * 70_000}, 413),
    ],
    ids=["no text", "no object", "too long", "no JSON", "no UTF-8", "nothing", "too much"],
)
def test_a_bad_post_is_refused_with_a_sentence(client, how, status):
    answer = client.post("/posts", **how)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert client.get("/posts").json() == []


def test_no_such_route_and_no_such_method(client):
    assert client.get("/nowhere").status_code == 404
    answer = client.delete("/posts")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_head_of_the_page(client):
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(client.get("/").content)


def test_slow_waits_for_the_upstream(client):
    began = time.monotonic()
    assert client.get("/slow?wait=0.1").json() == {"waited": 0.1}
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize("query", ["wait=never", "wait=-1", "wait=nan", "wait=1e9"])
def test_a_wait_that_is_no_number_is_refused(client, query):
    assert client.get(f"/slow?{query}").status_code == 400


@contextmanager
def served(interface, upstream_url="", board=None):
    """Serve the board in one of its forms."""
    if interface == "asgi":
        with running(asgi.make_app(upstream_url, board)) as server:
            yield server.address
        return
    app = make_app(upstream_url, board)
    with serving(validator(app)) as address:
        yield address
    app.close()


both_forms = pytest.mark.parametrize("interface", ["wsgi", "asgi"])


@both_forms
def test_slow_without_an_upstream_says_so(interface):
    with served(interface) as (host, port):
        answer = httpx.get(f"http://{host}:{port}/slow", trust_env=False)
    assert answer.status_code == 503
    assert "without an upstream" in answer.json()["error"]


def test_a_server_without_lifespan_is_told_why_slow_does_not_work():
    with running(asgi.make_app("http://127.0.0.1:1"), lifespan="off") as server:
        answer = server.get("/slow")
    assert (answer.status_code, "state" in answer.json()["error"]) == (503, True)


def test_cpu_burns_at_least_what_was_asked(client):
    before = time.process_time()
    answer = client.get("/cpu?ms=30").json()
    assert answer["ms"] == 30
    assert answer["rounds"] > 10
    assert time.process_time() - before >= 0.03


def test_an_upload_is_counted_block_by_block(client):
    body = os.urandom(1_000_003)
    wanted = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert client.post("/upload", content=body).json() == wanted
    assert client.put("/upload", content=b"").json()["bytes"] == 0


@both_forms
def test_a_chunked_upload_is_counted(interface):
    parts = [os.urandom(10_000) for _ in range(30)]
    with served(interface) as (host, port):
        answer = httpx.post(f"http://{host}:{port}/upload", content=iter(parts), trust_env=False)
    wanted = {"bytes": 300_000, "sha256": hashlib.sha256(b"".join(parts)).hexdigest()}
    assert answer.json() == wanted


def test_an_upload_that_breaks_off_is_no_failure_of_the_board():
    with running(asgi.make_app()) as server:
        with socket.create_connection(server.address, timeout=10) as client:
            client.sendall(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
        assert server.get("/posts").json() == []
    assert [line for line in server.log if "Traceback" in line] == []


def test_a_stream_of_lines(client):
    assert client.get("/stream?n=3").text == "line 1 of 3\nline 2 of 3\nline 3 of 3\n"
    assert client.get("/stream?n=0").text == ""
    assert len(client.get("/stream?n=2000").text.splitlines()) == 2000


def test_a_failure_before_the_first_byte(client, capsys):
    assert client.get("/fail").status_code == 500


@both_forms
def test_a_failure_after_the_first_byte_is_no_complete_answer(interface):
    with served(interface) as (host, port), pytest.raises(httpx.TransportError):
        httpx.get(f"http://{host}:{port}/fail?after=1", trust_env=False)


# --- The feed ---------------------------------------------------------------------------------


def events_of(lines, count):
    """Read ``count`` events of a feed; give their ids."""
    ids = []
    for line in lines:
        if line.startswith("id: "):
            ids.append(int(line[4:]))
        if line == "" and len(ids) == count:
            return ids
    raise AssertionError(f"the feed ended after {ids}")


@both_forms
def test_a_feed_gives_old_posts_and_new_ones_and_ends_with_its_reader(interface):
    board = Board()
    board.add("Ada", "before")
    with served(interface, board=board) as (host, port):
        base = f"http://{host}:{port}"
        with httpx.Client(base_url=base, trust_env=False, timeout=10) as client:
            with client.stream("GET", "/feed") as answer:
                assert answer.headers["content-type"] == "text/event-stream"
                lines = answer.iter_lines()
                assert events_of(lines, 1) == [1]
                client.post("/posts", json={"text": "while it is read"})
                assert events_of(lines, 1) == [2]
                assert board.listeners == 1
            with client.stream("GET", "/feed", headers={"Last-Event-ID": "1"}) as answer:
                assert events_of(answer.iter_lines(), 1) == [2]
            deadline = time.monotonic() + 10
            while board.listeners and time.monotonic() < deadline:
                if interface == "wsgi":  # which finds out only when it sends
                    board.add("Ada", "does anybody listen?")
        assert board.listeners == 0


def test_two_hundred_readers_of_a_feed_hold_one_thread():
    board = Board()
    with running(asgi.make_app(board=board)) as server:
        threads = threading.active_count()
        feeds = [socket.create_connection(server.address, timeout=10) for _ in range(200)]
        for feed in feeds:
            feed.sendall(b"GET /feed HTTP/1.1\r\nHost: test\r\n\r\n")
        for feed in feeds:
            assert _until(feed, b"welcome")
        assert threading.active_count() == threads
        board.add("Ada", "from another thread")
        for feed in feeds:
            assert _until(feed, b"from another thread")
            feed.close()


def test_each_reader_of_a_feed_holds_a_thread():
    board = Board()
    app = make_app(board=board)
    with serving(app, "threads") as (host, port):
        address = f"http://{host}:{port}"
        feeds = [socket.create_connection((host, port), timeout=10) for _ in range(8)]
        for feed in feeds:
            feed.sendall(b"GET /feed HTTP/1.1\r\nHost: test\r\n\r\n")
            assert _until(feed, b"welcome")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{address}/posts", timeout=0.2, trust_env=False)
        for feed in feeds:
            feed.close()
        deadline = time.monotonic() + 10
        while board.listeners and time.monotonic() < deadline:
            board.add("Ada", "does anybody listen?")
        assert httpx.get(f"{address}/posts", trust_env=False).status_code == 200
    app.close()


def _until(sock, wanted):
    """Read from a socket until ``wanted`` has come."""
    came = b""
    while wanted not in came:
        data = sock.recv(65536)
        assert data, f"the connection ended after {came!r}"
        came += data
    return True


# --- The feed over WebSocket ------------------------------------------------------------------


@contextmanager
def live_serving(how, board):
    """Serve the board on a server that speaks WebSocket."""
    if how == "uvicorn":
        with uvicorn_serving(asgi.make_app(board=board)) as (host, port):
            yield f"ws://{host}:{port}"
    else:
        with running(asgi.make_app(board=board)) as server:
            yield f"ws://{server.host}:{server.port}"


def news(reader, wanted):
    """Read messages until one fits; return the numbers of all posts that came, and that one."""
    numbers = []
    while True:
        message = json.loads(reader.recv(10))
        numbers += [post["number"] for post in message["posts"]]
        if wanted(message, numbers):
            return numbers, message


@pytest.fixture(params=["asyncio", "uvicorn"])
def live(request):
    """A board, and where it is served."""
    board = Board()
    with live_serving(request.param, board) as address:
        yield board, address


def test_a_reader_gets_what_it_missed_and_then_each_post_in_order(live):
    board, address = live
    for number in range(1, 51):
        board.add("Ada", f"post {number}")
    with connect(f"{address}/live?board={board.id}&after=3") as reader:
        first, _ = news(reader, lambda message, numbers: True)
        assert first == list(range(4, 4 + BATCH))  # no message has all of a long absence
        rest, _ = news(reader, lambda message, numbers: 50 in numbers)
        assert rest == list(range(4 + BATCH, 51))
        board.add("Ada", "Grüße")
        numbers, message = news(reader, lambda message, numbers: numbers)
        assert (numbers, message["posts"][0]["text"]) == ([51], "Grüße")
        assert board.listeners == 1
    gone = time.monotonic() + 10
    while board.listeners and time.monotonic() < gone:
        time.sleep(0.005)
    assert board.listeners == 0


@pytest.mark.parametrize("query", ["", "?after=2", "?board=another&after=2", "?after=-1&board="])
def test_who_has_read_another_board_begins_at_the_first_post(query):
    board = Board()
    for _ in range(3):
        board.add("Ada", "hello")
    with live_serving("asyncio", board) as address, connect(f"{address}/live{query}") as reader:
        numbers, message = news(reader, lambda message, numbers: True)
    assert (numbers, message["board"]) == ([1, 2, 3], board.id)


def test_each_reader_is_told_how_many_are_here(live):
    _, address = live
    with ExitStack() as stack:
        readers = [stack.enter_context(connect(f"{address}/live")) for _ in range(4)]
        for reader in readers:
            news(reader, lambda message, numbers: message["readers"] == 4)
        readers.pop().close()
        for reader in readers:
            news(reader, lambda message, numbers: message["readers"] == 3)


def test_a_board_where_nothing_happens_says_so_now_and_then(monkeypatch):
    monkeypatch.setattr("workbench.board.live.HEARTBEAT", 0.05)
    board = Board()
    with live_serving("asyncio", board) as address, connect(f"{address}/live") as reader:
        said = [json.loads(reader.recv(10)) for _ in range(3)]
    assert said == [{"board": board.id, "posts": [], "readers": 1}] * 3


def test_an_unknown_websocket_is_refused(live):
    _, address = live
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{address}/elsewhere")
    assert refused.value.response.status_code == 403


def test_a_crowd_is_told_of_itself_once_not_once_for_each():
    board = Board()
    with live_serving("asyncio", board) as address, ExitStack() as stack:
        began = time.monotonic()
        readers = [stack.enter_context(connect(f"{address}/live")) for _ in range(60)]
        tidings = 0
        while json.loads(readers[0].recv(10))["readers"] < 60:
            tidings += 1
        most = (time.monotonic() - began) / PRESENCE + 2
    assert tidings <= most


LONG = "x" * 500


def test_a_reader_that_stalls_is_sent_away_and_the_others_wait_for_nothing():
    """Who takes nothing is told 1013; until then and after it, nobody else misses a post."""
    board = Board()
    app = asgi.make_app(board=board)
    with running(app) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Loopback's segments are larger than this buffer: nothing would tell that there is room.
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
        slow.settimeout(10)
        slow.connect(server.address)
        slow.sendall(HANDSHAKE % b"/live")
        assert _until(slow, b"101")
        with connect(f"ws://{server.host}:{server.port}/live") as quick:
            heard, wanted = [], 0
            began = time.monotonic()
            while board.listeners < 2 and time.monotonic() < began + 10:
                time.sleep(0.001)  # 101 is said before anybody listens
            assert board.listeners == 2
            while board.listeners == 2 and wanted < 40_000:
                for _ in range(20):
                    board.add("Ada", LONG)
                wanted += 20
                heard += news(quick, lambda _, numbers, last=wanted: last in numbers)[0]
            assert board.listeners == 1, "the stalled reader is still here after 20 MB"
            board.add("Ada", "we go on")
            heard += news(quick, lambda _, numbers: numbers)[0]
        assert heard == list(range(1, wanted + 2))
        assert _until(slow, struct.pack("!H", 1013) + b"too slow")


def test_posts_at_once_make_no_quick_reader_slow():
    """Five times as many as may wait, while the loop gives nobody a turn."""
    board = Board()
    app = asgi.make_app(board=board)

    async def busy(scope, receive, send):
        if scope["type"] == "http":
            for _ in range(5 * BEHIND):
                board.add("Ada", "at once")
        await app(scope, receive, send)

    with running(busy) as server, connect(f"ws://{server.host}:{server.port}/live") as reader:
        news(reader, lambda message, numbers: True)
        assert len(server.get("/posts").json()) == 5 * BEHIND
        numbers, _ = news(reader, lambda _, numbers: len(numbers) == 5 * BEHIND)
    assert numbers == list(range(1, 5 * BEHIND + 1))


def test_the_page_follows_the_feed_where_there_is_one():
    board = Board()
    board.add("Ada", "hello")
    with running(asgi.make_app(board=board)) as server:
        answer, script = server.get("/"), server.get("/live.js")
    assert f'data-board="{board.id}" data-last="1"' in answer.text
    assert '<script src="live.js"></script>' in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "http:" not in answer.text + script.text.replace('"https:"', "")
    assert "innerHTML" not in script.text
    assert "script" not in page(board.posts()).decode()


# --- The parts --------------------------------------------------------------------------------


def test_the_board_numbers_posts_of_many_threads_without_a_gap():
    board = Board()
    heard = []
    with board.listening(lambda post: heard.append(post.number)), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: board.add("Ada", str(number)), range(500)))
    assert [post.number for post in board.posts()] == list(range(1, 501))
    assert heard == list(range(1, 501))
    assert board.listeners == 0


def test_the_board_keeps_the_last_posts():
    board = Board(most=3)
    for number in range(5):
        board.add("", str(number))
    assert [post.text for post in board.posts()] == ["2", "3", "4"]
    assert [post.number for post in board.posts(after=4)] == [5]
    assert board.posts()[0].author == "anonymous"


def test_who_listens_late_is_told_what_was_missed():
    board = Board()
    board.add("Ada", "one")
    board.add("Ada", "two")
    news = queue.SimpleQueue()
    with board.listening(news.put, after=1):
        board.add("Ada", "three")
    board.add("Ada", "four")
    assert [news.get_nowait().text, news.get_nowait().text] == ["two", "three"]
    assert news.empty()


def test_what_people_write_stays_text():
    html = page([Post(1, "<script>", '"&')]).decode()
    assert "<script>" not in html
    assert "&lt;script&gt;</b> &quot;&amp;" in html


def test_an_event_is_one_line_of_data():
    assert event(Post(7, "Ada", "two\nlines")).count(b"\n") == 3


def test_burning_counts_processor_time_of_the_thread():
    before = time.thread_time()
    burn(20)
    assert 0.02 <= time.thread_time() - before < 0.1


def test_both_forms_have_the_same_routes_but_for_what_makes_the_page_live():
    assert [*wsgi.ROUTES, ("GET", "/live.js")] == list(asgi.ROUTES)
    assert {path for _, path in wsgi.ROUTES} == {
        "/", "/posts", "/slow", "/cpu", "/upload", "/stream", "/feed", "/fail"
    }  # fmt: skip


# --- The upstream -----------------------------------------------------------------------------


def test_the_upstream_holds_600_waits_at_once():
    with upstream(wait=0.5) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        began = time.monotonic()
        clients = [socket.create_connection((host, port), timeout=10) for _ in range(600)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        for client in clients:
            assert _until(client, b'{"waited": 0.5}\n')
            client.close()
        elapsed = time.monotonic() - began
    assert 0.5 <= elapsed < 30, "600 waits of half a second each, one after the other, are 300 s"


def test_the_upstream_answers_pipelined_requests_in_order():
    with (
        upstream() as url,
        socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=10) as client,
    ):
        request = b"GET /?a=b&wait=%b HTTP/1.1\r\nHost: test\r\n\r\n"
        client.sendall(request % b"0.05" + request % b"0")
        came = b""
        while came.count(b"waited") < 2:
            came += client.recv(65536)
    assert came.index(b'{"waited": 0.05}') < came.index(b'{"waited": 0}')


def test_the_upstream_ends_with_its_parent():
    command = [sys.executable, "-m", "workbench.board.upstream", "--port", "0", "--with-parent"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout.readline().startswith(b"http://127.0.0.1:")
        process.stdin.close()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_upstream_says_when_its_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "workbench.board.upstream", "--port", port],
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot listen on port {port}: ")
    assert len(done.stderr.splitlines()) == 1
