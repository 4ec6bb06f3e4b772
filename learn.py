#!/usr/bin/env python3
"""From Sockets to ASGI: set the course up and run it.

  python3 learn.py                 set up once, then open the notebooks in JupyterLab
  python3 learn.py test [STEP...]  run every check, or the named ones of
                                   {steps}

  python3 learn.py check [NAME]    grade your answers to the exercises of a chapter
  python3 learn.py watch           grade them each time you save, and go on to the next
  python3 learn.py hint NAME       the next of three hints to an exercise
  python3 learn.py solution NAME   its solution: when yours passes, or when you ask twice
  python3 learn.py progress        what you have done, as a table
  python3 learn.py serve ...       run an application on the handmade servers (serve --help)
  python3 learn.py gauntlet ...    judge any server over the network (gauntlet --help)
  python3 learn.py matrix ...      probe the servers and frameworks in the wild (matrix --help)

  python3 learn.py lint            the checks that only read: {lint}
  python3 learn.py build ...       run the notebooks and store their outputs (build --help)
  python3 learn.py lock            renew requirements.lock from pyproject.toml (needs uv)

Options without a command go to JupyterLab: --no-browser, --port 9999, --ip 0.0.0.0.
All that is installed goes into .venv beside this file; delete that folder to undo it.
"""

# This file must be *parsed* by the Pythons that it turns away: no f-strings, no annotations.
from __future__ import print_function

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "The course needs Python 3.11 or newer, and this is Python {0}.{1}: install a newer one "
        "(python.org, your package manager, or uv) and start learn.py with that.".format(
            *sys.version_info
        )
    )

import contextlib
import errno
import glob
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import tomllib

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
LOCK = os.path.join(ROOT, "requirements.lock")
PYPROJECT = os.path.join(ROOT, "pyproject.toml")
STAMP = os.path.join(VENV, "set-up.stamp")
WINDOWS = os.name == "nt"
VENV_PYTHON = os.path.join(VENV, *(["Scripts", "python.exe"] if WINDOWS else ["bin", "python"]))
START = "notebooks/00-start-here.ipynb"
UNFINISHED = "unfinished"


class Trouble(Exception):
    """Something the user can mend, said in one line."""


# ----------------------------------------------------------------- which Python runs the course


def course_python():
    """Return the Python that has the course installed, after a set-up where one is needed."""
    use_a_home()
    python = sys.executable if installed_here() else set_up()
    os.environ["PATH"] = os.path.dirname(python) + os.pathsep + os.environ.get("PATH", os.defpath)
    return python


def installed_here():
    """Tell whether this very Python (conda, Binder, an activated environment) has everything."""
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV):
        return False  # ours: the stamp knows better whether it is up to date
    spec = importlib.util.find_spec("handmade")
    if spec is None or not is_ours(spec.origin):
        return False
    with open(PYPROJECT, "rb") as file:
        wanted = tomllib.load(file)["project"]["dependencies"]
    try:
        for requirement in wanted:
            importlib.metadata.version(re.match(r"[\w.-]+", requirement).group())
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def is_ours(origin):
    """Tell whether a module is read from this very folder, not from a copy of it."""
    return os.path.realpath(origin or "").startswith(
        os.path.realpath(os.path.join(ROOT, "reference")) + os.sep
    )


def use_a_home():
    """Give programs a HOME to write to where the machine has none (a bare container, a service)."""
    home = os.path.expanduser("~") if os.environ.get("HOME", "unset") else ""
    if not WINDOWS and not (os.path.isdir(home) and os.access(home, os.W_OK)):
        os.environ["HOME"] = os.path.join(ROOT, ".home")
        os.makedirs(os.environ["HOME"], exist_ok=True)


# ------------------------------------------------------------------------------------ the set-up


def set_up():
    """Make .venv what the lock says and return its Python; do nothing when it is so already."""
    stamp = fingerprint()
    found = read(STAMP)
    state = inspect_venv()
    if found == stamp and state == "ready":
        return VENV_PYTHON
    if found == UNFINISHED and state != "absent":
        print("The last set-up did not finish: making .venv anew.")
        state = remove_venv()
    elif state == "broken" or (found == stamp and state == "bare"):
        print(".venv does not work (moved, or its Python has changed): making it anew.")
        state = remove_venv()

    uv = shutil.which("uv")
    os.environ.setdefault("UV_NATIVE_TLS", "true")  # trust what this machine trusts, as pip does
    packages = len(re.findall(r"^\S+==", read(LOCK), re.MULTILINE))
    print("Setting the course up in .venv; this happens once.")
    if state == "absent":
        step("making a Python environment", venv_command(uv))
    with open(STAMP, "w") as file:
        file.write(UNFINISHED)
    pip = [VENV_PYTHON, "-m", "pip", "--no-input", "--disable-pip-version-check", "install"]
    pip += ["--progress-bar", "off"]
    install = [uv, "pip", "install", "--python", VENV_PYTHON] if uv else pip
    install += ["--no-deps"]
    step("installing packages", install + ["--require-hashes", "-r", LOCK], packages)
    step("installing the course", install + ["--no-build-isolation", "-e", ROOT])
    if inspect_venv() != "ready":
        raise Trouble("The set-up ended well, yet .venv lacks the course: delete .venv, try again.")
    calm_lab(VENV)
    with open(STAMP, "w") as file:
        file.write(stamp)
    return VENV_PYTHON


