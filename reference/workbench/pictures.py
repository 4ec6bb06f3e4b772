"""The pictures that stand outside the notebooks: ``python -m workbench.pictures`` draws them anew.

They are drawn by what the notebooks draw with, from the same request; nothing in them is posed.
That of the board is taken by a real browser, and needs Chromium.
"""

from __future__ import annotations

from workbench.board import asgi
from workbench.board.store import Board
from workbench.board.wsgi import make_app
from workbench.browser import STORED, Screenshot, screenshot
from workbench.places import ROOT
from workbench.running import running
from workbench.xray import xray

FOLDER = ROOT / "notebooks" / "pictures"
BOARD_ALT = "The board in a browser: live, a form, and three posts with the newest on top."
POSTED = """document.body.dataset.state === "live" && (
  document.querySelectorAll("li").length > 2
  || (window.asked ??= fetch("posts", {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: '{"author": "Alan", "text": "Chocolate, please."}',
  }), false)
)"""
"""JavaScript: true as soon as the page is live, has posted once, and has heard of it."""
GET = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"


def journey() -> bytes:
    """Return the PNG of one request on its way to the board and back (README)."""
    board = Board()
    board.add("Ada", "Who brings the cake?")
    return xray(make_app(board=board), GET).picture()._repr_png_()


def board_picture() -> Screenshot:
    """Return a picture of the board's page, with one post that came over its WebSocket (README)."""
    board = Board()
    board.add("Ada", "Who brings the cake?")
    board.add("Grace", "I do. Chocolate, or lemon & <b>sugar</b>?")
    with running(asgi.make_app(board=board)) as server:
        return screenshot(server.url(), BOARD_ALT, until=POSTED)


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "journey.png").write_bytes(journey())
    print("notebooks/pictures/journey.png")
    shot = board_picture()
    if shot.png is not None and not shot.why:
        STORED.write_bytes(shot.png)
    print(shot.why or "notebooks/pictures/board.png")


if __name__ == "__main__":
    main()
