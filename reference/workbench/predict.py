"""Ask before it runs: a question with choices, and the answer in a later cell.

    predict("01-eof")        # shows the question; click an answer where there are buttons
    predict("01-eof", "b")   # or type it
    outcome("01-eof")        # tells what it is, and why

The questions stand in ``predictions.toml``, so no cell gives an answer away. Nothing waits for the
learner: a notebook runs from top to bottom whether anybody answers or not.
"""

from __future__ import annotations

import difflib
import html
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench import progress

FILE = Path(__file__).with_name("predictions.toml")
KIND = "prediction"
WIDTH = 88


@dataclass(frozen=True)
class Question:
    """A question, its choices by letter, and what only `outcome` may tell."""

    key: str
    text: str
    choices: dict[str, str]
    answer: str
    why: str

    def __repr__(self) -> str:
        lines = [f"  {letter}) {choice}" for letter, choice in self.choices.items()]
        how = f'  To answer by typing: predict("{self.key}", "a")'
        return "\n".join([self.text, *lines, how])

    def _repr_html_(self) -> str:
        # Letters are written out: viewers take the type="a" of a list away and count 1, 2, 3.
        rows = "<br>".join(f"&emsp;{html.escape(self.say(letter))}" for letter in self.choices)
        how = f'To answer by typing: <code>predict("{self.key}", "a")</code>'
        text = html.escape(self.text)
        return f"<p><b>{text}</b></p><p>{rows}</p><p><small>{how}</small></p>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
        return {**bundle, **_buttons(self)}

    def say(self, letter: str) -> str:
        """Write a choice with its letter."""
        return f"{letter}) {self.choices[letter]}"


@cache
def _questions() -> dict[str, Question]:
    tables = tomllib.loads(FILE.read_text("utf-8"))
    return {key: _question(key, table) for key, table in tables.items()}


def _question(key: str, table: dict[str, str]) -> Question:
    choices = {letter: text for letter, text in table.items() if len(letter) == 1}
    if table["answer"] not in choices:
        raise ValueError(f"{key}: the answer {table['answer']!r} is none of the choices")
    return Question(key, table["question"], choices, table["answer"], table["why"])


def keys() -> list[str]:
    """Return the keys of all questions, in the order of the course."""
    return list(_questions())


def question(key: str) -> Question:
    """Return a question by its key; raise LookupError with the nearest key for an unknown one."""
    known = _questions()
    if key not in known:
        near = difflib.get_close_matches(key, known, 1)
        raise LookupError(f"there is no question {key!r}" + (f"; {near[0]!r}?" if near else ""))
    return known[key]


def predict(key: str, answer: str | None = None) -> Question | None:
    """Show a question, or take an answer to it. The first answer before the outcome counts."""
    asked = question(key)
    if answer is None:
        return asked
    letter = answer.strip().lower()
    if letter not in asked.choices:
        raise ValueError(f"the answer to {key!r} is one of {', '.join(asked.choices)}")
    progress.mark(KIND, key, letter)
    print(f"You predict {asked.say(letter)}.")
    return None


def outcome(key: str) -> None:
    """Print the answer and the reason, and what the learner predicted."""
    asked = question(key)
    given = progress.done(KIND, key)
    right = f"{asked.say(asked.answer)}. The reason: {asked.why}."
    if given not in asked.choices:
        _print(f"The answer is {right}")
    elif given == asked.answer:
        _print(f"As you predicted, it is {right}")
    else:
        _print(f"You predicted {asked.say(given)}.")
        _print(f"It is {right}")


def _print(text: str) -> None:
    """Print a text in lines that fit: notebooks break longer ones in the middle of a word."""
    print(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def _buttons(asked: Question) -> dict[str, Any]:
    """Return a view with buttons for a live notebook; nothing in a check, a build or a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if progress.ignored() or getattr(shell, "kernel", None) is None:
        return {}
    try:
        import ipywidgets as widgets
    except ImportError:
        return {}
    note = widgets.HTML()
    rows: list[Any] = [widgets.HTML(f"<b>{html.escape(asked.text)}</b>")]
    for letter in asked.choices:
        button = widgets.Button(description=asked.say(letter), layout={"width": "auto"})
        button.on_click(lambda _, letter=letter: _clicked(asked, letter, note))
        rows.append(button)
    bundle: dict[str, Any] = widgets.VBox([*rows, note])._repr_mimebundle_()
    view = "application/vnd.jupyter.widget-view+json"
    return {view: bundle[view]} if view in bundle else {}


def _clicked(asked: Question, letter: str, note: Any) -> None:
    progress.mark(KIND, asked.key, letter)
    note.value = f"You predict {html.escape(asked.say(letter))}."
