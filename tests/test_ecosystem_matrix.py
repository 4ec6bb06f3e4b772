"""The ecosystem's table, and what fills it: whatever a server does, the rest goes on."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from workbench.ecosystem import pair_table, probing, remains, rendering
from workbench.ecosystem.features import Cell, Feature, Finding, NotAsked, features_of
from workbench.ecosystem.matrix import main
from workbench.ecosystem.pairs import FRAMEWORKS, Conversation, Pair
from workbench.ecosystem.probing import Bounds
from workbench.ecosystem.servers import SERVERS, RealServer
from workbench.ecosystem.table import Column, FeatureTable, Row, feature_table, feature_tables, mark
from workbench.gauntlet.asking import request

OURS = SERVERS["ours-threads"]
QUICK = Bounds(lanes=3, probe=2.0, whole=90.0)
DEADLINE = 20.0

# A server that answers every path, ends at /die with a word, and has a child when it is told so.
SMALL = """
import os, signal, socket, subprocess, sys
if "--child" in sys.argv:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    sock, _ = listener.accept()
    with sock:
        got = sock.recv(65536)
        if got.startswith(b"GET /die "):
            print("all is lost", flush=True)
            os._exit(7)
        if got:
            fields = b"Connection: close\\r\\nContent-Length: 2\\r\\n"
            sock.sendall(b"HTTP/1.1 200 OK\\r\\n" + fields + b"\\r\\nok")
