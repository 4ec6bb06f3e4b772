"""Do predictions ask, remember and tell, and is no mark ever lost?"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from workbench import lab, progress
from workbench.predict import FILE, outcome, predict, question


@pytest.fixture
def remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDMADE_PROGRESS", str(tmp_path / "progress.jsonl"))
    monkeypatch.delenv("HANDMADE_NO_PROGRESS", raising=False)
    return tmp_path / "progress.jsonl"


def test_a_question_is_shown_without_its_answer():
    assert repr(predict("01-eof")) == (
        "The client shuts down its sending side. What does the server's next recv return?\n"
        "  a) b'': the end of the client's bytes\n"
        "  b) nothing: it waits for ever\n"
        "  c) it raises ConnectionResetError\n"
        '  To answer by typing: predict("01-eof", "a")'
    )
    bundle = predict("01-eof")._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "not an error" not in "".join(bundle.values())


def test_the_outcome_of_a_question_that_nobody_answered(capsys):
    outcome("01-split")
    assert capsys.readouterr().out == (
        "The answer is b) b'onet' and b'wo': as much as is there, up to 4. The reason: TCP\n"
        "carries a stream of bytes in order, and keeps no boundary of any send.\n"
    )


def test_an_answer_is_remembered(remembered, capsys):
    assert predict("01-eof", "B ") is None
    assert capsys.readouterr().out == "You predict b) nothing: it waits for ever.\n"
    outcome("01-eof")
    said = capsys.readouterr().out
    assert said.startswith("You predicted b) nothing: it waits for ever.\nIt is a) b'': the end of")
    predict("01-eof", "a")
    capsys.readouterr()
    outcome("01-eof")
    assert capsys.readouterr().out.startswith("As you predicted, it is a) b'': ")


def test_a_check_neither_reads_nor_writes(remembered, monkeypatch, capsys):
    predict("01-eof", "a")
    monkeypatch.setenv("HANDMADE_NO_PROGRESS", "1")
    predict("01-eof", "b")
    capsys.readouterr()
    outcome("01-eof")
    assert capsys.readouterr().out.startswith("The answer is a)")
    assert remembered.read_text().count("01-eof") == 1


def test_the_checks_of_this_project_do_not_touch_a_learners_file(monkeypatch):
    monkeypatch.delenv("HANDMADE_PROGRESS", raising=False)
    assert progress.ignored()
    progress.mark("prediction", "01-eof", "a")
    assert progress.done("prediction", "01-eof") is None


def test_wrong_keys_and_answers_are_said():
    with pytest.raises(LookupError, match="'01-eof'\\?"):
        predict("01-eoff")
    with pytest.raises(ValueError, match="one of a, b, c"):
        predict("01-eof", "z")


@pytest.mark.parametrize("key", tomllib.loads(FILE.read_text("utf-8")))
def test_each_question_is_complete(key):
    asked = question(key)
    assert asked.text.endswith("?")
    assert 2 <= len(asked.choices) <= 4
    assert list(asked.choices) == list("abcd")[: len(asked.choices)]
    assert asked.answer in asked.choices
    assert asked.why.rstrip(".") == asked.why


# --- Progress ---------------------------------------------------------------------------------


def test_marks_of_several_kinds(remembered):
    progress.mark("exercise", "keepalive")
    progress.mark("prediction", "keepalive", "a")
    progress.mark("exercise", "keepalive", 3)
    assert progress.entries("exercise") == {"keepalive": 3}
    assert progress.done("prediction", "keepalive") == "a"
    assert progress.done("exercise", "other") is None


def test_a_torn_line_costs_itself_alone(remembered):
    progress.mark("exercise", "one")
    with remembered.open("a") as file:
        file.write('{"kind": "exercise", "key": "to')
    progress.mark("exercise", "two")
    with remembered.open("a") as file:
        file.write("[]\n{}\nnonsense")
    assert progress.entries("exercise") == {"one": True, "two": True}


def test_many_writers_lose_nothing(remembered):
    code = (
        "from workbench import progress; import sys\n"
        "for n in range(200): progress.mark('exercise', f'{sys.argv[1]}-{n}')"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    writers = [subprocess.Popen([sys.executable, "-c", code, str(n)], env=env) for n in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert len(progress.entries("exercise")) == 800


def test_what_cannot_be_written_is_remembered_for_the_session(tmp_path, monkeypatch):
    monkeypatch.delenv("HANDMADE_NO_PROGRESS", raising=False)
    monkeypatch.setenv("HANDMADE_PROGRESS", str(tmp_path / "missing" / "progress.jsonl"))
    monkeypatch.setattr(progress, "_unwritten", [])
    progress.mark("exercise", "one")
    assert progress.done("exercise", "one") is True


# --- What a notebook imports ------------------------------------------------------------------


def test_the_lab_has_all_it_promises_and_loads_nothing_heavy():
    assert all(hasattr(lab, name) for name in lab.__all__)
    code = (
        "import sys; from workbench.lab import *; start(); "
        "print({'matplotlib', 'httpx', 'IPython', 'ipywidgets', 'pygments'} & set(sys.modules))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=60)
    assert done.stdout.decode().strip() == "set()"