def fingerprint():
    """Return what decides about a new set-up, as a hash: lock, pyproject and Python version."""
    python = "Python {0}.{1}\n".format(*sys.version_info)
    return hashlib.sha256((python + read(LOCK) + read(PYPROJECT)).encode()).hexdigest()


def inspect_venv():
    """Return the state of .venv: absent, broken, bare (a Python without the course) or ready."""
    if not os.path.lexists(VENV):
        return "absent"
    probe = (
        "import sys, importlib.util as util\n"
        "found = [util.find_spec(name) for name in ('handmade', 'jupyterlab', 'nbval')]\n"
        "print('%d.%d' % sys.version_info[:2])\n"
        "print(found[0].origin if all(found) else '')"
    )
    try:
        # From a neutral folder: nothing in the current one may be taken for an installed module.
        out = subprocess.check_output(
            [VENV_PYTHON, "-c", probe], cwd=VENV, stderr=subprocess.DEVNULL, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "broken"
    version, origin = out.split("\n")[:2]
    if version != "{0}.{1}".format(*sys.version_info):
        return "broken"
    return "ready" if is_ours(origin) else "bare"


def remove_venv():
    """Delete .venv, or the file that lies in its place."""
    (shutil.rmtree if os.path.isdir(VENV) and not os.path.islink(VENV) else os.remove)(VENV)
    return "absent"


def venv_command(uv):
    """Return the command that makes .venv; the Python beneath an active environment is its base."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    if uv:
        return [uv, "venv", "--seed", "--python", base, VENV]
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Trouble(
                "This Python cannot make environments, its {0} module is missing: install it (on "
                "Debian and Ubuntu: sudo apt install python{1}.{2}-venv), then start again.".format(
                    module, *sys.version_info
                )
            )
    return [base, "-m", "venv", VENV]


def step(title, command, packages=0):
    """Run one step behind a line that counts packages and seconds; a failure becomes one line."""
    start, live, length = time.monotonic(), sys.stdout.isatty(), 0
    handle, path = tempfile.mkstemp(prefix="set-up-", suffix=".log")
    with open(handle, "wb") as log:
        child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while child.poll() is None:
                line = progress(title, read(path), packages, time.monotonic() - start)
                if live:
                    print("\r" + line.ljust(length), end="", flush=True)
                    length = len(line)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(0.3)
        except BaseException:
            child.kill()
            child.wait()
            raise
    line = "  {0}: {1:.0f} s".format(title, time.monotonic() - start)
    print(("\r" if live else "") + line.ljust(length), flush=True)
    if child.returncode:
        raise Trouble(diagnose(title, read(path), path))
    os.remove(path)


def progress(title, log, packages, seconds):
    """Return the live line: how far pip has come, told from its log, and the seconds."""
    done = len(re.findall(r"^(?:Collecting|Ignoring) ", log, re.MULTILINE))
    count = ", {0} of {1}".format(min(done, packages), packages) if packages and done else ""
    if "Installing collected packages" in log:
        count = ", unpacking"
    return "  {0}{1} ... {2:.0f} s".format(title, count, seconds)


DIAGNOSES = [
    (
        r"No space left|not enough space|[Dd]isk quota|Errno 28\b",
        "The disk is full. The course takes about 600 MB: make room, then start again.",
    ),
    (
        r"name resolution|[Ff]ailed to resolve|dns error|NewConnectionError|error sending request"
        r"|[Ff]ailed to fetch|Network is unreachable|Connection refused|Connection reset"
        r"|[Tt]imed out|ProxyError|CERTIFICATE_VERIFY_FAILED|peer certificate|getaddrinfo failed"
        r"|Connection aborted|tcp connect error",
        "The packages cannot be reached: check the network (and the proxy), then start again.",
    ),
    (
        r"DO NOT MATCH THE HASHES|[Hh]ash mismatch",
        "A package is not the one in requirements.lock: start again, or ask who runs your mirror.",
    ),
    (
        r"Read-only file system|Permission denied|Access is denied|Errno 13\b",
        "Something under {root} cannot be written: move the course to a folder of your own.",
    ),
]


def diagnose(title, log, path):
    """Return the one line for a failed step: a known cause, or the step's own last words."""
    for pattern, line in DIAGNOSES:
        if re.search(pattern, log):
            os.remove(path)
            return line.format(root=ROOT)
    words = [line.strip() for line in log.splitlines() if line.strip()] or ["it said nothing"]
    causes = [line for line in words if line.lower().startswith("error")] or words
    return "{0} failed: {1} (all of it: {2})".format(title.capitalize(), causes[-1], path)


def calm_lab(prefix):
    """Tell the JupyterLab under ``prefix`` not to open with a question about news."""
    folder = os.path.join(prefix, "share", "jupyter", "lab", "settings", "overrides.d")
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "from-sockets-to-asgi.json"), "w") as file:
        json.dump({"@jupyterlab/apputils-extension:notification": quiet}, file, indent=1)


