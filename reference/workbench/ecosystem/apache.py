"""A real Apache with mod_wsgi in daemon mode, by a configuration of its own: no root, no service.

    python -m workbench.ecosystem.apache probe:wsgi --port 8000 --processes 2 --threads 15

writes ``apache.conf`` and the script that mod_wsgi loads into a fresh folder, and *becomes* Apache:
the process that was started is Apache's parent, so its id is enough to end it.  ``--show`` prints
the configuration instead.  SIGTERM ends it at once, SIGWINCH when all that run are
answered.  SIGUSR1 is its graceful restart, but not mod_wsgi's: daemons are killed after some 3 s,
and whatever they still run becomes a 500.

mod_wsgi embeds the interpreter that it was built for, and nothing else: ``unfit`` tells when that
is another minor version than ours, whose compiled packages it could not load.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from .programs import found

PROGRAMS = ("apache2", "httpd")
FOLDERS = (  # where a module lies: Debian, Fedora, Arch, Homebrew (two), macOS
    "/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules",
    "/opt/homebrew/lib/httpd/modules", "/usr/local/lib/httpd/modules", "/usr/libexec/apache2",
)  # fmt: skip
GET = "Debian, Ubuntu: sudo apt install apache2 libapache2-mod-wsgi-py3"
SYSTEM = "/usr/bin:/bin"  # where a system has its own Python
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
PR_SET_SECUREBITS, NO_SETUID_FIXUP = 28, 1 << 2  # linux/prctl.h, linux/securebits.h

SCRIPT = '''\
"""What mod_wsgi loads: it wants a file in which the application is called so."""
from {module} import {name} as application
'''

CONFIGURATION = """\
ServerRoot "{folder}"
ServerName localhost
Listen 127.0.0.1:{port}
PidFile apache.pid
DefaultRuntimeDir "{folder}"
ErrorLog /dev/stderr
LogLevel warn
{modules}
{user}
# Daemon mode: the applications live in processes of their own, and Apache's only pass on to them.
WSGIRestrictEmbedded On
WSGISocketPrefix "{folder}/wsgi"
WSGIDaemonProcess course{crew} home="{home}" \\
    python-path="{paths}" locale=C.UTF-8 display-name=%{{GROUP}}
WSGIProcessGroup course
# The first interpreter of the process: C extensions may not stand a second one.
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / "{folder}/course.wsgi"
<Directory "{folder}">
    Require all granted
</Directory>
"""


def program() -> str | None:
    """Return the path of Apache, or None."""
    return next((path for name in PROGRAMS if (path := found(name))), None)


def module() -> Path | None:
    """Return the file of mod_wsgi: of this Python's own package, or else of the system, or None."""
    spec = find_spec("mod_wsgi")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder, "server").glob("mod_wsgi*.so")):
            return path
    return _module("wsgi")


def _module(name: str) -> Path | None:
    """Return the file of one of the system's modules, or None."""
    paths = (Path(folder, f"mod_{name}.so") for folder in FOLDERS)
    return next((path for path in paths if path.exists()), None)


@cache
def _built_for(path: Path) -> str:
    """Return the minor version of Python that a mod_wsgi embeds, as it names its library; or ""."""
    # ...libpython3.11.so.1.0 on Linux, .../Python.framework/Versions/3.11/Python on macOS.
    match = re.search(rb"(?:libpython|Versions/)(3\.\d+)", path.read_bytes())
    return match[1].decode() if match else ""


def unfit() -> str:
    """Return in one line what is lacking, and how to get it; "" when all is there."""
    if os.name != "posix":
        return "mod_wsgi: this course starts Apache on Linux and macOS only"
    if program() is None:
        return f"mod_wsgi: Apache is not installed ({GET})"
    path = module()
    if path is None:
        return f"mod_wsgi: Apache is here, its module mod_wsgi is not ({GET})"
    if (theirs := _built_for(path)) not in ("", OURS):
        return (
            f"mod_wsgi of this system is built for Python {theirs} and the course runs on {OURS}: "
            f"run the course on {theirs}, or pip install mod_wsgi (needs apache2-dev)"
        )
    return ""


@cache
def version() -> str:
    """Return the version of mod_wsgi, and that of the Apache around it."""
    apache, wsgi = program(), module()
    assert apache is not None
    assert wsgi is not None
    told = subprocess.run([apache, "-v"], capture_output=True, text=True, check=True, timeout=10)
    match = re.search(r"Apache/([0-9.]+)", told.stdout)
    blob = wsgi.read_bytes()
    # Its version stands alone, between two zeros; beside it stand those of what it uses.
    own = re.search(rb"\0([4-9]\.\d{1,2}(?:\.\d{1,2})?)\0", blob)
    return f"{own[1].decode() if own else '?'} in Apache {match[1] if match else '?'}"


