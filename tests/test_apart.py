"""Whatever a learner's code does, it is named within seconds, and who checks it lives on."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from workbench.exercises import Exercise, Point, apart, apart_child, check, runner, strip
from workbench.exercises.catalogue import find
from workbench.exercises.report import report

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not apart.FORKS, reason="no copy of this process can be made")


def call(subject):
    subject()


TOY = Exercise(
    "toy", 1, "A toy", 1, "subject",
    (Point("it is called", call, "a trap"), Point("it is called again", call, "another")),
    ("a", "b", "c"), "Done.", 0.4,
)  # fmt: skip
ONE = replace(TOY, points=TOY.points[:1])


@pytest.fixture(autouse=True)
def _nothing_stays():
    """See that no process of this one is left, and that it can still be interrupted."""
    before = signal.getsignal(signal.SIGINT)
    there = psutil.Process().children()  # what another file's exercises keep until the end
    yield
    assert signal.getsignal(signal.SIGINT) is before
    left = [child for child in psutil.Process().children() if child.status() != "zombie"]
    assert [child for child in left if child not in there] == []
    assert not any(thread.name == "results" for thread in threading.enumerate())


def grade_of(subject, seconds=10.0):
    began = time.monotonic()
    grade = apart.grade_object(TOY, subject)
    assert time.monotonic() - began < seconds
    return grade


def first_problem(subject, seconds=10.0):
    grade = grade_of(subject, seconds)
    assert not grade.passed
    assert len(grade.results) == 2
    assert grade.results[0].state == runner.FAILED
    return grade.results[0].problem


# --- Code that no thread can stop


def explode():
    re.match(r"(a+)+$", "a" * 40 + "b")


def fork_on_and_on():
    while True:
        os.fork()


def grow():
    kept = []
    while True:
        kept.append(bytearray(b"x") * 10_000_000)


def crash():
    import ctypes

    ctypes.string_at(0)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()


ENDINGS = {
    explode: r"still running after 0.4 s, at line \d+ .*, in explode: re.match.*lets nothing else",
    lambda: os._exit(3): "your code ended its process, with exit code 3",
    lambda: os.kill(os.getpid(), signal.SIGKILL): "your code's process was ended by SIGKILL",
    lambda: os.kill(os.getpid(), signal.SIGTERM): "your code's process was ended by SIGTERM",
    lambda: os.killpg(0, signal.SIGTERM): "your code's process was ended by SIGTERM",
    interrupt: "your code sent itself SIGINT, which is what Ctrl-C sends",
    fork_on_and_on: "forked more than 100 times, at line .*, in fork_on_and_on: os.fork()",
    grow: r"takes more than 0.25 GiB of memory, at line \d+ .*, in grow: ",
    crash: r"ended by SIGSEGV, at line \d+ .*, in crash: ctypes.string_at\(0\)",
}


@pytest.mark.parametrize("subject", ENDINGS, ids=lambda each: ENDINGS[each][:40])
def test_code_that_takes_its_process_with_it(subject, monkeypatch):
    monkeypatch.setattr(apart, "GRACE", 1.0)
    monkeypatch.setattr(apart, "MOST_MEMORY", 1 << 28)
    # A busy machine is slow to fork a hundred times; who waits for a limit waits for a short one.
    toy = TOY if subject is explode else replace(TOY, seconds=30.0)
    began = time.monotonic()
    grade = apart.grade_object(toy, subject)
    assert time.monotonic() - began < 20
    first, second = grade.results
    assert first.state == runner.FAILED
    assert re.search(ENDINGS[subject], first.problem), first.problem
    assert second.state == runner.NOT_RUN
    text = report(TOY, grade).text
    assert "(· was not looked at, because the process had ended)" in text
    assert ("a trap" in text) == (subject is explode), "what explains itself needs no advice"


def test_a_wish_for_all_memory_fails_at_its_line():
    problem = first_problem(lambda: b"x" * (1 << 40))
    assert problem.startswith("MemoryError, at line")


def test_an_endless_loop_that_catches_everything_ends_with_its_process():
    def subject(depth=20):
        """Catch everything, also what arrives while another one is being caught."""
        while True:
            try:
                if depth:
                    subject(depth - 1)
            except BaseException:
                pass

    grade = grade_of(subject)
    assert "It cannot be stopped, for it catches every exception" in grade.results[0].problem
    assert "restart" not in grade.results[0].problem


def test_a_call_that_never_returns():
    (result,) = apart.grade_object(ONE, lambda: time.sleep(1e9)).results
    assert "still waiting after 0.4 s, at line" in result.problem


@pytest.mark.parametrize("write", [lambda: print("x" * 99), lambda: os.write(1, b"x" * 999)])
def test_output_without_an_end(write, capfd):
    def subject():
        while True:
            write()

    grade = grade_of(subject)
    assert "still running after 0.4 s" in grade.results[0].problem
    assert len(grade.printed) <= runner.MOST_PRINTED
    assert capfd.readouterr() == ("", "")


def test_recursion_without_an_end():
    def subject():
        subject()

    assert first_problem(subject).startswith("RecursionError: maximum recursion depth exceeded")


def test_nobody_types():
    def subject():
        # In a kernel, or here under pytest, this is another function than in a terminal.
        __import__("builtins").input()

    assert first_problem(subject).startswith("EOFError: nobody types while a check runs, at line")


@pytest.mark.parametrize("leaves_group", [False, True])
def test_what_the_code_has_started_ends_with_it(leaves_group, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "GRACE", 1.0)
    told = tmp_path / "pid"

    def subject():
        if os.fork() == 0:
            if leaves_group:
                os.setsid()
            told.write_text(f"{os.getpid()} ")
            while True:
                pass
        while not told.exists() or not told.read_text().endswith(" "):
            pass
        explode() if leaves_group else None

    grade_of(subject)
    assert is_gone(int(told.read_text()))


def is_gone(pid, seconds=10.0):
    end = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


# --- What holds, holds here too


def test_the_grade_is_the_same():
    def subject():
        print("hello")

    grade = grade_of(subject)
    assert grade.passed
    assert (grade.printed, grade.lines) == ("hello\nhello\n", 2)


def test_a_fault_reads_the_same():
    def subject():
        return 1 / 0

    assert grade_of(subject).results == runner.grade_object(TOY, subject).results


def test_it_is_a_copy_and_changes_nothing_here():
    changed = []
    assert grade_of(lambda: changed.append(1)).passed
    assert changed == []


def test_the_limit_of_the_check_around_it_ends_it_too(tmp_path):
    from workbench.deadline import TookTooLong, deadline

    patient = replace(TOY, seconds=60.0)
    told = tmp_path / "pid"

    def subject():
        told.write_text(str(os.getpid()))
        explode()

    with pytest.raises(TookTooLong), deadline(1.0):
        apart.grade_object(patient, subject)
    assert is_gone(int(told.read_text()))


def test_a_check_that_was_stopped_leaves_nothing(tmp_path):
    path = tmp_path / "ch00_first_line.py"
    told = tmp_path / "pid"
    path.write_text(
        f"import os\nopen({str(told)!r}, 'w').write(f'{{os.getpid()}} ')\nwhile 1: pass"
    )
    with apart.of_file(find("first-line"), path) as running:
        while not told.exists() or not told.read_text().endswith(" "):
            assert not running.poll(0.02)
    assert is_gone(int(told.read_text()), 2)


@pytest.mark.parametrize("loop", ["while True: pass", "re.match(r'(a+)+$', 'a' * 40 + 'b')"])
def test_the_process_ends_with_who_has_started_it(loop, tmp_path):
    """Not even a SIGKILL leaves an endless loop behind."""
    if loop.startswith("re") and sys.platform != "linux":
        pytest.skip("here it ends with its alarm")
    told = tmp_path / "pid"
    code = (
        "import os, re, sys; from pathlib import Path\n"
        "from workbench.exercises import apart; from workbench.exercises.catalogue import find\n"
        "def first_line(raw):\n"
        f"    Path({str(told)!r}).write_text(f'{{os.getpid()}} ')\n"
        f"    {loop}\n"
        "apart.grade_object(find('first-line'), first_line)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "reference")}
    parent = psutil.Popen([sys.executable, "-c", code], env=env)
    try:
        end = time.monotonic() + 30
        while not told.exists() or not told.read_text().endswith(" "):
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
    assert is_gone(int(told.read_text()))


# --- Files


WAYS = {
    "forked": lambda exercise, path: apart._Forked(
        apart_child.seconds_for(exercise), lambda grade: apart._grade_file(exercise, path, grade)
    ),
    "fresh": apart._Fresh,
}

FILES = {
    "import os\nos._exit(4)\n": "cannot be imported: your code ended its process, with exit code 4",
    "import re\nre.match(r'(a+)+$', 'a' * 40 + 'b')\n": "cannot be imported: your code is still "
    "running after 0.5 s, at line 2 of exercises/ch00_first_line.py: re.match",
    "def (": "SyntaxError: invalid syntax, at line 1",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("source", FILES, ids=lambda source: source[:12])
def test_a_file_that_goes_wrong_when_it_is_imported(way, source, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "GRACE", 1.0)
    monkeypatch.setattr(runner, "IMPORT_SECONDS", 0.5)
    if way == "fresh":
        # The fresh Python has the limit of the course: here it is only heard of.
        monkeypatch.setattr(apart, "_LAUNCH", LIMITED)
    exercise, path = find("first-line"), tmp_path / "ch00_first_line.py"
    path.write_text(source)
    with apart.Check(exercise, WAYS[way](exercise, path), imports=True) as running:
        grade = running.wait()
    assert FILES[source] in " ".join(grade.obstacle.split())
    assert not grade.passed
    assert "✗ first-line" in report(exercise, grade).text


LIMITED = (
    "from workbench.exercises import runner; runner.IMPORT_SECONDS = 0.5; "
    "from workbench.exercises.apart_child import main; main()"
)


@pytest.mark.parametrize("way", WAYS)
def test_a_solution_passes(way):
    exercise = find("half-close")
    path = strip.SOLUTIONS / exercise.file
    with apart.Check(exercise, WAYS[way](exercise, path), imports=True) as running:
        assert running.wait().passed


def test_a_file_is_checked_by_a_fork_only_where_nothing_else_runs(monkeypatch):
    used = []
    monkeypatch.setattr(apart, "_Forked", lambda *_: used.append("forked"))
    monkeypatch.setattr(apart, "_Fresh", lambda *_: used.append("fresh"))
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    exercise = find("first-line")
    apart.of_file(exercise, strip.SOLUTIONS / exercise.file)
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    apart.of_file(exercise, strip.SOLUTIONS / exercise.file)
    assert used == ["forked", "fresh"]


def test_where_nothing_can_be_forked_a_thread_does(monkeypatch):
    monkeypatch.setattr(apart, "FORKS", False)
    changed = []
    assert apart.grade_object(TOY, lambda: changed.append(1)).passed
    assert changed == [1, 1]


def test_a_course_that_has_changed_meanwhile_is_named():
    exercise = find("half-close")
    older = replace(exercise, points=exercise.points[:1])
    path = strip.SOLUTIONS / exercise.file
    with apart.Check(older, WAYS["fresh"](exercise, path), imports=True) as running:
        grade = running.wait()
    assert grade.obstacle == apart.CHANGED
    assert not grade.passed


# --- The kernel itself


KERNEL = """
import os, re, signal
from workbench.exercises import apart, check
from workbench.exercises.model import Exercise, Point
apart.GRACE = 1.0
point = Point("it", lambda subject: subject())
toy = Exercise("toy", 1, "A toy", 1, "subject", (point,), ("", "", ""), "", 0.3)
def explode():
    re.match(r"(a+)+$", "a" * 40 + "b")
print(apart.grade_object(toy, explode).results[0].problem)
print(check("first-line", lambda raw: os._exit(1)).text)
print(check("first-line", lambda raw: os.kill(os.getpid(), signal.SIGKILL)).text)
print(check("first-line", lambda raw: raw.split(b"\\r\\n")[0]).text)
"""


def test_the_kernel_lives_on():
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    cells = [nbformat.v4.new_code_cell(source) for source in (KERNEL, "print('alive')")]
    config = Config(KernelManager={"transport_encryption": "auto"})
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120, config=config)
    done = client.execute(env={**os.environ, "PYTHONPATH": str(ROOT / "reference")})
    said, alive = ("".join(output.get("text", "") for output in c.outputs) for c in done.cells)
    assert "line 8 of the cell, in explode: re.match" in said
    assert "with exit code 1" in said
    assert "ended by SIGKILL" in said
    assert "2 of 2 points hold" in said
    assert alive == "alive\n"


def test_check_uses_it():
    text = check("first-line", lambda raw: os._exit(1)).text
    assert "your code ended its process, with exit code 1" in text
