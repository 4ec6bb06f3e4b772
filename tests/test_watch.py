"""The watch in a real terminal: keys, saving, going on, being stopped, being killed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from workbench import progress
from workbench.exercises import memory, strip
from workbench.exercises.catalogue import all_exercises

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
if os.name != "nt":
    from terminals import Terminal

ROOT = Path(__file__).resolve().parents[1]
FIRST, SECOND, THIRD = all_exercises()[:3]
KEYS = "[q]uit"
LOOPS = "import os\nopen({told!r}, 'w').write(f'{{os.getpid()}} ')\nwhile True:\n    pass\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with all exercises as they are handed out, and nothing remembered."""
    monkeypatch.delenv("HANDMADE_NO_PROGRESS", raising=False)
    monkeypatch.setenv("HANDMADE_PROGRESS", str(tmp_path / "progress"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "reference"))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    target = tmp_path / "exercises"
    target.mkdir()
    for exercise in all_exercises():
        (target / exercise.file).write_text(strip.handed_out(exercise), encoding="utf-8")
    return target


def command(folder, *words):
    return [sys.executable, "-m", "workbench.exercises", "watch", *words, "--folder", str(folder)]


def watching(folder, *words, columns=80):
    return Terminal(command(folder, *words), os.environ, columns)


def save(folder, exercise, source=None):
    """Write as editors do: a new file, renamed over the old one."""
    path = folder / exercise.file
    new = path.with_suffix(".new")
    if source is None:
        source = (strip.SOLUTIONS / exercise.file).read_text(encoding="utf-8")
    new.write_text(source, encoding="utf-8")
    new.replace(path)


def is_gone(pid, seconds=10.0):
    end = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def pid_in(path):
    """Wait until a learner's code has told its process id."""
    end = time.monotonic() + 30
    while not path.exists() or not path.read_text().endswith(" "):
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(path.read_text())


# --- A session


def test_a_session(folder):
    with watching(folder, columns=76) as terminal:
        assert "0 of " in terminal.wait_for(KEYS)
        save(folder, FIRST, 'def first_line(raw):\n    return raw.split(b"\\n")[0]\n')
        assert "^ byte 19" in terminal.wait_for(KEYS)
        terminal.type("h")
        assert "Hint 1 of 3" in terminal.wait_for(KEYS)
        save(folder, FIRST)
        said = terminal.wait_for(KEYS)
        assert "✓ first-line ★  Cut off the first line: 2 of 2 points hold" in said
        assert "Why it works, and what the real servers do:" in said
        assert "Any key goes on to split-reads ★." in said
        assert progress.done("exercise", "first-line")
        terminal.type(" ")
        said = terminal.wait_for(KEYS)
        assert f"── 1 of {len(all_exercises())} solved · split-reads ★ · " in said
        picture = terminal.screen
        terminal.type("q")
        assert terminal.ends() == 0
        assert terminal.mode() == terminal.mode_before
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = re.search(r"<!-- watch: begin -->\n```\n(.*?)\n```", text, re.DOTALL)[1]
    count = re.compile(r"\d+ of \d+ solved")  # there will be more exercises
    drawn, picture = (count.sub("some solved", each) for each in (drawn, picture))
    assert [part for part in drawn.split("\n  ⋮\n") if part not in picture] == []


def test_the_other_keys(folder):
    with watching(folder) as terminal:
        terminal.wait_for(KEYS)
        terminal.type("s")
        assert "first-line is not solved yet, and 3 hints are unread." in terminal.wait_for(KEYS)
        terminal.type("S")
        assert "A solution of first-line" in terminal.wait_for(KEYS)
        terminal.type("p")
        assert "✓ solved  ◆ after a look at the solution" in terminal.wait_for(KEYS)
        terminal.type("r")
        assert "not begun" in terminal.wait_for(KEYS)
        terminal.type("\r")
        assert "not begun" in terminal.wait_for(KEYS)
        terminal.type("x\x1b[A")  # an arrow is no [A
        assert "──" not in terminal.wait_for(KEYS)
        terminal.type("n")
        assert "split-reads ★" in terminal.wait_for(KEYS)
        terminal.type("q")
        assert terminal.ends() == 0
    assert progress.done("solution", "first-line") == memory.EARLY


