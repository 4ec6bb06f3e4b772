"""Does the board's page do in a real browser what it says?  In headless Chromium."""

from __future__ import annotations

import io
import itertools
import json
import socket
import struct
import threading
from contextlib import contextmanager
from unittest.mock import Mock

import pytest

from workbench import browser as driver
from workbench import hosts
from workbench.audience import HANDSHAKE, narrow
from workbench.board import asgi, wsgi
from workbench.board.store import Board
from workbench.browser import (
    HOW_TO_GET_IT,
    STORED,
    Browser,
    BrowserError,
    NoBrowser,
    Page,
    PageLeft,
    browser,
    screenshot,
)
from workbench.pictures import BOARD_ALT, board_picture
from workbench.places import ROOT
from workbench.running import running

needs_chromium = pytest.mark.skipif(driver.find_chromium() is None, reason=HOW_TO_GET_IT)

POSTS = "[...document.querySelectorAll('#posts li')].map(item => item.innerText)"
STATE = "document.querySelector('#state').innerText"
LIVE = "document.body.dataset.state === 'live'"
OFFLINE = "document.body.dataset.state === 'offline'"


@pytest.fixture(scope="module")
def chromium():
    if driver.find_chromium() is None:
        pytest.skip(HOW_TO_GET_IT)
    with browser() as running_browser:
        yield running_browser


@pytest.fixture
def tab(chromium):
    """Open a page; it is closed after the test."""
    pages = []

    def open_page(url):
        pages.append(chromium.open(url))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def shows(page, text):
    page.wait_for(f"({POSTS}).some(post => post.includes({json.dumps(text)}))")


def post(page, author, text):
    """Fill in the form and press its button, as a person does."""
    page.evaluate(
        "{ const form = document.querySelector('form'); "
        f"form.elements.author.value = {json.dumps(author)}; "
        f"form.elements.text.value = {json.dumps(text)}; form.querySelector('button').click(); }}"
    )


@contextmanager
def serving_on(port, board):
    with running(asgi.make_app(board=board), port=port) as server:
        yield server


def free_port():
    """A port below those that the system gives out: nobody takes it while our server is away."""
    for port in (hosts.PORTS.choice(hosts.LOW_PORTS) for _ in itertools.repeat(None)):
        try:
            with socket.create_server((hosts.HOST, port)):
                return port
        except OSError:
            continue


# --- The page ---------------------------------------------------------------------------------


def test_a_page_that_goes_away_before_it_has_answered():
    """What Chromium says then, now and then; the next page is asked again."""
    left = {"error": {"code": -32000, "message": "Inspected target navigated or closed"}}
    says = [left, left, {"result": {"result": {"value": True}}}]
    wire = Mock()
    wire.recv.side_effect = [json.dumps({"id": n, **said}) for n, said in enumerate(says)]
    talks = Browser.__new__(Browser)
    talks._ids, talks._wire = itertools.count(), wire
    page = Page(talks, "session", "target")
    with pytest.raises(PageLeft, match="navigated or closed"):
        page.evaluate("true")
    page.wait_for("true")


def test_two_pages_see_each_others_posts_and_each_other(tab):
    evil = "<img src=x onerror=\"document.title='run'\"> & <script>document.title='run'</script>"
    with running(asgi.make_app()) as server:
        one, two = tab(server.url()), tab(server.url())
        for page in (one, two):
            page.wait_for(f"{STATE} === 'Live, with 1 other reader.'")
        post(one, "Ada", "Who brings the cake?")
        shows(two, "Who brings the cake?")
        post(two, evil[:40], evil)
        shows(one, evil)
        assert one.evaluate(POSTS) == two.evaluate(POSTS)
        assert len(one.evaluate(POSTS)) == 2
        assert one.evaluate("document.querySelectorAll('li *').length") == 2  # the authors' <b>
        assert one.evaluate("document.title") == "The board"
        one.wait_for("document.querySelector('form').elements.text.value === ''")
        assert one.evaluate("performance.getEntriesByType('navigation').length") == 1
        two.go("about:blank")
        one.wait_for(f"{STATE} === 'Live.'")
        post(one, "Ada", "while the other page is away")
        shows(one, "while the other page is away")
        # Back to a page that the browser has kept, or a new one: nothing is missed or doubled.
        two.evaluate("void setTimeout(() => history.back())")  # behind the answer to this
        shows(two, "while the other page is away")
        two.go(server.url())
        two.wait_for(LIVE)
        assert two.evaluate(POSTS) == one.evaluate(POSTS)
        assert len(two.evaluate(POSTS)) == 3


