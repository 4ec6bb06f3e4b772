"""The gauntlet itself: its table, its words, its bounds; and our servers, which fail nothing."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from workbench.gauntlet import Table, gauntlet, targets
from workbench.gauntlet.confirmed import CONFIRMED, VERSIONS
from workbench.gauntlet.explain import pointed, told
from workbench.gauntlet.judge import ENDED, judge
from workbench.gauntlet.model import GROUPS, Check, Report, Result, all_checks, checks_for
from workbench.gauntlet.table import to_json
from workbench.gauntlet.targets import CannotStart, of_command, of_function

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHECKS = all_checks()


def named(name, interface="http"):
    return next(each for each in CHECKS if each.name == name and each.interface == interface)


# ---------------------------------------------------------------- our servers


@pytest.mark.parametrize("name", targets.OURS)
def test_our_servers_fail_nothing(name):
    (target,) = targets.named(name)
    # Two at a time, for each has a server of its own, and to start one costs more than to ask it.
    table = Table([judge(target, jobs=2)])
    assert table.why() == "Nothing failed."
    (report,) = table.reports
    assert report.count("", "pass") > 100
    assert report.seconds < 60


def test_a_wsgi_application_inside_asgi_loses_its_reason_phrase_and_nothing_else():
    from handmade.wsgi_in_asgi import WsgiInAsgi
    from workbench.gauntlet import probe

    table = gauntlet(app=WsgiInAsgi(probe.wsgi), interface="wsgi", shell="asyncio", group="wsgi")
    # ASGI HTTP 2.5, WSGI Compatibility: the phrase is dropped.
    assert [each.check.name for each in table.failures] == ["a reason of its own"]


# ---------------------------------------------------------------- the checks


def test_there_are_checks_enough_in_every_group():
    assert len(CHECKS) >= 120
    assert {each.group for each in CHECKS} == set(GROUPS)
    for interface in ("wsgi", "asgi"):
        names = [each.name for each in checks_for(interface, {"probe", "own"})]
        assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("check", CHECKS, ids=lambda each: f"{each.name} ({each.interface})")
def test_a_check_says_what_it_rests_on(check):
    assert check.clause.startswith(("RFC ", "PEP 3333, ", "ASGI "))
    assert check.sentence.endswith(".")
    assert 1 <= check.chapter <= 16
    if "should" in check.sentence.split() and "must" not in check.sentence:
        assert check.choice


def test_what_was_confirmed_belongs_to_a_check_that_judges():
    judged = {each.name for each in CHECKS if not each.choice}
    assert set(CONFIRMED) <= judged
    assert {server for each in CONFIRMED.values() for server in each} <= set(VERSIONS)
    assert any(line.startswith("daphne 4.2.3: ") for line in named("Date").seen)


# ---------------------------------------------------------------- other protocols


def in_group(group):
    return [each for each in CHECKS if each.group == group]


def test_there_are_checks_enough_of_websocket():
    found = in_group("websocket")
    assert len(found) >= 60
    assert sum(not each.choice for each in found) >= 60
    assert {each.chapter for each in found} == {12}
    # A cell that shakes hands and echoes has no application of ours behind it.
    assert sum(not each.needs for each in found) >= 60


def test_there_are_checks_enough_of_http_2():
    found = in_group("http2")
    assert len(found) >= 40
    assert sum(not each.choice for each in found) >= 40
    assert {each.chapter for each in found} == {13}
    assert sum(not each.needs for each in found) >= 40


@pytest.mark.parametrize("group", ["websocket", "http2"])
def test_who_does_not_speak_it_is_told_so_in_one_cell(group):
    table = gauntlet(handler=answers_ok, group=group)
    (report,) = table.reports
    assert not report.failures
    assert {each.verdict for each in report.results} == {""}
    assert [row for row in table.rows() if row[0] == group] == [[group, "not spoken"]]
    assert {each.problem.split(":")[0] for each in report.results} == {"not spoken"}
    assert report.seconds < 10


def shake_and_echo(sock):
    """Be the server of chapter 12: a handshake, then every frame back without its mask."""
    from handmade.websocket import (
        NEED_DATA,
        Binary,
        Close,
        Connection,
        Ping,
        Pong,
        Text,
        WebSocketError,
    )
    from handmade.websocket_handshake import accept_key

    buf = b""
    while b"\r\n\r\n" not in buf:
        if not (data := sock.recv(4096)):
            return
        buf += data
    head, _, rest = buf.partition(b"\r\n\r\n")
    key = next((line[19:] for line in head.split(b"\r\n")
                if line.lower().startswith(b"sec-websocket-key: ")), b"")  # fmt: skip
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept_key(key) + b"\r\n\r\n")  # fmt: skip
    engine = Connection()
    engine.receive(rest or sock.recv(65536))
    try:
        while True:
            event = engine.next_event()
            if isinstance(event, Text):
                sock.sendall(engine.text(event.data))
            elif isinstance(event, Binary):
                sock.sendall(engine.binary(event.data))
            elif isinstance(event, Ping):
                sock.sendall(engine.pong(event.data))
            elif isinstance(event, Close):
                sock.sendall(engine.close(None if event.code == 1005 else event.code))
                return
            elif event is NEED_DATA:
                engine.receive(sock.recv(65536))
            elif not isinstance(event, Pong):
                return
    except WebSocketError as error:
        sock.sendall(engine.close(error.code))


def test_an_echo_in_a_cell_is_judged_by_its_frames_and_by_its_handshake():
    table = gauntlet(handler=shake_and_echo, group="websocket")
    failed = {each.check.name for each in table.failures}
    # It looks at nothing that the client's handshake says, and at all of its frames.
    assert "a wrong key" in failed
    assert "another version" in failed
    handshakes = {each.name for each in in_group("websocket")
                  if each.run.__module__.endswith("_handshake")}  # fmt: skip
    assert failed <= handshakes
    assert table.reports[0].count("", "pass") > 35
    assert "sent:" in table.why("a wrong key")


def frames_by_hand(sock):
    """Be the server of chapter 13: frames in, the engine between, frames out."""
    from handmade.events import NEED_DATA, Data, End, Request, Response
    from handmade.http2 import Connection
    from handmade.http2_events import ConnectionFailed

    engine = Connection()
    with contextlib.suppress(OSError):
        while not engine.must_close:
            try:
                event = engine.next_event()
            except ConnectionFailed:
                break
            if event is NEED_DATA:
                sock.sendall(engine.outgoing())
                if not (data := sock.recv(65536)):
                    return
                engine.receive(data)
            elif isinstance(event, Request):
                fields = ((b"content-length", b"2"),)
                engine.put(Response(200, fields), event.stream_id)
            elif isinstance(event, Data):
                engine.acknowledge(event.stream_id, len(event.data))
            elif isinstance(event, End):
                engine.put(Data(b"ok"), event.stream_id)
                engine.put(End(), event.stream_id)
        sock.sendall(engine.outgoing())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def test_frames_in_a_cell_are_judged_by_what_the_wire_shows():
    table = gauntlet(handler=frames_by_hand, group="http2")
    assert table.why() == "Nothing failed."
    assert table.reports[0].count("", "pass") > 40


def test_a_failure_of_http_2_names_its_frames():
    def greets(sock):
        sock.sendall(bytes.fromhex("000000 04 00 00000000  000000 04 01 00000000"))
        while sock.recv(65536):
            pass

    table = Table([judge(of_function("greets", handler=greets), checks=[named("an even stream")])])
    text = table.why()
    assert "still waiting for GOAWAY with PROTOCOL_ERROR: stream 2" in text
    assert "(sent: HEADERS on 2)" in text
    assert "^ byte 8" in text


def shakes_and_leaves(sock):
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip


def greets_and_leaves(sock):
    sock.sendall(bytes.fromhex("000000 04 00 00000000"))
    sock.recv(65536)


@pytest.mark.parametrize(
    ("group", "handler", "passes"),
    [
        ("websocket", shakes_and_leaves,
         {"the handshake", "101 has no content", "a subprotocol nobody chose",
          "an application that fails"}),
        ("http2", greets_and_leaves,
         {"the first frame is SETTINGS", "another preface", "no settings first"}),
    ],
)  # fmt: skip
def test_who_ends_every_connection_passes_no_check_of_how_one_ends(group, handler, passes):
    target = of_function(handler.__name__, "asgi", handler=handler)
    report = judge(target, group=group, jobs=8)
    assert {each.check.name for each in report.results
            if each.verdict in ("pass", "yes")} == passes  # fmt: skip


# ---------------------------------------------------------------- a server in a cell


def answers_ok(sock):
    buf = b""
    while b"\r\n\r\n" not in buf:
        if not (data := sock.recv(4096)):
            return
        buf += data
    sock.sendall(OK)


def test_a_function_of_one_socket_is_judged_by_what_the_wire_shows():
    table = gauntlet(handler=answers_ok, group="framing", chapter=2)
    verdicts = table.reports[0].verdicts()
    assert verdicts["no Host"] == "fail"
    assert "a whole URL" not in verdicts  # that needs the probe behind it
    assert table.reports[0].name == "answers_ok"


def test_a_server_with_the_probe_behind_it_is_judged_by_what_the_probe_saw():
    from workbench.gauntlet import probe

    table = gauntlet(app=probe.wsgi, interface="wsgi", group="keep-alive")
    assert table.why() == "Nothing failed."


def test_only_what_must_pass_by_a_chapter_is_asked():
    found = checks_for("asgi", {"probe", "own"})
    (target,) = targets.named("asyncio")
    report = judge(target, group="disconnects", chapter=1)
    asked = {each.check.name for each in report.results}
    assert asked == {each.name for each in found
                     if each.group == "disconnects" and each.chapter <= 1}  # fmt: skip


def test_chapter_by_chapter_more_turns_green():
    reports = [judge(target, group="framing") for target in targets.named("stages")[:3]]
    passed = [report.count("", "pass") for report in reports]
    assert passed[0] < passed[1] <= passed[2]
    assert not reports[2].failures


# ---------------------------------------------------------------- in words


def test_a_caret_stands_under_the_byte():
    lines = pointed("came:", b"HTTP/1.1 200 OK", 9)
    assert lines[0][lines[1].index("^")] == "2"
    assert lines[1].endswith("^ byte 9")


def test_a_caret_in_a_long_request_stands_under_the_byte_too():
    sent = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"Bad : field\r\n\r\n"
    lines = pointed("sent:", sent, sent.index(b" : "))
    assert lines[0][lines[1].index("^") :].startswith(" : field")
    assert len(lines[0]) < 120


def test_a_failure_tells_what_was_sent_what_came_and_the_clause():
    table = gauntlet(handler=answers_ok, group="framing", chapter=2)
    text = table.why("a blank before the colon")
    assert "RFC 9112 §5.1: A server must answer 400 when a blank stands" in text
    assert "wanted 400, and the server answers 200" in text
    sent, caret = text.split("sent:")[1].splitlines()[:2]
    assert ("  sent:" + sent)[caret.index("^") :].startswith(" : 5")
    assert "came:   b'HTTP/1.1 200 OK" in text


def test_a_hang_reads_as_a_hang():
    table = gauntlet(handler=lambda sock: (sock.recv(1) and time.sleep(0.1)) or waits(sock),
                     group="keep-alive", chapter=1)  # fmt: skip
    (result,) = [each for each in table.reports[0].results if each.check.name == "half-close"]
    assert result.verdict == "no"
    assert "still waiting for" in result.problem
    assert result.problem.endswith("after 2 s")


def waits(sock):
    sock.settimeout(3)
    while sock.recv(4096):
        pass
    threading.Event().wait(2.5)


# ---------------------------------------------------------------- servers that end, or never begin


def test_a_server_that_ends_is_started_again_and_then_left():
    ends = "import socket, sys; s = socket.create_server(('127.0.0.1', {port})); "
    ends += "s.accept(); s.accept(); sys.exit('no more')  # probe:wsgi"
    report = judge(of_command(f'{{python}} -c "{ends}"'), group="limits", jobs=1)
    problems = [each.problem for each in report.results]
    assert "the server has ended: no more" in problems[0]
    assert report.results[-1].verdict == "not run"
    assert problems[-1] == ENDED
    assert report.seconds < 20


def test_a_command_that_does_not_start_is_one_clear_line():
    with pytest.raises(CannotStart) as caught:
        judge(of_command("{python} -m no_such_server probe:app --port {port}"), group="limits")
    assert "No module named no_such_server" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nginx"], "gauntlet: no server 'nginx': there are handmade, "),
        (["--cmd", "uvicorn probe:app"], "gauntlet: the command needs {port}"),
        (["--cmd", "uvicorn app:app --port {port}"], "gauntlet: the command must name probe:wsgi"),
        (["--cmd", "no-such-command probe:app {port}", "--group", "limits"], "gauntlet: no-such-"),
    ],
)
def test_what_is_wrong_with_a_command_is_one_line(words, line):
    command = [sys.executable, "-m", "workbench.gauntlet", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_the_command_line_judges_and_writes_json(tmp_path):
    path = tmp_path / "found.json"
    command = [sys.executable, "-m", "workbench.gauntlet", "threads", "--group", "limits", "--all"]
    done = subprocess.run([*command, "--json", path], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-- limits" in done.stdout
    assert "414 for a long target" in done.stdout
    (server,) = json.loads(path.read_text("utf-8"))["servers"]
    assert server["name"] == "threads"
    assert {each["verdict"] for each in server["checks"]} <= {"pass", "yes", "no"}


# ---------------------------------------------------------------- the table


def made_up():
    check = named("no Host")
    bad = Result(check, "fail", "wanted 400", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK", at=9)
    mine = Report("mine", "wsgi", "a function", [bad, Result(named("Date"), "pass")], 1.0)
    choice = Result(named("keep-alive"), "yes")
    theirs = Report("theirs", "asgi", "a command", [Result(check, "pass"), choice], 2.0)
    return Table([mine, theirs])


def test_the_summary():
    assert made_up().text().splitlines() == [
        "group       mine   theirs",
        "framing     1/2 !  1/1",
        "keep-alive  -      1 of 1",
        "together    1/2 !  1/1, 1 of 1",
        "seconds     1      2",
        "mine: FAIL no Host: wanted 400",
    ]


def test_every_check_has_its_row():
    lines = made_up().all().splitlines()
    assert lines[1] == "-- framing"
    assert lines[2].split() == ["no", "Host", "RFC", "9112", "§3.2", "2", "FAIL", "ok"]
    assert lines[3].split()[-2:] == ["ok", "-"]


def test_a_notebook_gets_a_picture_its_text_and_its_alt_text():
    table = made_up()
    data, more = table._repr_mimebundle_()
    assert data["text/plain"] == repr(table)
    assert data["image/png"].startswith(b"\x89PNG")
    assert "1 judged checks failed" in more["image/png"]["alt"]
    assert "<td>FAIL</td>" in table.html()
    assert "&#x27;" in table.html()  # what came is text there, never markup


def test_json_holds_everything(tmp_path):
    path = tmp_path / "table.json"
    to_json(made_up(), str(path))
    found = json.loads(path.read_text("utf-8"))
    first = found["servers"][0]["checks"][0]
    assert first["name"] == "no Host"
    assert first["verdict"] == "fail"
    assert first["sent"] == "GET / HTTP/1.1\r\n\r\n"
    assert first["clause"] == "RFC 9112 §3.2"


def test_a_choice_is_told_as_a_choice():
    assert "a choice of the implementation" in told(Result(named("keep-alive"), "no", "it closed"))


# ---------------------------------------------------------------- bounds


def test_a_check_ends_also_where_it_never_would():
    def run(it):
        wire = it.connect()
        while True:
            wire.send(b"x")
            wire.readable(0.01)
            it.connect().until_any()

    endless = Check("endless", "framing", "RFC 9112 §1", 1, "It ends.", run, needs=frozenset())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        from workbench.gauntlet.asking import Asking
        from workbench.gauntlet.judge import verdict_of

        class Live:
            address = silent.getsockname()

        begin = time.monotonic()
        asking = Asking(Live(), "", ".")
        result = verdict_of(endless, asking)
        asking.close()
    assert result.verdict == "fail"
    assert time.monotonic() - begin < 5


def test_a_function_that_cannot_serve_at_all_is_told_soon():
    def broken(sock):
        raise ValueError("not yet")

    begin = time.monotonic()
    report = judge(of_function("broken", handler=broken), group="framing")
    assert time.monotonic() - begin < 20
    assert all(each.problem for each in report.results if each.verdict == "fail")


def test_a_gauntlet_without_a_server():
    with pytest.raises(TypeError, match="takes a name"):
        gauntlet()
    with pytest.raises(LookupError, match="no server 'apache'"):
        gauntlet("apache")
