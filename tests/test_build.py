"""The builder: text to notebook and back, what is stored, and that a second run changes nothing."""

from __future__ import annotations

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import build
from workbench.percent import from_text, to_text
from workbench.stored import adopt, keep, normalise, substitutions

TEXT = """\
# %% [markdown] slide=slide
# A title

Some text.

# %%
import socket

socket.AF_INET

# %% tags=raises-exception,allow-sleep slide=fragment
[].pop()
"""
SUBSTITUTIONS = substitutions(build.SANITIZER)


def stream(text):
    return nbformat.v4.new_output("stream", text=text)


def ran(text, *outputs):
    """Return the stored form of a notebook whose code cells put out ``outputs``."""
    notebook = from_text(text)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, output in zip(cells, outputs, strict=True):
        cell.execution_count = 7
        cell.outputs = [output] if output else []
    return normalise(notebook, build.ROOT)


# ------------------------------------------------------------------ the text form


def test_text_becomes_cells():
    title, code, failing = from_text(TEXT).cells
    assert (title.cell_type, title.source) == ("markdown", "# A title\n\nSome text.")
    assert title.metadata == {"slideshow": {"slide_type": "slide"}}
    assert (code.cell_type, code.source) == ("code", "import socket\n\nsocket.AF_INET")
    assert failing.metadata.tags == ["raises-exception", "allow-sleep"]


def test_text_comes_back_as_it_was():
    assert to_text(from_text(TEXT)) == TEXT


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda line: not line.startswith("# %%")
)


@given(st.lists(st.tuples(st.sampled_from(["code", "markdown"]), st.lists(LINE, min_size=1))))
def test_any_cells_come_back(cells):
    notebook = nbformat.v4.new_notebook()
    for kind, lines in cells:
        make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        notebook.cells.append(make("\n".join(lines)))
    again = from_text(to_text(notebook))
    assert [(c.cell_type, c.source) for c in again.cells] == [
        (c.cell_type, c.source) for c in notebook.cells
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n# %%\n", "line 2: the text before the first"),
        ("# %%\n1\n# %% [raw]\n", "line 3: a cell starts with"),
        ("# %% tag=x\n", "line 1: a cell starts with"),
        ("# %%%\n", "line 1"),
    ],
)
def test_a_header_that_is_not_understood_is_named(text, words):
    with pytest.raises(ValueError, match=words):
        from_text(text)


def test_a_cell_that_would_read_as_two_is_refused():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1\n# %% 2")])
    with pytest.raises(ValueError, match="cell 1 has a line"):
        to_text(notebook)


# ------------------------------------------------------------------ what is stored


def test_only_what_any_viewer_shows_is_stored():
    widget = nbformat.v4.new_output(
        "display_data",
        {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "Slider()"},
        metadata={"image/png": {"alt": "gone"}},
    )
    notebook = from_text("# %%\nslider\n")
    notebook.metadata.widgets = {"state": {}}
    notebook.cells[0].metadata.execution = {"iopub.status.busy": "2026"}
    notebook.cells[0].update(execution_count=31, outputs=[widget])
    cell = normalise(notebook, build.ROOT).cells[0]
    assert cell.outputs[0].data == {"text/plain": "Slider()"}
    assert (cell.outputs[0].metadata, cell.metadata, cell.execution_count) == ({}, {}, 1)
    assert set(normalise(notebook, build.ROOT).metadata) == {"kernelspec", "language_info"}


def test_the_pieces_of_a_stream_are_joined():
    notebook = from_text("# %%\nprint()\n")
    notebook.cells[0].update(execution_count=1, outputs=[stream("a\n"), stream("b\n")])
    assert [o.text for o in normalise(notebook, build.ROOT).cells[0].outputs] == ["a\nb\n"]


def test_a_traceback_names_no_place_of_the_machine():
    line = f"\x1b[32m{build.ROOT}/reference/handmade/http1.py:20\x1b[39m, in f"
    library = "File \x1b[32m~/somewhere/lib/python3.11/json/decoder.py:337\x1b[39m"
    error = nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[line, library])
    assert ran("# %%\nf()\n", error).cells[0].outputs[0].traceback == [
        "\x1b[32mreference/handmade/http1.py:20\x1b[39m, in f",
        "File \x1b[32mlib/json/decoder.py:337\x1b[39m",
    ]


def test_ids_come_from_the_source_and_an_insertion_moves_none():
    before = [cell.id for cell in ran("# %%\n1\n# %%\n2\n# %%\n1\n", None, None, None).cells]
    after = [cell.id for cell in ran("# %%\n1\n# %%\n3\n# %%\n2\n# %%\n1\n", *[None] * 4).cells]
    assert len(set(before)) == 3
    assert [after[0], after[2], after[3]] == before