def test_a_post_that_is_refused_says_why_and_is_not_lost(tab):
    with running(asgi.make_app()) as server:
        page = tab(server.url())
        post(page, "Ada", "   ")
        page.wait_for("document.querySelector('#said').innerText === 'a post needs some text'")
        assert page.evaluate("document.querySelector('form').elements.text.value") == "   "
        post(page, "Ada", "now with text")
        shows(page, "now with text")
        page.wait_for("document.querySelector('#said').innerText === ''")


# What the page would wait before it tries again is noted, and no chance is in it.
WATCHED = """{
  Math.random = () => 0.5;
  const wait = setTimeout;
  window.pauses = [];
  window.setTimeout = (what, ms) => {
    if (what === connect) pauses.push(ms);
    return wait(what, ms);
  };
}"""


def test_the_server_restarts_and_the_page_comes_back_for_what_it_missed(tab):
    port, board = free_port(), Board()
    with serving_on(port, board) as server:
        page = tab(server.url())
        page.wait_for(LIVE)
        post(page, "Ada", "before")
        shows(page, "before")
        page.evaluate(WATCHED)
    page.wait_for(f"{OFFLINE} && {STATE}.startsWith('Offline. Trying again')")
    post(page, "Ada", "lost?")
    page.wait_for("document.querySelector('#said').innerText.includes('does not answer')")
    assert page.evaluate("document.querySelector('form').elements.text.value") == "lost?"
    page.wait_for("pauses.length >= 3")
    assert page.evaluate("pauses.slice(0, 3)") == [250, 500, 1000]

    board.add("Grace", "while nobody was here")
    with serving_on(port, board):
        page.wait_for(LIVE)
        shows(page, "while nobody was here")
        assert page.evaluate(POSTS) == ["Ada\nbefore", "Grace\nwhile nobody was here"]
        page.evaluate("pauses.length = 0")
    page.wait_for(OFFLINE)
    page.wait_for("pauses.length >= 1")
    assert page.evaluate("pauses[0]") == 250

    # A process that starts anew has forgotten all, and counts from 1 again.
    anew = Board()
    anew.add("Alan", "the first one here")
    with serving_on(port, anew):
        shows(page, "the first one here")
        assert page.evaluate(POSTS) == ["Alan\nthe first one here"]


def test_a_connection_that_has_died_without_a_word_is_given_up(tab):
    """The page waits 40 s for a board that says something every 15; here it waits 0.2."""
    board = Board()
    with running(asgi.make_app(board=board)) as server:
        page = tab(server.url())
        page.wait_for(LIVE)
        page.evaluate(WATCHED.replace("wait(what, ms)", "wait(what, ms === 40000 ? 200 : ms)"))
        board.add("Ada", "and then nothing")
        page.wait_for("pauses.length === 1")
        page.wait_for(LIVE)
        assert page.evaluate(POSTS) == ["Ada\nand then nothing"]
        page.go("about:blank")


def test_who_has_a_network_again_does_not_wait_for_the_next_attempt(tab):
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    with running(asgi.make_app()) as server:
        page = tab(server.url())
        page.wait_for(LIVE)
        page.evaluate("pause = 3600, 0")
        page.command("Network.enable")
        page.command("Network.emulateNetworkConditions", offline=True, **network)
        page.wait_for(OFFLINE)
        page.command("Network.emulateNetworkConditions", offline=False, **network)
        page.wait_for(LIVE)
        page.go("about:blank")


def test_a_reader_that_stalls_hurts_nobody(tab):
    board, long = Board(), "x" * 480
    app = asgi.make_app(board=board)
    with running(app, shell=narrow([])) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(10)
        slow.connect(server.address)
        slow.sendall(HANDSHAKE % b"/live")
        pages = [tab(server.url()) for _ in range(2)]
        for page in pages:
            page.wait_for(f"{STATE} === 'Live, with 2 other readers.'")
        count = 0
        while board.listeners == 3 and count < 5000:
            for _ in range(40):
                count += 1
                board.add("Ada", f"{count} {long}")
            for page in pages:
                shows(page, f"{count} xxx")
        assert board.listeners == 2, "the stalled reader was not sent away"
        for page in pages:
            page.wait_for(f"{STATE} === 'Live, with 1 other reader.'")
        # A page keeps as many posts as the board does.
        while count < 1010:
            count += 1
            board.add("Ada", f"{count} {long}")
        for page in pages:
            shows(page, f"{count} xxx")
            numbers = page.evaluate(f"({POSTS}).map(post => parseInt(post.split('\\n')[1]))")
            assert numbers == list(range(count - 999, count + 1))
        goodbye = struct.pack("!H", 1013) + b"too slow"
        came = b""
        while goodbye not in came:
            data = slow.recv(1 << 20)
            assert data, "it was cut off without a goodbye"
            came = came[-len(goodbye) :] + data


# --- Behind a prefix --------------------------------------------------------------------------

