"""What is plainly known of the servers and frameworks, each with the place where it can be read.

    describe("gunicorn")

Nothing here is probed, and nothing that is probed stands here.  ``since`` is a year together with
what says so; where we could not verify one it is left out.  ``reading`` is the file worth reading
first, at the tag of the version that is installed here: so it is what you have run.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import textwrap
from dataclasses import dataclass

from . import apache
from .servers import SERVERS

WIDTH = 98


@dataclass(frozen=True)
class Fact:
    """What is known of one piece of software.

    ``package`` is its distribution, "" where it is none; ``licence`` an SPDX expression, or
    words that begin with one;
    ``repository`` and ``tag`` (with ``{version}``) make the link, ``reading`` pairs a path with why
    it is worth it.  ``notes`` are what somebody who deploys it should have heard once.
    """

    name: str
    title: str
    what: str
    package: str
    licence: str
    language: str
    concurrency: str
    home: str
    repository: str
    tag: str
    reading: tuple[tuple[str, str], ...]
    since: tuple[int, str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Return the version that is installed, "" where it is not."""
        if self.name == "wsgiref":
            return platform.python_version()
        if self.name == "mod_wsgi":
            return "" if apache.unfit() else apache.version().split()[0]
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return ""

    @property
    def links(self) -> list[tuple[str, str]]:
        """Return the files worth reading, at the tag of the installed version, each with why."""
        # A wheel that was built anew has .post1 behind the version; the source has no such tag.
        version = re.sub(r"\.post\d+$", "", self.version)
        if not version:
            return [(self.repository, "its source")]
        place = f"{self.repository}/blob/{self.tag.format(version=version)}"
        return [(f"{place}/{path}", why) for path, why in self.reading]


