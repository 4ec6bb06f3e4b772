"""A picture in three forms: a PNG for a notebook, the same as text, one sentence of alt text.

In come a function that draws and a text that says the same; out comes what a notebook shows
anywhere, trusted or not, and what a test can compare. What is drawn is not known here.

Colours are Okabe and Ito's, which the colour-blind can tell apart. matplotlib is imported only
when a PNG is wanted, and its global state is left as it was.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#555555"
PALE = "#DCEAF4"

WIDTH = 8.0  # inches: a notebook's cell
DPI = 120
STYLE: dict[Any, Any] = {  # matplotlib types the keys as literals, all 300 of them
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "hatch.linewidth": 0.7,
}


class Picture:
    """A drawing, the text that says the same, and one sentence for the PNG's alt attribute."""

    def __init__(self, draw: Callable[[], Figure], text: str, alt: str) -> None:
        self._draw = draw
        self.text = text
        self.alt = alt

    def __repr__(self) -> str:
        return self.text

    def _repr_png_(self) -> bytes:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        buf = io.BytesIO()
        with mpl.rc_context(STYLE):
            figure = self._draw()
            # Software: None keeps matplotlib's version out of the file.
            metadata = {"Software": None, "Description": self.alt}
            FigureCanvasAgg(figure).print_figure(buf, format="png", dpi=DPI, metadata=metadata)
        return buf.getvalue()

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"text/plain": self.text, "image/png": self._repr_png_()}
        return data, {"image/png": {"alt": self.alt}}


def blank(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure, in inches, that keeps labels and legends inside itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def sheet(height: float, width: float = WIDTH) -> Any:
    """Return axes without axes: a sheet of paper measured in inches, the origin at the top left.

    For drawings of boxes and arrows. The figure is ``sheet(...).figure``.
    """
    from matplotlib.figure import Figure

    axes: Any = Figure(figsize=(width, height)).add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return axes
