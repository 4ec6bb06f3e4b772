"""How the board looks: a page, the script that makes it live, and an event of its feed.

Nothing is fetched from elsewhere, and no build step is needed. Every address in the page is
relative, so the board also works behind a prefix.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path

from .store import AUTHOR, TEXT, Post

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The board</title>
<style>
  body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 2rem auto;
    padding: 0 1rem; color: #1b2a33 }}
  h1 {{ margin: 0 }}
  #state {{ margin: 0; min-height: 1.5em; color: #48606e }}
  #state::before {{ content: "●"; margin-right: .4rem; color: #9a6700 }}
  #state:empty::before {{ content: none }}
  [data-state=live] #state::before {{ color: #18794e }}
  form {{ display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: 1rem 0 }}
  label {{ flex: 1 8rem }}
  label + label {{ flex-grow: 3 }}
  input {{ display: block; box-sizing: border-box; width: 100%; padding: .3rem }}
  input, button {{ font: inherit; border: 1px solid #6b8494; border-radius: .3rem }}
  button {{ padding: .3rem 1rem; color: #fff; background: #2a6f97; cursor: pointer }}
  button:disabled {{ opacity: .5 }}
  #said {{ flex-basis: 100%; color: #a40e26 }}
  ol {{ list-style: none; padding: 0; display: flex; flex-direction: column-reverse }}
  li {{ margin: .25rem 0; padding: .5rem; border-left: .3rem solid #2a6f97; background: #f2f7fa;
    overflow-wrap: anywhere }}
  b {{ display: block }}
</style>
<link rel="icon" href="data:,">
<h1>The board</h1>
<p id="state" role="status"></p>
<form method="post" action="posts">
  <label>Name <input name="author" maxlength="{author}"></label>
  <label>Text <input name="text" maxlength="{text}" required></label>
  <button>Post</button>
  <output id="said"></output>
</form>
<ol id="posts" aria-live="polite"{live}>{posts}</ol>
"""
LIVE = ' data-board="{id}" data-last="{last}"'
SCRIPT = '<script src="live.js"></script>\n'
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self' ws: wss:",  # not every browser takes a WebSocket's address for 'self'
        "style-src 'unsafe-inline'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
    )
)
"""The page's Content-Security-Policy: should something that people post ever not be escaped, then a
browser that knows this still does not run it."""


def page(posts: Iterable[Post], board: str = "") -> bytes:
    """Return the page as UTF-8; what people wrote is escaped, so it stays text.

    With the id of a ``board`` that has a feed over WebSocket the page follows it.
    """
    posts = list(posts)
    items = "".join(
        f"\n  <li><b>{escape(post.author)}</b> {escape(post.text)}</li>" for post in posts
    )
    last = posts[-1].number if posts else 0
    live = LIVE.format(id=board, last=last) if board else ""
    html = PAGE.format(author=AUTHOR, text=TEXT, live=live, posts=items)
    return (html + (SCRIPT if board else "")).encode()


def script() -> bytes:
    """Return the script of the page."""
    return Path(__file__).with_name("live.js").read_bytes()


def as_json(value: object) -> bytes:
    """Return ``value`` as one line of JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def event(post: Post) -> bytes:
    r"""Return a post as a server-sent event (WHATWG HTML, Server-sent events).

    >>> event(Post(7, "Ada", "hello"))
    b'id: 7\ndata: {"number": 7, "author": "Ada", "text": "hello"}\n\n'
    """
    return b"id: %d\ndata: %b\n" % (post.number, as_json(post.as_dict()))