FACTS = {
    each.name: each
    for each in (
        # ---------------------------------------------------------------- WSGI servers
        Fact(
            "gunicorn", "Gunicorn",
            "a pre-fork server for Unix: an arbiter that never touches a request, and workers of a "
            "class that you choose, for WSGI or ASGI",
            "gunicorn", "MIT", "Python",
            "processes; in each one request at a time (sync), a thread pool (gthread), or an "
            "event loop (asgi, gevent, tornado)",
            "https://gunicorn.org", "https://github.com/benoitc/gunicorn", "{version}",
            (("gunicorn/arbiter.py", "the pre-fork model: signals, workers counted and renewed"),
             ("gunicorn/workers/sync.py", "a WSGI server in one screen"),
             ("gunicorn/workers/gthread.py", "keep-alive with a thread pool and a selector"),
             ("gunicorn/workers/gasgi.py", "the ASGI worker")),
            (2009, "first year of the copyright in its licence"),
            ("Its own documentation puts the sync worker behind a proxy that buffers.",
             "The sync worker answers one request for each connection; --threads makes it gthread.",
             "HTTP/2 is an option: --http-protocols h2,h1, and never in the sync worker."),
        ),
        Fact(
            "uwsgi", "uWSGI",
            "an application container in C with a thousand options, of which HTTP and WSGI are "
            "plugins; more often spoken to in its own binary protocol by nginx",
            "pyuwsgi", "GPL-2.0-or-later with a linking exception", "C",
            "processes under a master, threads in each, or by a plugin greenlets: tasks that take "
            "turns in one thread",
            "https://uwsgi-docs.readthedocs.io", "https://github.com/unbit/uwsgi", "{version}",
            (("core/master.c", "the master's loop"),
             ("proto/http.c", "what an --http-socket understands of HTTP"),
             ("plugins/python/wsgi_handlers.c", "environ and start_response, in C")),
            (2009, "first year of the copyright in core/uwsgi.c"),
            ("--http-socket speaks HTTP in the worker and closes behind each answer, "
             "--http11-socket keeps the connection; --http puts a router process before it.",
             "With a master SIGTERM reloads it; with --die-on-term it ends it and cuts what runs; "
             "--hook-master-start 'unix_signal:15 gracefully_kill_them_all' ends it and lets that "
             "finish.",
             "SIGHUP leaves nobody to answer for a while. With --lazy-apps and --master-fifo a c "
             "written there renews workers one after the other.",
             "A body in chunks is read by uwsgi.chunked_read(), and not by wsgi.input.",
             "The wheel of pyuwsgi is built without TLS; in a virtual environment a reload needs "
             "--binary-path, or the system's Python is started.",
             "It is in maintenance mode, says its README: bug fixes, and new interpreters."),
        ),
        Fact(
            "mod_wsgi", "mod_wsgi",
            "a module of Apache that embeds Python; in daemon mode in processes of its own, which "
            "Apache's processes pass requests on to",
            "", "Apache-2.0", "C",
            "Apache's processes and threads take the connections, daemon processes with 15 threads "
            "run the application",
            "https://modwsgi.readthedocs.io", "https://github.com/GrahamDumpleton/mod_wsgi",
            "{version}",
            (("src/server/mod_wsgi.c", "all of it: directives, daemons, environ, input, write"),),
            (2007, "first year of the copyright in Debian's package"),
            ("It runs the Python that it was built for, and no other.",
             "A body in chunks is refused with 411 unless WSGIChunkedRequest is On.",
             "SERVER_PORT follows the Host field of the request; UseCanonicalPhysicalPort On makes "
             "it the port of the socket.",
             "Naming a number of processes, even 1, makes wsgi.multiprocess true."),
        ),
        Fact(
            "waitress", "waitress",
            "a WSGI server in pure Python for every system, Windows too",
            "waitress", "ZPL-2.1", "Python",
            "one thread that waits for all sockets, a pool of threads that runs the application",
            "https://docs.pylonsproject.org/projects/waitress/en/latest/index.html",
            "https://github.com/Pylons/waitress", "v{version}",
            (("src/waitress/channel.py", "buffers between one waiting thread and many working"),
             ("src/waitress/task.py", "environ, start_response, the framing of the answer")),
            (2011, "0.1 of 2011-12-30 in its changelog"),
            ("It buffers requests and responses, on the disk when they are large: a slow client "
             "holds no thread until 16 MiB of an answer wait for it (outbuf_high_watermark).",),
        ),
        Fact(
            "wsgiref", "wsgiref",
            "the reference implementation in Python's own library: to read, and to test with",
            "", "PSF-2.0", "Python",
            "one request at a time",
            "https://docs.python.org/3/library/wsgiref.html",
            "https://github.com/python/cpython", "v{version}",
            (("Lib/wsgiref/handlers.py", "a handler that reads like a story"),
             ("Lib/wsgiref/validate.py", "the validator: what both sides have to hold to")),
            None,
            ("HTTP/1.0: each connection carries one request.",),
        ),
        # ---------------------------------------------------------------- ASGI servers
        Fact(
            "uvicorn", "Uvicorn",
            "the ASGI server that most frameworks show on their first page",
            "uvicorn", "BSD-3-Clause", "Python, over parsers in C (httptools) or Python (h11)",
            "one event loop a process; asyncio, or uvloop when that is installed",
            "https://uvicorn.dev", "https://github.com/Kludex/uvicorn", "{version}",
            (("uvicorn/protocols/http/httptools_impl.py", "the clearest receive and send there is"),
             ("uvicorn/protocols/http/flow_control.py", "backpressure in thirty lines"),
             ("uvicorn/supervisors/multiprocess.py", "a master that watches its workers")),
            (2017, "first year of the copyright in its licence"),
            ("HTTP/2 by --http zttp --http2, a parser of the same maintainer.",
             "SIGHUP renews workers, and ends a server without workers."),
        ),
        Fact(
            "hypercorn", "Hypercorn",
            "an ASGI server for HTTP/1.1, 2 and 3 that keeps each protocol in an engine without "
            "I/O; it serves WSGI applications too",
            "hypercorn", "MIT", "Python, over h11, h2, wsproto, aioquic",
            "one event loop a process; asyncio, uvloop or trio",
            "https://hypercorn.readthedocs.io", "https://github.com/pgjones/hypercorn", "{version}",
            (("src/hypercorn/protocol/http_stream.py", "events of any HTTP become ASGI messages"),
             ("src/hypercorn/protocol/h2.py", "HTTP/2 over the same stream class"),
             ("src/hypercorn/protocol/h3.py", "HTTP/3 over the same once more")),
            (2018, "year of the copyright in its licence"),
            ("HTTP/3 by --quic-bind, with the extra hypercorn[h3].",
             "SIGHUP renews its workers, also where there is one only."),
        ),
        Fact(
            "daphne", "Daphne",
            "the first ASGI server, made for Django Channels",
            "daphne", "BSD-3-Clause", "Python, over Twisted and autobahn",
            "one event loop and one process: more of them are somebody else's work",
            "https://github.com/django/daphne", "https://github.com/django/daphne", "{version}",
            (("daphne/http_protocol.py", "Twisted's request becomes ASGI messages"),
             ("daphne/server.py", "a task for each application instance, and its timeouts")),
            (2016, "0.9 of 2016-02-21 is the oldest entry of its changelog"),
            ("TLS by an endpoint string of Twisted: -e ssl:443:privateKey=...:certKey=...",
             "HTTP/2 comes with TLS where Twisted's extras http2 and tls are installed."),
        ),
        Fact(
            "granian", "Granian",
            "a server in Rust for RSGI (its own), ASGI and WSGI",
            "granian", "BSD-3-Clause", "Rust, over hyper and tokio",
            "processes; in each tokio's threads do the I/O, and Python an event loop, or threads "
            "for WSGI",
            "https://github.com/emmett-framework/granian",
            "https://github.com/emmett-framework/granian", "v{version}",
            (("src/asgi/io.rs", "receive and send, in Rust"),
             ("granian/server/common.py", "workers, signals, reload")),
            (2021, "year of the copyright in its licence"),
            ("HTTP/2 over TLS and by prior knowledge without an option.",),
        ),
        # ---------------------------------------------------------------- frameworks
        Fact(
            "flask", "Flask", "a WSGI framework: Werkzeug's routing, Jinja's templates, and little "
            "besides",
            "flask", "BSD-3-Clause", "Python",
            "what its server does; an async view runs in a loop of its own for each request",
            "https://flask.palletsprojects.com", "https://github.com/pallets/flask", "{version}",
            (("src/flask/app.py", "wsgi_app: the whole of a request in one method"),),
            (2010, "year of the copyright in its licence"),
        ),
        Fact(
            "django", "Django", "a framework with everything, WSGI and ASGI",
            "django", "BSD-3-Clause", "Python",
            "what its server does; sync views under ASGI run in a thread, async ones under WSGI in "
            "a loop for each request",
            "https://www.djangoproject.com", "https://github.com/django/django", "{version}",
            (("django/core/handlers/wsgi.py", "environ becomes a request"),
             ("django/core/handlers/asgi.py", "scope becomes one; disconnects while a view runs")),
        ),
        Fact(
            "starlette", "Starlette", "the ASGI toolkit below FastAPI",
            "starlette", "BSD-3-Clause", "Python",
            "one event loop; sync views run in anyio's threads, 40 at a time",
            "https://starlette.dev", "https://github.com/Kludex/starlette", "{version}",
            (("starlette/routing.py", "an application is a tree of applications"),
             ("starlette/responses.py", "a response is an application too"),
             ("starlette/concurrency.py", "the hop to a thread")),
            (2018, "year of the copyright in its licence"),
        ),
        Fact(
            "quart", "Quart", "Flask's interface on ASGI",
            "quart", "MIT", "Python",
            "one event loop; sync views run in threads",
            "https://quart.palletsprojects.com", "https://github.com/pallets/quart", "{version}",
            (("src/quart/asgi.py", "scope, receive and send become Flask's ideas"),),
            (2017, "year of the copyright in its licence"),
        ),
        Fact(
            "fastapi", "FastAPI", "Starlette with types that check and document",
            "fastapi", "MIT", "Python",
            "Starlette's",
            "https://fastapi.tiangolo.com", "https://github.com/fastapi/fastapi", "{version}",
            (("fastapi/routing.py", "how a request becomes the arguments of a function"),),
            (2018, "year of the copyright in its licence"),
        ),
    )
}  # fmt: skip