# --- the configuration ------------------------------------------------------------------------


def configuration(port: int, folder: str, processes: int = 0, threads: int = 0) -> str:
    """Return Apache's configuration for the script in ``folder``; 0 leaves mod_wsgi its default.

    That is one process with 15 threads, and not quite what ``processes=1`` means: whoever names a
    number of processes, even one, gets ``wsgi.multiprocess`` true.
    """
    crew = f" processes={processes}" if processes else ""
    crew += f" threads={threads}" if threads else ""
    return CONFIGURATION.format(
        port=port, folder=folder, crew=crew, home=os.getcwd(), paths=":".join(_paths()),
        modules=_modules(), user=_user(),
    )  # fmt: skip


def _paths() -> list[str]:
    """Return where the application's modules lie, the nearest first: never a standard library.

    That must be the one of the interpreter inside mod_wsgi, which may be another build than ours.
    """
    named = [os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    reference = str(Path(__file__).resolve().parents[2])
    # purelib and platlib are one folder nearly everywhere; a dict keeps order and drops doubles.
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return list(dict.fromkeys(path for path in (*named, reference, *own) if path))


def _modules() -> str:
    """Return the lines that load modules; where one is built in, Apache's own test passes it by."""
    lines = []
    for name in ("mpm_event", "unixd", "log_config", "authz_core"):
        if (path := _module(name)) is not None:
            test = f"<IfModule !{name}_module>\n    LoadModule {name}_module {path}\n</IfModule>"
            lines.append(test)
    lines.append(f"LoadModule wsgi_module {module()}")
    return "\n".join(lines)


def _user() -> str:
    """Return who answers, where the starter is root: Apache and mod_wsgi refuse to do that as root.

    By number: there is no name that every system knows.  See ``keep_rights``.
    """
    return "User #65534\nGroup #65534" if os.geteuid() == 0 else ""


def keep_rights() -> str:
    """Let processes keep root's rights when they become another user; say why that cannot be.

    As root, Apache's children turn into nobody, who may not enter root's private folders: a home
    with a checkout in it, the folder of the probe's notes.  With this bit a change of user keeps
    the capabilities (capabilities(7): SECBIT_NO_SETUID_FIXUP).  It is for a machine of lessons:
    children with root's rights are what Apache rightly will not have on a public one.
    """
    if os.geteuid() != 0:
        return ""
    if sys.platform != "linux":
        return "only Linux can; the daemons run as nobody"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0) != 0:
        return f"prctl: {os.strerror(ctypes.get_errno())}; the daemons run as nobody"
    return ""


def own_library() -> None:
    """Let the interpreter in the system's mod_wsgi find its own standard library.

    It looks for the first ``python3`` on PATH and takes what lies beside that: with an environment
    of another build in front, it would load compiled modules that do not fit (ssl is one).
    """
    if module() == _module("wsgi"):
        os.environ["PATH"] = SYSTEM


# --- becoming Apache --------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Write the files, and become Apache; return 1 with one line where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m workbench.ecosystem.apache")
    parser.add_argument("app", metavar="MODULE:NAME", help="the WSGI application")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--processes", type=int, default=0, help="0: mod_wsgi's default, one")
    parser.add_argument("--threads", type=int, default=0, help="0: mod_wsgi's default, 15")
    parser.add_argument("--show", action="store_true", help="print the configuration, and end")
    asked = parser.parse_args(arguments)
    name, _, attribute = asked.app.partition(":")
    if not (re.fullmatch(r"\w+(\.\w+)*", name) and attribute.isidentifier()):
        parser.error(f"an application is module:name, and {asked.app!r} is not")
    if lacking := unfit():
        print(lacking, file=sys.stderr)
        return 1
    if asked.show:
        print(configuration(asked.port, "FOLDER", asked.processes, asked.threads), end="")
        return 0
    # Whoever starts us as a part of the course removes that folder when we have ended.
    folder = Path(tempfile.mkdtemp(prefix="apache-", dir=os.environ.get("GAUNTLET_FOLDER")))
    (folder / "course.wsgi").write_text(SCRIPT.format(module=name, name=attribute), "utf-8")
    text = configuration(asked.port, str(folder), asked.processes, asked.threads)
    (folder / "apache.conf").write_text(text, "utf-8")
    if trouble := keep_rights():
        print(f"mod_wsgi as root: {trouble}", file=sys.stderr)
    sys.stderr.flush()
    apache = program()
    own_library()
    assert apache is not None
    os.execv(apache, [apache, "-f", str(folder / "apache.conf"), "-DFOREGROUND"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
