"""One request through five forms of one application, recorded and drawn side by side.

    five_forms(cgi=..., wsgi=..., consumer=..., double=..., single=...)

Each form really runs, without a network: taps note who handed what to whom. What the applications
do with it is not known here.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from handmade.cgi_process import CgiProgram
from handmade.history_channels import ChannelLayer, Consumer, Received, Worker
from handmade.history_server import ThroughLayer
from workbench.lanes import Happening
from workbench.picture import BLUE, GREY, Picture, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUERY, BODY = b"by=ada", b"hello"
CHARACTER, ROW = 0.07, 0.27  # inches
ORANGE_TEXT = "#9C5A00"
PATIENCE = 5.0


class Panel(NamedTuple):
    """One form: its name and year, its lanes, and what happened between them."""

    title: str
    lanes: tuple[str, ...]
    rows: list[Happening]

    @property
    def places(self) -> list[int]:
        """Where the lanes stand, in characters from the panel's left."""
        places = [len(self.lanes[0]) // 2]
        for left, right in zip(self.lanes, self.lanes[1:], strict=False):
            labels = [len(r.label) for r in self.rows if {r.source, r.target} == {left, right}]
            room = max([*labels, 4]) + 5
            places.append(places[-1] + max(room, len(left) // 2 + len(right) // 2 + 3))
        return places

    @property
    def width(self) -> int:
        """How many characters it takes."""
        return max(self.places[-1] + len(self.lanes[-1]) // 2 + 2, len(self.title) + 1)


def five_forms(
    *, cgi: CgiProgram, wsgi: Any, consumer: Consumer, double: Any, single: Any
) -> Picture:
    """Run ``POST /posts?by=ada`` with the body ``hello`` through each form, and draw them."""
    panels = [
        Panel("CGI, 1993", ("server", "process"), record_cgi(cgi)),
        Panel("WSGI, 2003", ("server", "app"), record_wsgi(wsgi)),
        Panel("ASGI 1, 2016", ("server", "layer", "worker"), record_channels(consumer)),
        Panel("ASGI 2, 2017", ("server", "app"), in_a_thread(record_double, double)),
        Panel("ASGI 3, 2019", ("server", "app"), in_a_thread(record_single, single)),
    ]
    told = ". ".join(f"{p.title}: " + ", ".join(r.label for r in p.rows) for p in panels)
    alt = f"The same request through five forms, side by side. {told}."
    return Picture(lambda: _draw(panels), _text(panels), alt)


# --- Recording --------------------------------------------------------------------------------


def environ() -> dict[str, Any]:
    """Return the environ of the request."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/posts",
        "QUERY_STRING": QUERY.decode(),
        "CONTENT_LENGTH": str(len(BODY)),
        "SERVER_NAME": "board.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.input": io.BytesIO(BODY),
    }


def scope() -> dict[str, Any]:
    """Return the scope of the request."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/posts",
        "query_string": QUERY,
        "root_path": "",
        "headers": [(b"content-length", b"%d" % len(BODY))],
    }


def record_cgi(program: CgiProgram) -> list[Happening]:
    """Run the program, and note what goes in and out of its process."""
    rows = [
        Happening("server", "process", "start"),
        Happening("server", "process", "environment"),
        Happening("server", "process", f"stdin: {len(BODY)} bytes"),
    ]

    def start_response(status: str, headers: object, exc_info: object = None) -> None:
        rows.append(Happening("process", "server", f"Status: {status[:3]}"))

    body = b"".join(program(environ(), start_response))
    rows.append(Happening("process", "server", f"stdout: {len(body)} bytes"))
    return [*rows, Happening("process", "server", "exit 0")]


def record_wsgi(app: Any) -> list[Happening]:
    """Call the application, and note its call, what it calls, and what it returns."""
    given = environ()
    rows = [Happening("server", "app", "call: environ")]
    read = given["wsgi.input"].read

    class Input:
        def read(self, *size: int) -> bytes:
            came: bytes = read(*size)
            rows.append(Happening("app", "server", "input.read"))
            rows.append(Happening("server", "app", f"{len(came)} bytes"))
            return came

    def start_response(status: str, headers: object, exc_info: object = None) -> None:
        rows.append(Happening("app", "server", "start_response"))

    given["wsgi.input"] = Input()
    size = sum(map(len, app(given, start_response)))
    return [*rows, Happening("app", "server", f"return: {size} bytes")]


class TappedLayer(ChannelLayer):
    """A channel layer that notes each message on its way in and out."""

    def __init__(self) -> None:
        super().__init__(token=lambda: "x7")
        self.rows: list[Happening] = []

    def send(self, channel: str, message: dict[str, Any]) -> None:
        """Note who sends: only a worker sends on a reply channel."""
        source = "worker" if "!" in channel else "server"
        self.rows.append(Happening(source, "layer", channel))
        super().send(channel, message)

    def receive(self, channels: Sequence[str], block: bool = False) -> Received:
        """Note who receives."""
        received = super().receive(channels, block)
        if received[0] is not None:
            target = "server" if "!" in received[0] else "worker"
            self.rows.append(Happening("layer", target, received[0]))
        return received


def record_channels(consumer: Consumer) -> list[Happening]:
    """Hand the request to a layer, let one worker take it, and note every message."""
    layer = TappedLayer()
    # The row of a message out of the layer is written when it is out, so the worker is not
    # started before the server's own row is there: then the order is the same every time.
    worker = Worker(layer, {"http.request": consumer})
    steps: list[bool] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    async def main() -> None:
        asking = asyncio.ensure_future(ThroughLayer(layer, PATIENCE)(scope(), receive, send))
        await asyncio.sleep(0)
        steps.append(worker.step())
        await asking

    in_a_loop(main)
    return layer.rows


async def record_double(app: Any, rows: list[Happening]) -> None:
    """Make an instance and await it."""
    rows.append(Happening("server", "app", "call: scope"))
    instance = app(scope())
    rows.append(Happening("app", "server", "instance"))
    rows.append(Happening("server", "app", "receive, send"))
    await instance(*_channels(rows))
    rows.append(Happening("app", "server", "return"))


async def record_single(app: Any, rows: list[Happening]) -> None:
    """Await the one call."""
    rows.append(Happening("server", "app", "scope, receive, send"))
    await app(scope(), *_channels(rows))
    rows.append(Happening("app", "server", "return"))


def _channels(rows: list[Happening]) -> tuple[Any, Any]:
    """Return receive and send that note what passes."""

    async def receive() -> dict[str, Any]:
        rows.append(Happening("app", "server", "receive()"))
        rows.append(Happening("server", "app", "http.request"))
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        rows.append(Happening("app", "server", message["type"].removeprefix("http.")))

    return receive, send


def in_a_thread(record: Any, app: Any) -> list[Happening]:
    """Run a recording of a coroutine; return its rows."""
    rows: list[Happening] = []

    async def main() -> None:
        await record(app, rows)

    in_a_loop(main)
    return rows


def in_a_loop(main: Any) -> None:
    """Run a coroutine function in a loop of its own: a notebook's thread has one already."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(asyncio.wait_for(main(), PATIENCE))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="forms", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


# --- Text and drawing -------------------------------------------------------------------------


def _lines(panel: Panel) -> list[str]:
    head = [" "] * (panel.width + 8)
    for lane, place in zip(panel.lanes, panel.places, strict=True):
        start = place - len(lane) // 2
        head[start : start + len(lane)] = lane
    lines = [panel.title, "".join(head)]
    for row in panel.rows:
        signs = [" "] * panel.width
        for place in panel.places:
            signs[place] = "│"
        start, end = (panel.places[panel.lanes.index(lane)] for lane in (row.source, row.target))
        left, right = sorted((start, end))
        signs[left + 1 : right] = row.label.center(right - left - 1, "─")
        signs[end + (1 if end < start else -1)] = "◀" if end < start else "▶"
        lines.append("".join(signs))
    return [line.rstrip().ljust(panel.width + 2) for line in lines]


def _text(panels: Sequence[Panel]) -> str:
    """Write the panels side by side, in two bands."""
    bands = [panels[:3], panels[3:]]
    texts = []
    for band in bands:
        blocks = [_lines(panel) for panel in band]
        blanks = [" " * (panel.width + 2) for panel in band]
        rows = zip_longest(*blocks)
        filled = (
            [cell if cell is not None else blanks[n] for n, cell in enumerate(row)] for row in rows
        )
        texts.append("\n".join("".join(row).rstrip() for row in filled))
    return "\n\n".join(texts)


def _draw(panels: Sequence[Panel]) -> Figure:
    gap = 3
    width = (sum(panel.width for panel in panels) + gap * len(panels)) * CHARACTER
    longest = max(len(panel.rows) for panel in panels)
    axes = sheet(0.95 + ROW * longest, width)
    left = 1
    for panel in panels:
        _draw_panel(axes, panel, left, 0.62 + ROW * (longest + 0.6))
        left += panel.width + gap
    figure: Figure = axes.figure
    return figure


def _draw_panel(axes: Any, panel: Panel, left: int, bottom: float) -> None:
    xs = [(left + place + 0.5) * CHARACTER for place in panel.places]
    axes.text(left * CHARACTER, 0.17, panel.title, fontsize=10, weight="bold", va="center")
    box = {"boxstyle": "round,pad=0.3", "facecolor": "#EEF3F7", "edgecolor": "#9FB3C1"}
    for lane, x in zip(panel.lanes, xs, strict=True):
        axes.plot((x, x), (0.55, bottom), color="#C4C4C4", linewidth=1, zorder=1)
        axes.text(x, 0.47, lane, fontsize=8.5, ha="center", va="center", bbox=box, zorder=4)
    for number, row in enumerate(panel.rows):
        start, end = (xs[panel.lanes.index(lane)] for lane in (row.source, row.target))
        _draw_arrow(axes, start, end, 0.62 + ROW * (number + 0.8), row.label)


def _draw_arrow(axes: Any, start: float, end: float, y: float, label: str) -> None:
    colour = BLUE if start <= end else ORANGE_TEXT
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end, y), (start, y), arrowprops={**arrow, "mutation_scale": 8}, zorder=2)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.text(
        (start + end) / 2, y, label, fontsize=8, ha="center", va="center",
        color=colour if label else GREY, bbox=ground, zorder=3,
    )  # fmt: skip