def test_a_narrow_terminal(folder):
    with watching(folder, SECOND.name, columns=60) as terminal:
        terminal.wait_for(KEYS)
        save(folder, SECOND, "def read_head(sock):\n    return sock.recv(4096), b''\n")
        terminal.wait_for(KEYS)
        terminal.type("hp")
        terminal.wait_for(KEYS)
        terminal.wait_for(KEYS)
        code = re.compile(r" {4}(?:sent|wanted|came): | +\^ byte")  # bytes stand below each other
        lines = [line for line in terminal.screen.split("\n") if not code.search(line)]
        assert max(map(len, lines)) <= 60


def test_it_ends_when_all_is_solved(folder):
    for exercise in all_exercises()[1:]:
        progress.mark("exercise", exercise.name)
    with watching(folder) as terminal:
        terminal.wait_for(KEYS)
        terminal.type("n")
        terminal.wait_for("No other exercise is open.")
        save(folder, FIRST)
        terminal.wait_for("This was the last one: all exercises are solved.")
        assert terminal.ends() == 0
        assert terminal.mode() == terminal.mode_before
    done = subprocess.run(command(folder), capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (0, "All exercises are solved.\n")


# --- Files, and checks that run


def test_a_file_that_goes_away_and_comes_back(folder):
    with watching(folder) as terminal:
        terminal.wait_for(KEYS)
        (folder / FIRST.file).unlink()
        terminal.wait_for(
            "exercises/ch00_first_line.py is gone; the watch goes on when it is back."
        )
        save(folder, FIRST)
        terminal.wait_for("2 of 2 points hold")


@pytest.mark.parametrize("how", ["save", "next", "hint", "quit", "interrupt", "kill"])
def test_a_check_that_runs_is_ended(folder, tmp_path, how):
    told = tmp_path / "pid"
    with watching(folder) as terminal:
        terminal.wait_for(KEYS)
        save(folder, FIRST, LOOPS.format(told=str(told)))
        pid = pid_in(told)
        if how == "save":
            save(folder, FIRST)
            assert "still running" not in terminal.wait_for("2 of 2 points hold")
        elif how == "next":
            terminal.type("n")
            terminal.wait_for("split-reads ★")
        elif how == "hint":
            terminal.type("h")
            assert "The check was stopped; r starts it again." in terminal.wait_for("Hint 1 of 3")
        elif how == "quit":
            terminal.type("q")
            assert terminal.ends() == 0
        elif how == "interrupt":
            terminal.type("\x03")
            assert terminal.ends() == 0
        else:
            terminal.child.kill()
        assert is_gone(pid)


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(0, 9)", "sys.exit(0)"])
def test_code_that_ends_its_process_does_not_end_the_watch(folder, ending):
    with watching(folder) as terminal:
        terminal.wait_for(KEYS)
        save(folder, FIRST, f"import os, sys\n\ndef first_line(raw):\n    {ending}\n")
        assert "✗ a request" in terminal.wait_for(KEYS)
        save(folder, FIRST)
        terminal.wait_for("2 of 2 points hold")


# --- Ends, and beginning again

CRASH = """
import sys
from workbench.exercises import __main__, watch
watch._Watch._look = lambda self: 1 / 0
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", ["q", "ctrl-c", "SIGTERM", "SIGHUP", "crash"])
def test_the_terminal_is_as_it_was(folder, how):
    words = command(folder)
    if how == "crash":
        words = [sys.executable, "-c", CRASH, *words[3:]]
    with Terminal(words, os.environ) as terminal:
        if how != "crash":
            terminal.wait_for(KEYS)
            assert terminal.mode() != terminal.mode_before, "keys come without Enter"
        if how.startswith("SIG"):
            terminal.child.send_signal(getattr(signal, how))
        elif how != "crash":
            terminal.type({"q": "q", "ctrl-c": "\x03"}[how])
        codes = {"q": 0, "ctrl-c": 0, "SIGTERM": 143, "SIGHUP": 129, "crash": 1}
        assert terminal.ends() == codes[how], terminal.screen
        assert terminal.mode() == terminal.mode_before
        assert ("Traceback" in terminal.screen) == (how == "crash")


def test_it_begins_where_it_was_killed(folder):
    with watching(folder) as terminal:
        for exercise in (FIRST, SECOND, THIRD):
            terminal.wait_for(f"{exercise.name} ★")
            terminal.wait_for(KEYS)
            if exercise is not THIRD:
                terminal.type("n")
        terminal.child.kill()
    with watching(folder) as terminal:
        assert f"{THIRD.name} ★" in terminal.wait_for(KEYS)
        save(folder, THIRD)
        terminal.wait_for("Any key goes on to ")
        terminal.child.kill()  # at a solved one, before any key
    with watching(folder) as terminal:
        following = all_exercises()[3]
        assert f"1 of {len(all_exercises())} solved · {following.name}" in terminal.wait_for(KEYS)


def test_no_mark_is_lost_however_it_is_killed(tmp_path, monkeypatch):
    """Each mark that was made when the process was still there is there after it was killed."""
    monkeypatch.delenv("HANDMADE_NO_PROGRESS", raising=False)
    monkeypatch.setenv("HANDMADE_PROGRESS", str(tmp_path / "progress"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "reference"))
    code = (
        "import os, sys; from workbench import progress\n"
        "for n in range(10**9):\n"
        "    progress.mark('exercise', f'{sys.argv[1]}-{n}'); os.write(1, b'%d\\n' % n)"
    )
    chance = random.Random(4)
    for number in range(8):
        words = [sys.executable, "-c", code, str(number)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
            marks = chance.randrange(1, 200)
            seen = [child.stdout.readline() for _ in range(marks)]
            time.sleep(chance.random() / 500)  # so that it dies at any place of the loop
            child.kill()
            seen += child.stdout.read().splitlines(keepends=True)
        made = [int(line) for line in seen if line.endswith(b"\n")]
        kept = progress.entries("exercise")
        assert {f"{number}-{n}" for n in made} <= kept.keys()
    progress.mark("exercise", "after all that")
    assert progress.done("exercise", "after all that")


def test_what_the_screen_has_told_is_kept_when_it_is_killed(folder):
    """Solve one after the other, and kill the watch at a random moment of each."""
    chance = random.Random(5)
    told, exercises = set(), all_exercises()[:4]
    for exercise in exercises:
        with watching(folder, exercise.name) as terminal:
            terminal.wait_for(KEYS)
            save(folder, exercise)
            if exercise is exercises[-1]:  # so that it has told something once, at least
                terminal.wait_for("points hold")
            end = time.monotonic() + chance.random()
            while time.monotonic() < end and "points hold" not in terminal.screen:
                time.sleep(0.005)
            terminal.child.kill()
            terminal.child.wait()
            if re.search(f"^✓ {exercise.name} ", terminal.screen, re.MULTILINE):
                told.add(exercise.name)
        marks = Path(os.environ["HANDMADE_PROGRESS"]).read_text(encoding="utf-8").split("\n\n")
        assert all(json.loads(line) for line in marks), "no line is torn"
        assert told <= progress.entries("exercise").keys()
        assert memory.left_off() == exercise.name
    assert told


# --- Without a terminal


def test_lines_from_a_pipe(folder):
    done = subprocess.run(
        command(folder),
        input="h\n\nn\ns\n",
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.stderr == ""
    assert "[q]uit, each with Enter" in done.stdout
    assert "Hint 1 of 3" in done.stdout
    assert "split-reads is not solved yet" in done.stdout
    assert done.returncode == 1


def test_without_anybody_it_ends_after_one_check(folder):
    for name, code in (("half-close", 1), ("first-line", 0)):
        save(folder, FIRST)
        done = subprocess.run(
            command(folder, name),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert done.returncode == code
        assert f"{name} ★" in done.stdout
        assert done.stderr == ""
