"""How the board looks: one HTML page without any other file, and an event of its live feed.

Every address in the page is relative, so the board also works behind a prefix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from .store import AUTHOR, TEXT, Post

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The board</title>
<style>
  body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 2rem auto }}
  li {{ margin: .5rem 0; padding: .5rem; border-left: .3rem solid #2a6f97; background: #f2f7fa }}
  ol {{ list-style: none; padding: 0 }}
  b {{ display: block }}
  input, button {{ font: inherit; margin: .2rem 0 }}
</style>
<h1>The board</h1>
<form method="post" action="posts">
  <label>Name <input name="author" maxlength="{author}"></label>
  <label>Text <input name="text" maxlength="{text}" required></label>
  <button>Post</button>
</form>
<ol id="posts">{posts}</ol>
"""


def page(posts: Iterable[Post]) -> bytes:
    """Return the page as UTF-8; what people wrote is escaped, so it stays text."""
    items = "".join(
        f"\n  <li><b>{escape(post.author)}</b> {escape(post.text)}</li>" for post in posts
    )
    return PAGE.format(author=AUTHOR, text=TEXT, posts=items).encode()


def as_json(value: object) -> bytes:
    """Return ``value`` as one line of JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def event(post: Post) -> bytes:
    r"""Return a post as a server-sent event (WHATWG HTML, Server-sent events).

    >>> event(Post(7, "Ada", "hello"))
    b'id: 7\ndata: {"number": 7, "author": "Ada", "text": "hello"}\n\n'
    """
    return b"id: %d\ndata: %b\n" % (post.number, as_json(post.as_dict()))
