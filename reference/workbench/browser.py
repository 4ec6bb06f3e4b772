"""A real browser without a window: Chromium, spoken to by the Chrome DevTools Protocol.

    with browser() as chromium:
        page = chromium.open(server.url())
        page.wait_for("document.body.dataset.state === 'live'")

    screenshot(server.url(), "The board in a browser")

The protocol is JSON in a WebSocket: a command has an id, and so has its answer; everything else
that comes is an event, which nobody here asks for.  Its methods are those of
https://chromedevtools.github.io/devtools-protocol/, and no library but ``websockets`` is needed.

Chromium runs with a profile of its own, which is gone after it, and without its sandbox, which
needs rights that a container does not give: so open only pages that you serve yourself.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
HOW_TO_GET_IT = "no Chromium here: `apt install chromium`, or Chrome, or name one in $CHROMIUM"
STORED = Path(__file__).parents[2] / "notebooks" / "pictures" / "board.png"
PATIENCE = 20.0  # seconds for an answer: a busy machine may need that long to start a browser
WIDTH, HEIGHT = 720, 460  # CSS pixels

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",  # what we open is on this machine
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--password-store=basic",
    "--use-mock-keychain",
    # Nothing is fetched that no page asks for:
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--disable-features=Translate,MediaRouter,OptimizationHints,DialMediaRouteProvider",
    # Of several pages none is in the background:
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)


class NoBrowser(Exception):
    """There is no Chromium, or it does not start; the message is one line."""


class BrowserError(Exception):
    """What was asked of a page has failed, or did not come true in time."""


class PageLeft(BrowserError):
    """The page went away, to another one, before it had answered."""


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome; the variable CHROMIUM names another one."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    found = (shutil.which(name) for name in (*NAMES, *PLACES))
    return next((path for path in found if path), None)


@contextmanager
def browser(width: int = WIDTH, height: int = HEIGHT) -> Iterator[Browser]:
    """Run Chromium for the length of the block.  Raise NoBrowser where there is none."""
    path = find_chromium()
    if path is None:
        raise NoBrowser(HOW_TO_GET_IT)
    with ExitStack() as stack:
        profile = stack.enter_context(_folder())
        address = stack.enter_context(_chromium(path, profile))
        options: dict[str, Any] = {"max_size": None, "compression": None, "proxy": None}
        wire = stack.enter_context(
            connect(address, open_timeout=PATIENCE, close_timeout=1, ping_interval=None, **options)
        )
        yield Browser(wire, width, height)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder, and remove it, though processes that end may write to it for a moment yet."""
    folder = Path(tempfile.mkdtemp(prefix="chromium-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _chromium(path: str, profile: Path) -> Iterator[str]:
    """Start it and yield the address of its DevTools; in the end kill it with its children."""
    words = [path, *OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    said = profile / "said"
    # Its caches and crash reports go into the profile as well: there may be no HOME.
    env = {**os.environ, "HOME": str(profile), "TMPDIR": str(profile)}
    with said.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
        try:
            yield _devtools(process, profile / "DevToolsActivePort", said)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _devtools(process: subprocess.Popen[bytes], place: Path, said: Path) -> str:
    """Wait until Chromium has written down where it listens: its port, and a secret path."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        lines = place.read_text().split("\n") if place.exists() else []
        if len(lines) > 1 and lines[1]:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            break
    last = said.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["nothing"]
    raise NoBrowser(f"Chromium did not start; it said: {last[0]:.200}")


class Browser:
    """A running Chromium, whose pages are ``width`` by ``height`` CSS pixels."""

    def __init__(self, wire: ClientConnection, width: int, height: int) -> None:
        self._wire = wire
        self._metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ids = itertools.count(1)

    def open(self, url: str) -> Page:
        """Open a page in a tab of its own; return when it has loaded."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        attached = self.command("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"], target)
        page.command("Emulation.setDeviceMetricsOverride", **self._metrics)
        page.go(url)
        return page

    def command(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer.  Raise BrowserError for a failure."""
        number = next(self._ids)
        asked = {"id": number, "method": method, "params": params}
        self._wire.send(json.dumps({**asked, "sessionId": session} if session else asked))
        while True:
            try:
                answer = json.loads(self._wire.recv(PATIENCE))
            except TimeoutError:
                raise BrowserError(f"no answer to {method} for {PATIENCE:g} s") from None
            if answer.get("id") != number:
                continue
            if "error" in answer:
                why = answer["error"]["message"]
                raise (PageLeft if "navigated" in why else BrowserError)(f"{method}: {why}")
            result: dict[str, Any] = answer["result"]
            return result


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to this page and wait for its answer."""
        return self._browser.command(method, self._session, **params)

    def go(self, url: str) -> None:
        """Go to an address; return when all of it has loaded.  Raise BrowserError if it cannot."""
        if failed := self.command("Page.navigate", url=url).get("errorText"):
            raise BrowserError(f"{url}: {failed}")
        self.wait_for("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; of a promise, what it comes to."""
        came = self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if thrown := came.get("exceptionDetails"):
            about = thrown.get("exception", {}).get("description") or thrown["text"]
            raise BrowserError(f"{expression:.80}: {about}")
        return came["result"].get("value")

    def wait_for(self, condition: str, seconds: float = PATIENCE) -> None:
        """Wait until a JavaScript expression is true.  Raise BrowserError when it is not in time.

        We ask again and again, and no promise waits in the page: a page that is left takes its
        promises with it, without an answer.
        """
        end = time.monotonic() + seconds
        while not self._is(condition):
            if time.monotonic() > end:
                text = self.evaluate("document.body && document.body.innerText")
                raise BrowserError(f"not {condition} within {seconds:g} s; the page says: {text!r}")
            time.sleep(0.02)

    def _is(self, condition: str) -> bool:
        """True when a condition is true, of a page that stays."""
        try:
            return bool(self.evaluate(f"Boolean({condition})"))
        except PageLeft:
            return False

    def screenshot(self) -> bytes:
        """Return what is seen of the page, as a PNG."""
        shot = self.command("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        return base64.b64decode(shot["data"])

    def close(self) -> None:
        """Close the tab."""
        self._browser.command("Target.closeTarget", targetId=self._target)


# --- A picture for a notebook ------------------------------------------------------------------


class Screenshot:
    """A picture of a page.  Its text, for those who do not see it and for nbval, is the alt text.

    ``png`` is None where there is nothing to show, and ``why`` then says why.
    """

    def __init__(self, png: bytes | None, alt: str, why: str = "") -> None:
        self.png = png
        self.alt = alt
        self.why = why

    def __repr__(self) -> str:
        return self.alt if self.png else f"{self.alt} ({self.why})"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as the PNG's first chunk says them; (0, 0) without one."""
        width, height = struct.unpack(">II", self.png[16:24]) if self.png else (0, 0)
        return width, height

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {"text/plain": repr(self)}
        if self.png is None:
            return data, {}
        return {**data, "image/png": self.png}, {"image/png": {"alt": self.alt}}


def screenshot(
    url: str,
    alt: str,
    *,
    until: str = "true",
    stored: Path | None = STORED,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Screenshot:
    """Show a page as Chromium shows it, as soon as ``until``, in JavaScript, is true.

    Where there is no Chromium: the ``stored`` picture with the same text, so that a notebook reads
    the same; or, with None, one line that says how to get one.
    """
    try:
        with browser(width, height) as chromium:
            page = chromium.open(url)
            page.wait_for(until)
            return Screenshot(page.screenshot(), alt)
    except NoBrowser as reason:
        png = stored.read_bytes() if stored is not None and stored.exists() else None
        return Screenshot(png, alt, str(reason))
