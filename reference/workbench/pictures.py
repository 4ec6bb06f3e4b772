"""The pictures that stand outside the notebooks: ``python -m workbench.pictures`` draws them anew.

They are drawn by what the notebooks draw with, from the same request; nothing in them is posed.
"""

from __future__ import annotations

from workbench.board.store import Board
from workbench.board.wsgi import make_app
from workbench.places import ROOT
from workbench.xray import xray

FOLDER = ROOT / "notebooks" / "pictures"
GET = b"GET /posts HTTP/1.1\r\nHost: board.example\r\n\r\n"


def journey() -> bytes:
    """Return the PNG of one request on its way to the board and back (README)."""
    board = Board()
    board.add("Ada", "Who brings the cake?")
    return xray(make_app(board=board), GET).picture()._repr_png_()


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "journey.png").write_bytes(journey())
    print("notebooks/pictures/journey.png")


if __name__ == "__main__":
    main()