def read(path):
    """Return the text of a file, and nothing for a file that is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""


# ---------------------------------------------------------------------------------- the commands


def lab(options):
    """Open JupyterLab at the first notebook; it prints its address and stops at Ctrl-C."""
    command = [course_python(), "-m", "jupyterlab"]
    command += ["--ServerApp.log_level=WARN", "--LabApp.log_level=WARN"]
    command += ["--KernelManager.transport_encryption=auto", "--ServerApp.root_dir=" + ROOT]
    if os.path.exists(os.path.join(ROOT, START)):
        command.append("--LabApp.default_url=/lab/tree/" + START)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    screen = WINDOWS or sys.platform == "darwin" or "WSL_DISTRO_NAME" in os.environ
    if not (screen or {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & set(os.environ)):
        command.append("--no-browser")
    print("Starting JupyterLab; Ctrl-C stops it.", flush=True)
    os.chdir(ROOT)
    return hand_over(command + options)


def hand_over(command):
    """Become ``command``, so that signals and the exit code are its own."""
    sys.stdout.flush()
    if not WINDOWS:
        os.execv(command[0], command)
    child = subprocess.Popen(command)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            pass  # the child has got the same Ctrl-C and decides for itself


def module(*words):
    """Return a command that hands over to ``python -m words...``."""
    return lambda options: hand_over([course_python(), "-m"] + list(words) + options)


PYTEST = ["pytest", "-n"]
NBVAL = ["-p", "nbval", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=60"]
NBVAL += ["--nbval-sanitize-with=tests/nbval_sanitize.cfg"]
NBVAL += ["--dist=loadfile", "--no-loadscope-reorder"]
FIRST = ["14", "06", "12", "13", "15", "05", "10"]  # the longest: begun last, one would run alone


def in_turns():
    """Return the notebooks, those first that take long."""
    names = sorted(glob.glob("notebooks/*.ipynb", root_dir=ROOT))
    return sorted(names, key=lambda name: (FIRST + [name[10:12]]).index(name[10:12]))


MARK = "FROM_SOCKETS_TO_ASGI_RUN"  # the variable by which a run of the checks knows its processes
PATIENCE = 5.0  # seconds that what a check has started has to end behind it

# name: what runs, and a pattern of files without which there is nothing to check
STEPS = {
    "ruff": (["ruff", "check"], "*.py"),
    "format": (["ruff", "format", "--check"], "*.py"),
    "types": (["mypy"], "reference/*/*.py"),
    "exercises": (["workbench.exercises", "strip", "--check"], "solutions/*"),
    "tests": (PYTEST + ["7", "--dist=worksteal"], "tests/test_*.py"),
    "notebooks": (PYTEST + ["3"] + NBVAL + in_turns(), "notebooks/*.ipynb"),
}
LINT = ["ruff", "format", "types", "exercises"]


def test(names):
    """Run the named steps, or all; the last line says which failed and what the tests counted."""
    unknown = set(names) - set(STEPS)
    if unknown:
        raise Trouble("No step {0}: there are {1}.".format(unknown.pop(), ", ".join(STEPS)))
    python, start, failed, counts = course_python(), time.monotonic(), [], {}
    for name in names or STEPS:
        words, files = STEPS[name]
        if not glob.glob(os.path.join(ROOT, files)):
            print("== {0}: no {1} yet, nothing to check".format(name, files))
            continue
        begin = time.monotonic()
        print("== {0}: {1}".format(name, " ".join(words)), flush=True)
        if name == "notebooks":  # they are compared with what a new learner sees
            os.environ["HANDMADE_NO_PROGRESS"] = "1"
        code, found = run_check([python, "-m"] + words)
        for word, number in found.items():
            counts[word] = counts.get(word, 0) + number
        if code:
            failed.append(name)
        verdict = "FAILED" if code else "ok"
        print("== {0}: {1}, {2:.1f} s".format(name, verdict, time.monotonic() - begin))
        print(flush=True)
    left = left_behind(PATIENCE)
    for line in left:
        print("== still running when all is over: " + line)
    if left:
        failed.append("leftovers")
    elif os.path.isdir("/proc/self"):
        print("== nothing left: no process of this run, and so no socket of one")
    print(summary(failed, counts, time.monotonic() - start))
    return 1 if failed else 0


def left_behind(seconds):
    """Return the command lines of processes of this run that do not end within some seconds.

    Wherever they went: a child that has left its group or lost its parent still has the
    environment that it was started with. Only where there is a /proc; elsewhere nothing is found.
    """
    mark = "{0}={1}".format(MARK, os.getpid())
    end = time.monotonic() + seconds
    while True:
        found = []
        for path in glob.glob("/proc/[0-9]*/environ"):
            pid = path.split("/")[2]
            if mark in read_process(pid, "environ") and pid != str(os.getpid()):
                found.append(" ".join(read_process(pid, "cmdline")).strip()[:200])
        found = [line for line in found if line]  # who has none has ended: nobody asked how, yet
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def read_process(pid, name):
    """Return the parts of a file of /proc; none for a process that is gone, or somebody else's."""
    try:
        return read("/proc/{0}/{1}".format(pid, name)).split("\0")
    except OSError:
        return []


