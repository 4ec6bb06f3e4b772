"""wsgiref, the server of Python's own library, as a command.

    python -m workbench.ecosystem.plain probe:wsgi --port 8000

It has no command line of its own: what stands here is what its documentation shows, and nothing
is changed in it but the line it writes for every request.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    """The handler without an access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing."""


def main(arguments: list[str]) -> int:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m workbench.ecosystem.plain")
    parser.add_argument("app", metavar="MODULE:NAME", help="the WSGI application")
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args(arguments)
    sys.path.insert(0, os.getcwd())
    module, _, name = asked.app.partition(":")
    app = getattr(importlib.import_module(module), name)
    with make_server("127.0.0.1", asked.port, app, handler_class=Quiet) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