HUB = b"/user/ada/proxy/"


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one of the two has gone
        pass


def hub(sock):
    """Do what jupyter-server-proxy does: ``/user/ada/proxy/PORT/x`` becomes ``/x`` on that port.

    One request for a connection, so that only its first line has to be looked at.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        if not (data := sock.recv(65536)):
            return
        head += data
    method, target, rest = head.split(b" ", 2)
    if not target.startswith(HUB):
        sock.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    port, slash, path = target.removeprefix(HUB).partition(b"/")
    rest = rest.replace(b"Connection: keep-alive\r\n", b"Connection: close\r\n", 1)
    with socket.create_connection((hosts.HOST, int(port))) as upstream:
        upstream.sendall(b" ".join([method, slash + path, rest]))
        back = threading.Thread(target=pump, args=(upstream, sock), daemon=True)
        back.start()
        pump(sock, upstream)
        back.join(10)


def test_the_page_works_behind_the_proxy_of_a_hub(tab, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    board = Board()
    with (
        running(asgi.make_app(board=board)) as server,
        running(handler=hub, each="thread") as front,
    ):
        assert server.link == f"/user/ada/proxy/{server.port}/"
        page = tab(front.url(server.link))
        page.wait_for(LIVE)
        post(page, "Ada", "through the hub")
        shows(page, "through the hub")
        board.add("Grace", "from elsewhere")
        shows(page, "from elsewhere")
        assert page.evaluate("location.pathname") == server.link
        page.go("about:blank")


@pytest.mark.parametrize("form", [asgi, wsgi], ids=["asgi", "wsgi"])
def test_without_script_the_form_works_also_behind_a_prefix(tab, monkeypatch, form):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    app = form.make_app()
    with running(app) as server, running(handler=hub, each="thread") as front:
        page = tab("about:blank")
        page.command("Emulation.setScriptExecutionDisabled", value=True)
        page.go(front.url(server.link))
        post(page, "Ada", "by hand")
        shows(page, "by hand")
        assert page.evaluate("location.pathname") == server.link
        assert page.evaluate(STATE) == ""
        page.go("about:blank")
    if form is wsgi:
        app.close()


# --- The browser ------------------------------------------------------------------------------


def test_what_does_not_come_true_is_said_with_what_the_page_shows(chromium, tab):
    page = tab("data:text/html,<p>Hello")
    with pytest.raises(BrowserError, match="not false within 0 s; the page says: 'Hello'"):
        page.wait_for("false", seconds=0)
    with pytest.raises(BrowserError, match="ReferenceError"):
        page.evaluate("nothing.of.this.name")
    with pytest.raises(BrowserError, match="ERR_CONNECTION_REFUSED"):
        page.go(f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(BrowserError, match="wasn't found"):
        chromium.command("No.such")


@needs_chromium
def test_a_picture_of_the_board_is_taken():
    from PIL import Image

    shot = board_picture()
    assert (repr(shot), shot.why) == (BOARD_ALT, "")
    assert shot.size == (driver.WIDTH, driver.HEIGHT)
    assert len(shot.png) < 150_000
    found = Image.open(io.BytesIO(shot.png)).convert("RGB").getcolors(1 << 16)
    colours = {colour: count for count, colour in found}
    assert colours[0x2A, 0x6F, 0x97] > 1000  # the posts' edges and the button
    assert colours[0x18, 0x79, 0x4E] > 20  # it is live
    assert colours[255, 255, 255] > 100_000


def test_without_chromium_the_stored_picture_is_shown_with_the_same_text(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "there-is-none")
    shot = board_picture()
    assert (repr(shot), shot.why) == (BOARD_ALT, HOW_TO_GET_IT)
    assert shot.size == (driver.WIDTH, driver.HEIGHT)
    assert len(shot.png) < 150_000
    data, metadata = shot._repr_mimebundle_()
    assert (data["text/plain"], data["image/png"]) == (BOARD_ALT, STORED.read_bytes())
    assert metadata == {"image/png": {"alt": BOARD_ALT}}
    line = screenshot("http://127.0.0.1:1/", "A page", stored=None)
    assert (repr(line), line.size) == (f"A page ({HOW_TO_GET_IT})", (0, 0))
    assert line._repr_mimebundle_() == ({"text/plain": repr(line)}, {})


def test_a_chromium_that_does_not_start_says_why_in_one_line(monkeypatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho first line\necho no display here\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(broken))
    said = r"^Chromium did not start; it said: no display here$"
    with pytest.raises(NoBrowser, match=said), browser():
        pass


def test_the_readme_shows_the_picture():
    line = f"![{BOARD_ALT}](notebooks/pictures/board.png)"
    assert line in (ROOT / "README.md").read_text("utf-8").splitlines()