def run_check(command):
    """Run a check, pass its output on, and return its exit code and what pytest counted."""
    counts = {}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    marked = dict(os.environ)
    marked[MARK] = str(os.getpid())  # every process of the check inherits it
    with subprocess.Popen(command, cwd=ROOT, env=marked, **pipes) as child:
        try:
            for line in child.stdout:
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
                text = line.decode(errors="replace")
                if re.search(r"\b(passed|failed|errors?|skipped)\b.* in [\d.]+s", text):
                    found = re.findall(r"(\d+) (passed|failed|error|skipped|xfailed)", text)
                    counts = {word: int(number) for number, word in found}
        except BaseException:
            child.kill()
            raise
    return child.returncode, counts


def summary(failed, counts, seconds):
    """Return the last line: the failed steps if any, then the counts of all tests together."""
    order = ["failed", "error", "passed", "skipped", "xfailed"]
    parts = ["{0} {1}".format(counts[word], word) for word in order if counts.get(word)]
    tests = ", ".join(parts) or "no tests"
    head = "FAILED: {0}; ".format(", ".join(failed)) if failed else ""
    return "=== {0}{1} in {2:.2f}s ===".format(head, tests, seconds)


def lock(options):
    """Renew requirements.lock: all versions and hashes, for every platform, no host names."""
    uv = shutil.which("uv")
    if uv is None:
        raise Trouble("To renew the lock, install uv first.")
    command = [uv, "pip", "compile", "--no-config", "--universal", "--python-version", "3.11"]
    command += [
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
        "--quiet",
        PYPROJECT,
        "-o",
        LOCK,
    ]
    code = subprocess.call(command + options, cwd=ROOT, stdout=subprocess.DEVNULL)
    if "://" in read(LOCK):
        raise Trouble("The new requirements.lock holds an address: unset what names your mirror.")
    return code


def usage(options):
    """Print the usage."""
    print(__doc__.format(steps=", ".join(STEPS), lint=", ".join(LINT)).strip())
    return 0


COMMANDS = {
    "lab": lab,
    "test": test,
    "check": module("workbench.exercises", "check"),
    "watch": module("workbench.exercises", "watch"),
    "hint": module("workbench.exercises", "hint"),
    "solution": module("workbench.exercises", "solution"),
    "progress": module("workbench.exercises", "progress"),
    "serve": module("handmade", "serve"),
    "gauntlet": module("workbench.gauntlet"),
    "matrix": module("workbench.ecosystem"),
    "lint": lambda options: test(options or LINT),
    "build": module("workbench.build"),
    "lock": lock,
    "help": usage,
    "--help": usage,
    "-h": usage,
}


def main(arguments):
    """Run one command; whatever the user can mend ends in one line and exit code 1."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in COMMANDS):
        arguments = ["lab"] + arguments
    try:
        if arguments[0] not in COMMANDS:
            raise Trouble("No command {0}: see python3 learn.py --help.".format(arguments[0]))
        return COMMANDS[arguments[0]](arguments[1:])
    except KeyboardInterrupt:
        print("\nStopped. Start again whenever you like.", file=sys.stderr)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
    except OSError as error:
        print(explain(error), file=sys.stderr)
    return 1


def explain(error):
    """Return the one line for an OSError."""
    where = os.path.join(ROOT, str(error.filename or ""))
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DIAGNOSES[0][1]
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "{0} cannot be written: move the course to a folder of your own.".format(where)
    return "{0}: {1}".format(where, error.strerror or error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