def test_normalising_twice_changes_nothing():
    once = ran(TEXT, stream("2\n"), None)
    assert normalise(once, build.ROOT) == once


def test_measured_cells_are_left_out_of_the_comparison_without_being_told():
    notebook = ran("# %% tags=measured\ntime()\n", stream("0.1"))
    assert notebook.cells[0].metadata.tags == ["measured", "nbval-ignore-output"]
    assert to_text(notebook) == "# %% tags=measured\ntime()\n"


# ------------------------------------------------------------------ what is kept


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("at 0x7f0011223344\n", "at 0x7f5566778899\n", True),
        ("http://127.0.0.1:40001/\n", "http://127.0.0.1:40002/\n", True),
        ("('127.0.0.1', 40001)\n", "('127.0.0.1', 40002)\n", True),
        ("200 OK\n", "404 Not Found\n", False),
    ],
)
def test_an_output_that_says_the_same_is_kept(old, new, kept):
    fresh = ran("# %%\nf()\n", stream(new))
    keep(fresh, ran("# %%\nf()\n", stream(old)), SUBSTITUTIONS)
    assert fresh.cells[0].outputs[0].text == (old if kept else new)


def picture(png, text):
    return nbformat.v4.new_output("display_data", {"image/png": png, "text/plain": text})


@pytest.mark.parametrize(("text", "kept"), [("▶", True), ("▶▶", False)])
def test_a_picture_is_kept_while_its_text_is_the_same(text, kept):
    fresh = ran("# %%\ndraw()\n", picture("bmV3", text))
    keep(fresh, ran("# %%\ndraw()\n", picture("b2xk", "▶")), SUBSTITUTIONS)
    assert fresh.cells[0].outputs[0].data["image/png"] == ("b2xk" if kept else "bmV3")


def test_a_measured_output_is_kept():
    text = "# %% tags=measured\nf()\n"
    fresh = ran(text, stream("0.2"))
    keep(fresh, ran(text, stream("0.1")), SUBSTITUTIONS)
    assert fresh.cells[0].outputs[0].text == "0.1"


def test_a_new_text_adopts_the_ids_and_outputs_of_what_did_not_change():
    old = ran("# %%\n1\n# %%\n2\n# %%\n3\n", stream("one"), stream("two"), stream("three"))
    for cell, name in zip(old.cells, ["first", "second", "third"], strict=True):
        cell.id = name
    new = normalise(from_text("# %%\n0\n# %%\n1\n# %%\n22\n# %%\n3\n"), build.ROOT)
    adopt(new, old)
    new = normalise(new, build.ROOT)
    assert [cell.id for cell in new.cells][1:] == ["first", "second", "third"]
    assert [[o.text for o in cell.outputs] for cell in new.cells] == [[], ["one"], [], ["three"]]


# ------------------------------------------------------------------ running


DRAFT = """\
# %% [markdown]
# Run me
# %%
print( object() )
# %% tags=raises-exception
{}["missing"]
# %% tags=measured
import time
time.perf_counter_ns()
"""


def test_a_second_run_changes_not_one_byte(tmp_path, capsys):
    draft, target = tmp_path / "draft.txt", tmp_path / "01.ipynb"
    draft.write_text(DRAFT, encoding="utf-8")
    assert build.main(["--import", str(draft), str(target)]) == 0
    first = target.read_bytes()
    assert b"print(object())" in first, "the code is laid out"
    assert build.main(["--check", str(target)]) == 0
    assert build.main(["--import", str(draft), str(target)]) == 0
    assert target.read_bytes() == first

    target.write_bytes(first.replace(b"KeyError", b"IndexError"))
    capsys.readouterr()
    assert build.main(["--check", str(target)]) == 1
    assert capsys.readouterr().out == "01.ipynb: would change in cells 3\n"
    assert build.main([str(target)]) == 0
    assert target.read_bytes() == first


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("# %%\n1 / 0\n", "ZeroDivisionError"),
        ("# %% tags=raises-exception\n1\n", "cell 1 is tagged raises-exception and raises nothing"),
    ],
)
def test_a_cell_that_does_not_do_as_tagged_is_reported_and_nothing_is_written(
    tmp_path, capsys, source, words
):
    draft, target = tmp_path / "draft.txt", tmp_path / "01.ipynb"
    draft.write_text(source, encoding="utf-8")
    assert build.main(["--import", str(draft), str(target)]) == 1
    assert words in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize("arguments", [["nowhere"], ["--export", "nowhere.ipynb"]])
def test_a_notebook_that_is_not_there_is_one_line(arguments, capsys):
    assert build.main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1