def fact_of(name: str) -> Fact:
    """Return what is known of a server, by its row's name too; raise LookupError for no such one.

    Several rows of the table are one server in several configurations.
    """
    for known in (name, name.partition("-")[0]):
        if known in FACTS:
            return FACTS[known]
    raise LookupError(f"nothing is known of {name!r}: there are {', '.join(FACTS)}")


class Described(str):
    """A text that is shown as it is, also as the value of a notebook's last line."""

    def __repr__(self) -> str:
        return str(self)


def describe(name: str) -> Described:
    """Return what is known of a server or framework, in lines of at most 98 characters.

    Raise LookupError for one that is not known; ours is in front of you.
    """
    fact = fact_of(name)
    lines = textwrap.wrap(f"{fact.title}: {fact.what}.", WIDTH)
    rows = [
        ("licence", fact.licence),
        ("written in", fact.language),
        ("concurrency", fact.concurrency),
        ("home", fact.home),
    ]
    if fact.since is not None:
        rows.insert(0, ("since", f"{fact.since[0]} ({fact.since[1]})"))
    rows += [("note", note) for note in fact.notes]
    for label, words in rows:
        lines += textwrap.wrap(
            f"{label}: {words}", WIDTH, initial_indent="  ", subsequent_indent="    ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    lines += [f"  read: {why}\n    {link}" for link, why in fact.links]
    return Described("\n".join(lines))


def known_rows() -> dict[str, Fact]:
    """Return what is known, by the name of each row of the tables that is not ours."""
    return {name: fact_of(name) for name, server in SERVERS.items() if not server.ours}
