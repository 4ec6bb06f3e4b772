"""What the exercises of chapter 06 stand on: servers that are shared, masked, and gone again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import psutil
import pytest

from workbench.contracts.wire import Wire, request
from workbench.exercises import keeping, runner
from workbench.exercises.catalogue import find
from workbench.exercises.keeping import kept
from workbench.exercises.model import Slip
from workbench.exercises.wild_names import Masked

PLAIN = {"wsgiref": "{python} -m workbench.ecosystem.plain {app} --port {port}"}
OK = request("/ok", "Connection: close")
OWNER = """
import sys, time
from workbench.exercises.keeping import kept
print(kept({plan})["wsgiref"].pid, flush=True)
time.sleep(30)
"""


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays():
    yield
    keeping.see_them_go()


def test_points_share_a_server():
    first = kept(PLAIN)["wsgiref"]
    assert first.ask(OK).body == b"ok"
    assert kept(PLAIN)["wsgiref"].pid == first.pid


def test_one_that_does_not_start_is_told_in_a_line_and_not_tried_again():
    plan = {"nobody": "{python} -m no_such_module"}
    with pytest.raises(Slip, match=r"nobody does not start: .*No module named no_such_module"):
        kept(plan)
    began = time.monotonic()
    with pytest.raises(Slip, match="no_such_module"):
        kept(plan)
    assert time.monotonic() - began < 0.1


def test_they_end_with_their_owner_however_it_ends(tmp_path):
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = OWNER.replace("{plan}", repr(PLAIN))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as owner:
        server = psutil.Process(int(owner.stdout.readline()))
        assert server.is_running()
        owner.send_signal(signal.SIGKILL)
    psutil.wait_procs([server], 5.0)
    assert not server.is_running()
    end = time.monotonic() + 5.0
    while list(tmp_path.iterdir()) and time.monotonic() < end:
        time.sleep(0.02)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("says", ["", "somebody"])
def test_a_mask_takes_the_name_and_leaves_the_rest(says):
    server = kept(PLAIN)["wsgiref"]
    bare = server.ask(OK)
    assert {"server", "date"} <= {name for name, _ in bare.fields}
    masked = Masked(server.address, says)
    with Wire(masked.address) as wire:
        seen = wire.send(OK).response()
    masked.close()
    others = [pair for pair in bare.fields if pair[0] not in ("server", "date")]
    assert seen.fields == [("server", says)] * bool(says) + others
    assert (seen.status, seen.body) == (bare.status, bare.body)


def told(name, label, subject):
    exercise = find(name)
    points = tuple(point for point in exercise.points if point.label == label)
    began = time.monotonic()
    grade = runner.grade_object(replace(exercise, points=points), subject)
    assert time.monotonic() - began < 15
    return grade.results[0].problem


def raises(*arguments):
    return {}["nothing"]


class Deaf:
    def __init__(self, listener, command, grace):
        self.listener = listener

    def start(self):
        self.listener.accept()


@pytest.mark.parametrize(
    ("name", "label", "subject", "words"),
    [
        ("who-answers", "wsgiref", lambda address: b"wsgiref", "yours returned b'wsgiref'"),
        ("who-answers", "wsgiref", raises, "KeyError: 'nothing'"),
        ("configure-gunicorn", "the rate", lambda: "-w 2", "a list of strings"),
        ("configure-gunicorn", "the rate", lambda: ["--workers 2"], "two words"),
        ("configure-gunicorn", "the rate", lambda: ["-b", "0.0.0.0:80"], "not free to choose"),
        ("configure-gunicorn", "the rate", lambda: ["-w", "many"], "invalid int value: 'many'"),
        ("configure-gunicorn", "the rate", lambda: time.sleep(60), "still waiting after 2 s"),
        ("configure-gunicorn", "the rate", raises, "KeyError: 'nothing'"),
        ("reload-without-loss", "start and stop", Deaf, "start() is still waiting after 4 s"),
        ("reload-without-loss", "start and stop", raises, "KeyError: 'nothing'"),
    ],
)
def test_a_mistake_ends_in_a_clear_message(name, label, subject, words):
    assert words in told(name, label, subject)


class Forgetful:
    def __init__(self, listener, command, grace):
        self.how = {"args": command, "pass_fds": [listener.fileno()]}

    def start(self):
        Forgetful.worker = subprocess.Popen(**self.how, stdout=subprocess.DEVNULL)

    def stop(self):
        pass


def test_nothing_of_a_forgotten_worker_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = told("reload-without-loss", "start and stop", Forgetful)
    assert "after stop() there are 1 worker processes; 0 is right" in said
    assert Forgetful.worker.wait(2.0) is not None
    assert not list(tmp_path.iterdir())