"""


@pytest.fixture
def small(tmp_path):
    """Return a maker of small servers, each from its own words behind the port."""
    script = tmp_path / "small.py"
    script.write_text(SMALL)

    def make(name="small", more="", **kinds):
        ways = {"plain": f"{{python}} {script} {{port}}{more}"}
        return RealServer(name, name.title(), "wsgi", ways, **kinds)

    return make


@pytest.fixture(autouse=True)
def nothing_stays():
    """Hold that no process and no thread that a lane has started is there behind a test."""
    since = remains.now()
    yield
    assert remains.leftovers(since) == []
    lanes = [each for each in threading.enumerate() if isinstance(each, probing._Lane)]
    assert lanes == []


def row(function, name="", interface="http", measured=False, way="plain"):
    """Return a probe that is in no table of the course."""
    question = function.__doc__ or "What does it do?"
    return Feature(name or function.__name__, interface, question, "RFC 9110 §1", function, way,
                   "no", measured)  # fmt: skip


def answer(run):
    """Does the server answer?"""
    came = run.ask(request("/ok"))
    return Finding("yes", f"{came.head[:15]!r}", came.status == 200)


def refuses(run):
    """Is it told no?"""
    return Finding("no", "nothing came", False)


def counts(run):
    """How many?"""
    return Finding("17")


def dies(run):
    """Does it live?"""
    return Finding("yes", str(run.ask(request("/die")).status), True)


def hangs(run):
    """Does it ever end?"""
    while True:
        time.sleep(0.01)


def not_for_it(run):
    """Does it speak?"""
    raise NotAsked("it has no voice")


def is_wrong(run):
    """Is the probe itself right?"""
    raise AttributeError("no such thing")


def table_of(servers, functions, bounds=QUICK, **more):
    rows = [each if isinstance(each, Feature) else row(each) for each in functions]
    return feature_table("wsgi", servers, rows, bounds, **more)


# ---------------------------------------------------------------- whatever a server does


def test_a_small_set_of_servers_and_features_fills_the_table(small):
    heard = []
    table = table_of([OURS, small()], [answer, refuses, counts, not_for_it],
                     heard=lambda cell, done, of: heard.append((cell, done, of)))  # fmt: skip
    for name in ("ours-threads", "small"):
        assert table["answer", name].said == "yes"
        assert table["answer", name].seen == "b'HTTP/1.1 200 OK'"
        assert [mark(table[each, name]) for each in ("answer", "refuses", "counts")] == [
            "+", "-", ""]  # fmt: skip
        assert (table["not_for_it", name].said, mark(table["not_for_it", name])) == ("–", "")
    assert [done for _, done, _ in heard] == list(range(1, 9))
    assert {of for _, _, of in heard} == {8}
    assert {(cell.server, cell.feature) for cell, _, _ in heard} == set(table.cells)
    assert table.failed == []
    assert table.notes == []


def test_a_feature_that_is_switched_off_turns_in_the_table():
    command = "{python} -m workbench.ecosystem.without keep-alive serve {app} --port {port}"
    off = RealServer("ours-off", "ours, without", "wsgi", {"plain": command})
    table = feature_table("wsgi", [OURS, off], ["keep-alive"], Bounds(2))
    assert mark(table["keep-alive", "ours-threads"]) == "+"
    assert mark(table["keep-alive", "ours-off"]) == "-"


def test_a_server_that_is_missing_says_how_to_get_it(small):
    lacks = small("rare", packages=("no-such-server",), get="sudo apt install rare")
    table = table_of([lacks, OURS], [answer, refuses])
    assert {cell.said for cell in table.failed} == {"missing"}
    assert table.troubles() == [
        "! rare, 2 features: Rare: no-such-server is not installed: sudo apt install rare"
    ]
    assert table["answer", "ours-threads"].said == "yes"


def test_a_server_that_does_not_start_is_tried_once_and_its_last_line_is_told(tmp_path):
    starts = tmp_path / "starts"
    script = tmp_path / "no.py"
    script.write_text(
        f"open({str(starts)!r}, 'a').write('x'); print('first'); raise SystemExit('no licence')"
    )
    bad = RealServer("bad", "Bad", "wsgi", {"plain": f"{{python}} {script}"})
    table = table_of([bad, OURS], [answer, refuses, counts], Bounds(lanes=1))
    assert {cell.said for cell in table.failed} == {"failed"}
    (line,) = table.troubles()
    assert line.startswith("! bad, 3 features: Bad: ")
    assert line.endswith("no licence")
    assert starts.read_text() == "x"
    assert table["answer", "ours-threads"].said == "yes"


def test_a_server_that_dies_in_a_probe_is_told_of_and_started_anew(small):
    table = table_of([small()], [dies, answer, counts], Bounds(lanes=1))
    cell = table["dies", "small"]
    assert cell.said == "failed"
    assert cell.problem.endswith("; the server has ended (exit 7): all is lost")
    assert table["answer", "small"].said == "yes"
    assert table["counts", "small"].said == "17"


def test_a_server_that_dies_although_the_probe_found_something_keeps_its_finding(small):
    def kills(run):
        os.kill(run.pid, signal.SIGKILL)
        run.live.ended_within(5.0)
        return Finding("dead")

    def stops(run):
        run.live.stop()
        assert run.live.ended_within(5.0)
        return Finding("stopped")

    table = table_of([small()], [kills, stops, answer], Bounds(lanes=1))
    assert (table["kills", "small"].said, table["stops", "small"].said) == ("dead", "stopped")
    assert table["kills", "small"].problem == "the server has ended (SIGKILL)"
    assert table["stops", "small"].problem == ""  # that was asked for
    assert table["answer", "small"].said == "yes"
    assert table.failed == []


def test_a_server_that_answers_no_more_is_started_anew(small, monkeypatch):
    monkeypatch.setattr(probing, "CALM", 0.3)
    pids = []

    def blocks(run):
        pids.append(run.pid)
        run.connect().send(b"")  # the small server waits for us, and for nobody else
        os.kill(run.pid, signal.SIGSTOP)
        return Finding("stands still")

    def lives(run):
        pids.append(run.pid)
        return answer(run)

    table = table_of([small()], [blocks, lives], Bounds(lanes=1))
    assert table["lives", "small"].said == "yes"
    assert pids[0] != pids[1]


def test_a_probe_that_hangs_is_cut_and_the_place_is_told(small):
    begin = time.monotonic()
    table = table_of([small()], [hangs, answer])
    cell = table["hangs", "small"]
    assert cell.said == "failed"
    assert "cut after 2 s at test_ecosystem_matrix.py:" in cell.problem
    assert cell.problem.endswith("in hangs")
    assert table["answer", "small"].said == "yes"
    assert time.monotonic() - begin < DEADLINE


def test_a_probe_that_waits_in_the_kernel_is_cut_too(small, monkeypatch):
    monkeypatch.setattr(probing, "UNWIND", 60.0)

    def reads(run):
        wire = run.connect(SimpleNamespace(address=listener.getsockname()))
        wire.socket.settimeout(None)
        wire.socket.recv(1)

    begin = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:  # ours: no end of a server helps
        table = table_of([small()], [reads, answer])
    assert "cut after 2 s" in table["reads", "small"].problem
    assert "cannot be ended" not in table["reads", "small"].problem
    assert time.monotonic() - begin < DEADLINE
    assert table["answer", "small"].said == "yes"


def test_a_server_of_a_probe_that_hangs_goes_with_it(small):
    pids = []

    def starts_another(run):
        with run.other("plain") as other:
            pids.append(other.pid)
            hangs(run)

    table = table_of([small()], [starts_another], Bounds(lanes=1, probe=2.0))
    assert "cut after 2 s" in table["starts_another", "small"].problem
    assert not psutil.pid_exists(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc: who has started a process")
def test_what_a_probe_has_forgotten_is_ended_and_told(small):
    children = []

    def forgets(run):
        code = "print(flush=True); import time; time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        children.append(child)
        with child.stdout:
            child.stdout.readline()  # before it runs it has no command line
        return Finding("done")

    table = table_of([small()], [forgets, answer])
    (child,) = children
    assert child.wait(5.0) == -signal.SIGKILL
    (note,) = table.notes
    assert note.startswith("small: forgets has left behind: ")
    assert "time.sleep(60)" in table.text()


def test_a_thread_that_nothing_ends_is_named_and_the_rest_goes_on(small, monkeypatch):
    monkeypatch.setattr(probing, "UNWIND", 0.1)
    gate = threading.Event()

    def deaf(run):
        gate.wait(10.0)

    try:
        table = table_of([small()], [deaf, answer])
    finally:
        gate.set()
    assert (
        "its thread cannot be ended at test_ecosystem_matrix.py:" in table["deaf", "small"].problem
    )
    assert table["answer", "small"].said == "yes"


def test_a_server_whose_probes_are_all_cut_is_left_alone_after_some(small):
    functions = [row(hangs, f"hangs {number}") for number in range(5)]
    table = table_of([small(), OURS], [*functions, answer], Bounds(lanes=2, probe=0.2))
    said = [table[f"hangs {number}", "small"].said for number in range(5)]
    assert said.count("failed") == probing.CUTS
    assert said.count("not asked") == 5 - probing.CUTS
    assert "3 probes of this server were cut before" in table.text()


def test_a_probe_with_an_error_of_its_own_spoils_one_cell(small):
    table = table_of([small()], [is_wrong, answer])
    assert table["is_wrong", "small"].problem == "the probe failed: AttributeError('no such thing')"
    assert table["answer", "small"].said == "yes"


def test_children_that_a_server_leaves_behind_are_killed_and_told(small):
    table = table_of([small("messy", " --child")], [answer])
    assert table["answer", "messy"].said == "yes"
    (note,) = table.notes
    assert note.startswith("messy: left behind, and killed: ")
    assert "time.sleep(60)" in note
    assert note in table.text(width=1000)


def test_at_the_end_of_the_time_the_rest_is_not_asked(small):
    functions = [row(hangs, f"hangs {number}") for number in range(2)]
    begin = time.monotonic()
    table = table_of([small()], [*functions, answer], Bounds(lanes=1, probe=30.0, whole=1.5))
    assert time.monotonic() - begin < DEADLINE
    assert table["hangs 0", "small"].said == "failed"
    left = [table["hangs 1", "small"], table["answer", "small"]]
    assert {(each.said, each.problem) for each in left} == {
        ("not asked", "the time for all probes is over")
    }


def test_an_interrupt_ends_all_and_goes_on_upwards(small):
    def interrupted(cell, done, of):
        raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        table_of([small(), OURS], [answer, hangs], Bounds(lanes=2, probe=30.0), heard=interrupted)
    assert time.monotonic() - begin < DEADLINE


def test_rows_that_measure_come_last_and_on_few_lanes(small, monkeypatch):
    monkeypatch.setattr(probing, "CALM_LANES", 2)
    lock, inside, most, order = threading.Lock(), [0], {False: 0, True: 0}, []
    crowd = threading.Event()

    def busy(measured):
        def function(run):
            with lock:
                order.append(measured)
                inside[0] += 1
                most[measured] = max(most[measured], inside[0])
                if inside[0] == 3:
                    crowd.set()
            assert crowd.wait(10.0)
            time.sleep(0.1)
            with lock:
                inside[0] -= 1
            return Finding("done")

        return row(function, f"busy {measured}", measured=measured)

    servers = [small(f"small-{number}") for number in range(3)]
    table = table_of(servers, [busy(True), busy(False)], Bounds(lanes=3))
    assert table.failed == []
    assert order == [False] * 3 + [True] * 3
    assert most[False] == 3
    assert most[True] <= 2


def test_lanes_share_one_server_that_has_much_to_do_and_never_more_than_it_bears(small):
    runs = set()

    def takes_time(run):
        runs.add(run.pid)
        time.sleep(0.15)
        return Finding("done")

    functions = [row(takes_time, f"takes time {number}") for number in range(12)]
    table_of([small(jobs=2)], functions, Bounds(lanes=4))
    assert len(runs) == 2


def test_a_way_that_a_server_has_not_needs_no_start(small):
    table = table_of([small()], [row(answer, way="h3")])
    assert (table["answer", "small"].said, mark(table["answer", "small"])) == ("no", "-")


# ---------------------------------------------------------------- its forms


def made(*, said="yes", version="1.0"):
    """Return a table that nobody has probed: ten servers, and rows of each kind."""
    servers = [Column(f"server-{n}", f"Server {n}", version if n else "") for n in range(10)]
    rows = [
        Row("keep-alive", "http", "Is it | kept?", "RFC 9112 §9.3", False),
        Row("<wire>", "wsgi", "Is it so?", "PEP 3333", False),
        Row("time", "http", "How long?", "", True),
    ]
    cells = {}
    for number, server in enumerate(servers):
        cells[server.name, "keep-alive"] = Cell(server.name, "keep-alive", said, "200 & <b>", True)
        cells[server.name, "<wire>"] = Cell(server.name, "<wire>", "a|b", "none", False)
        cells[server.name, "time"] = Cell(server.name, "time", f"{number} ms")
    cells["server-3", "<wire>"] = Cell("server-3", "<wire>", "failed", problem="it broke at 4711")
    return FeatureTable("wsgi", servers, rows, cells, ["server-3: a child"], 1.5, {},
                        "2026-01-01 00:00 UTC", "3.11.7", "Linux x86_64")  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_the_text_fits_and_has_each_cell_once(width):
    table = made()
    grid = table.stable(width)
    assert max(map(len, grid.splitlines())) <= max(width, len(rendering.LEGEND))
    for server in table.servers:
        assert grid.count(f"  {server.name}") == 1
    assert grid.count("+ yes") == 10
    assert grid.count("- a|b") == 9
    assert grid.count("! failed") == 1
    assert grid.count("keep-alive") == len(
        [line for line in grid.splitlines() if "server-" in line]
    )


def test_the_text_tells_date_versions_and_what_went_wrong():
    text = made().text()
    assert "2026-01-01 00:00 UTC, Python 3.11.7, Linux x86_64" in text
    assert "Server 9 1.0" in text
    assert "! server-3, <wire>: it broke at 4711" in text
    assert "! server-3: a child" in text


def test_what_differs_from_run_to_run_is_not_in_the_stable_text():
    stable = made().stable()
    for word in ("2026", "3.11", "1.0", "ms", "4711", "child"):
        assert word not in stable
    assert repr(stable) == str(stable)
    assert "9 ms" in made().measured()
    assert "yes" not in made().measured()


def test_why_shows_the_question_the_source_and_the_evidence():
    table = made()
    lines = table.why("keep-alive", "server-1").splitlines()
    assert lines[:2] == ["keep-alive: Is it | kept?", "Source: RFC 9112 §9.3"]
    assert lines[2:] == ["  Server 1  + yes", " " * 14 + "200 & <b>"]
    assert table.why("<wire>").count("\n  Server ") == 10
    assert "it broke at 4711" in table.why("<wire>", "Server 3")
    with pytest.raises(LookupError, match="no feature 'nope' in this table: there are keep-alive"):
        table.why("nope")
    with pytest.raises(LookupError, match="no server 'nope' in this table: there are server-0"):
        table.why("time", "nope")


def test_a_part_of_the_table_is_a_table():
    part = made().only(["server-2", "server-3"], ["<wire>"])
    assert [each.name for each in part.servers] == ["server-2", "server-3"]
    assert len(part.failed) == 1
    assert part.but("server-3").failed == []
    assert "server-4" not in part.text()


def test_in_a_notebook_it_is_a_picture_with_words_for_who_does_not_see_it():
    data, more = made()._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) < 60_000
    assert data["text/plain"] == made().text()
    assert "Server 3 has 1 of 1;" in more["image/png"]["alt"]
    assert "Server 4 has 1 of 2;" in more["image/png"]["alt"]


def test_html_is_plain_and_says_what_it_is_given():
    page = made().html()
    assert page.count("<tr>") == 4
    assert page.count("<td") == 30
    assert "style" not in page
    assert '<td title="200 &amp; &lt;b&gt;">+ yes</td>' in page
    assert "<th>&lt;wire&gt;</th>" in page
    assert "<wire>" not in page


def test_markdown_reads_back():
    text = made().markdown()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [
        [cell.strip() for cell in line.replace("\\|", "\0").split("|")[1:-1]] for line in lines
    ]
    assert {len(line) for line in cells} == {11}
    assert cells[0][:3] == ["feature", "Server 0<br>", "Server 1<br>1.0"]
    assert cells[2] == ["keep-alive", *["+ yes"] * 10]
    assert cells[3][:2] == ["&lt;wire>", "- a\0b"]
    assert cells[3][4] == "! failed"
    assert "2026-01-01 00:00 UTC, Python 3.11.7" in text
    assert "* **keep-alive**: Is it \\| kept? (RFC 9112 §9.3)" in text


def test_json_reads_back_whole():
    table = made()
    again = FeatureTable.from_json(json.loads(json.dumps(table.json())))
    assert again.text() == table.text()
    assert again.cells == table.cells
    assert again.why("keep-alive") == table.why("keep-alive")
    assert table.json()["schema"] == 1
    for wrong in ({}, {"format": "x", "schema": 1}, {**table.json(), "schema": 2}):
        with pytest.raises(ValueError, match="no table of the ecosystem"):
            FeatureTable.from_json(wrong)


def test_changes_tell_versions_and_cells_and_no_measured_row():
    old, new = made(), made(said="no", version="2.0")
    new.cells["server-5", "time"] = Cell("server-5", "time", "900 ms")
    new.cells["server-3", "<wire>"] = Cell("server-3", "<wire>", "a|b", good=False)
    changes = new.changes(old)
    assert changes[0] == "Server 1: 1.0 → 2.0"
    assert changes[9:] == [f"server-{n}, keep-alive: yes → no" for n in range(10)]
    assert len(changes) == 19
    assert new.changes(new) == []


def test_tables_of_both_interfaces_are_asked_in_one_go():
    rows = features_of("wsgi", ["keep-alive"])
    wanted = {"wsgi": ([OURS], [*rows, row(counts, interface="wsgi")]),
              "asgi": ([SERVERS["ours"]], [*rows, row(refuses, interface="asgi")])}  # fmt: skip
    wsgi, asgi = feature_tables(wanted, Bounds(2))
    assert set(wsgi.cells) == {("ours-threads", "keep-alive"), ("ours-threads", "counts")}
    assert set(asgi.cells) == {("ours", "keep-alive"), ("ours", "refuses")}


# ---------------------------------------------------------------- the pairs


def test_the_pairs_stand_in_a_table_by_interface():
    good = Conversation(Pair(OURS, FRAMEWORKS["flask"]))
    bad = Conversation(Pair(OURS, FRAMEWORKS["django"]), problem="no settings", log="KeyError")
    other = Conversation(Pair(SERVERS["ours"], FRAMEWORKS["quart"]))
    table = pair_table.PairTable(
        [good, bad, other], [Pair(SERVERS["ours-loop"], FRAMEWORKS["quart"])], "today"
    )
    assert table.count == "2 of 3 pairs"
    assert table.failed == [bad]
    assert "! ours-threads-django: no settings; its log ends: KeyError" in table.text()
    wsgi, asgi = table._parts()
    assert [title for title, _ in wsgi.heads] == ["Flask", "Django"]
    assert [[sign for sign, _ in cells] for _, cells in wsgi.rows] == [["+", "!"]]
    assert [[sign for sign, _ in cells] for _, cells in asgi.rows] == [["+"], ["-"]]
    assert "Quart on ours, loop by hand: needs asyncio: " in table.text()
    assert "| ours, threads |" in table.markdown()
    assert json.loads(json.dumps(table.json()))["pairs"][1]["first"] == "no settings"
    data, more = table._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "2 of 3 pairs" in more["image/png"]["alt"]


def test_the_facts_are_a_table_of_their_own(capsys, tmp_path):
    file = tmp_path / "facts.json"
    arguments = ["--part", "facts", "--servers", "gunicorn", "gunicorn-gthread", "ours-one"]
    assert main([*arguments, "--json", str(file), "--markdown", str(tmp_path / "facts.md")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Plain facts, not probed")
    version = importlib.metadata.version("gunicorn")
    assert printed.count(f"Gunicorn  {version}; MIT;") == 1
    data = json.loads(file.read_text("utf-8"))
    assert list(data["facts"]) == ["gunicorn"]
    assert data["facts"]["gunicorn"]["licence"] == "MIT"
    assert data["date"].endswith("UTC")
    page = (tmp_path / "facts.md").read_text("utf-8")
    assert f"| [Gunicorn](https://gunicorn.org) | {version} | MIT |" in page


# ---------------------------------------------------------------- the command


def test_a_matrix_is_printed_written_and_compared(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    some = ["--servers", "ours-threads", "ours", "--quiet"]
    assert main([*some, "--features", "keep-alive", "pipelining", "--write", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "WSGI servers, probed" in printed
    assert "ASGI servers, probed" in printed
    assert "pairs" not in printed
    data = json.loads((folder / "matrix.json").read_text("utf-8"))
    wsgi, asgi = map(FeatureTable.from_json, data["tables"])
    assert wsgi["keep-alive", "ours-threads"].said == asgi["keep-alive", "ours"].said == "yes"
    assert data["pairs"] is None
    assert data["versions"]["waitress"]
    page = (folder / "matrix.md").read_text("utf-8")
    assert page.startswith("# The ecosystem, probed\n")
    assert page.count("| keep-alive | + yes |") == 2

    for cell in data["tables"][0]["cells"]:
        if cell["feature"] == "keep-alive":
            cell.update(said="never", good=False)
    old = tmp_path / "old.json"
    old.write_text(json.dumps(data))
    assert main([*some[:2], "--features", "keep-alive", "--against", str(old), "--why"]) == 0
    printed = capsys.readouterr().out
    assert "ours-threads, keep-alive: never → yes" in printed
    assert "keep-alive: Is a second HTTP/1.1 request" in printed


def test_the_pairs_alone(tmp_path, capsys):
    file = tmp_path / "pairs.json"
    assert main(["--servers", "ours-threads", "--part", "pairs", "--json", str(file)]) == 0
    assert "2 of 2 pairs" in capsys.readouterr().out
    data = json.loads(file.read_text("utf-8"))
    assert data["tables"] == []
    assert [each["good"] for each in data["pairs"]["pairs"]] == [True, True]
    assert data["pairs"]["pairs"][0]["steps"]


def test_what_could_not_be_found_out_is_in_the_exit_code(capsys, monkeypatch):
    from workbench.ecosystem import matrix

    def fake(wanted, bounds, heard):
        return [made()]

    monkeypatch.setattr(matrix, "feature_tables", fake)
    assert main(["--part", "tables", "--quiet"]) == 1
    table = made().but("server-3")
    table.notes.clear()
    missing = Cell("server-1", "<wire>", "missing", problem="pip install it")
    table.cells["server-1", "<wire>"] = missing
    monkeypatch.setattr(matrix, "feature_tables", lambda wanted, bounds, heard: [table])
    assert main(["--part", "tables", "--quiet"]) == 0
    assert "pip install it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--servers", "gunicron"], "no server 'gunicron': there are gunicorn, "),
        (["--interface", "asgi", "--servers", "waitress"], "no server 'waitress': there are uvi"),
        (["--features", "keepalive"], "no feature 'keepalive': there are "),
        (["--servers", "waitress", "--features", "lifespan"], "none of these servers has one of"),
        (["--against", "/no/such/file"], "/no/such/file: No such file or directory"),
        (["--json", "/no/such/folder/file"], "/no/such/folder/file: No such file or directory"),
        (["--against", os.devnull], "is no matrix that --json has written"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_asked(arguments, words, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("matrix: ")
    assert words in err


def test_the_list_asks_nobody(capsys):
    assert main(["--list", "--interface", "asgi"]) == 0
    printed = capsys.readouterr().out
    assert "keep-alive" in printed
    assert "hypercorn" in printed
    assert "waitress" not in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_in_a_word_and_leaves_no_process(number):
    command = [sys.executable, "-m", "workbench.ecosystem", "--servers", "ours-threads", "waitress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            servers = wait_for_servers(child)
            child.send_signal(number)
            said = [child.stderr.readline(), child.stderr.readline()]
            child.send_signal(number)  # a second one does not disturb the end of the servers
            out, err = child.communicate(timeout=DEADLINE)
        finally:
            if child.poll() is None:
                child.kill()
    assert child.returncode == 130
    assert out == b""
    assert said == [b"\n", b"matrix: ending the servers ...\n"]
    assert err == b"\nmatrix: stopped\n"
    for each in servers:
        assert not each.is_running() or each.status() == psutil.STATUS_ZOMBIE


def wait_for_servers(child):
    """Wait until the command has started servers, and return them."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with contextlib.suppress(psutil.Error):
            servers = psutil.Process(child.pid).children(recursive=True)
            if len(servers) > 1:
                return servers
        time.sleep(0.02)
    raise AssertionError("no server was started")
