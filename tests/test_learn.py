"""learn.py: it sets up once, mends what is broken, and says each trouble in one line.

No test installs anything: a stub stands in for uv, so that a set-up takes a second, and says what
the real one would say when a disk is full or a network is gone.
"""

from __future__ import annotations

import ast
import errno
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEARN = ROOT / "learn.py"
PYTHON = getattr(sys, "_base_executable", sys.executable)  # not the one that has everything

posix = pytest.mark.skipif(os.name == "nt", reason="the stub is a shell script")

spec = importlib.util.spec_from_file_location("learn", LEARN)
learn = importlib.util.module_from_spec(spec)
spec.loader.exec_module(learn)

STUB = """\
#!/bin/sh
echo "$@" >> "$STUB_LOG"
case "$1 $2" in
  "venv --seed") exec "$4" -m venv --without-pip "$5" ;;
esac
if [ -n "$STUB_SLEEP" ]; then exec sleep 60; fi
if [ -n "$STUB_SAYS" ]; then echo "$STUB_SAYS" >&2; exit 1; fi
for site in .venv/lib/python*/site-packages; do
  echo > "$site/jupyterlab.py"
  echo > "$site/nbval.py"
  echo "$PWD/reference" > "$site/course.pth"
done
"""
SERVE = """\
import os, sys
print("serving", sys.argv[1:], os.environ.get("HOME"))
sys.exit(7)
"""


class House:
    """A copy of the course with almost nothing in it, and a stub in the place of uv."""

    def __init__(self, folder: Path):
        self.folder = folder / "house"
        self.tools = folder / "tools"
        self.log = folder / "calls"
        (self.folder / "reference" / "handmade").mkdir(parents=True)
        self.tools.mkdir()
        for name in ("learn.py", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.folder)
        (self.folder / "reference" / "handmade" / "__init__.py").touch()
        (self.folder / "reference" / "handmade" / "__main__.py").write_text(SERVE)
        (self.tools / "uv").write_text(STUB)
        (self.tools / "uv").chmod(0o755)
        self.environment = {
            "PATH": f"{self.tools}{os.pathsep}/usr/bin:/bin",
            "HOME": str(folder),
            "STUB_LOG": str(self.log),
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PYTHON, str(self.folder / "learn.py"), *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def calls(self) -> list[str]:
        """Return what was asked of uv since the last time: venv, or pip."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def assert_one_line(done, words, code=1):
    assert done.returncode == code, done
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


# ------------------------------------------------------------------ which Pythons


MODERN = (
    ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Await, ast.Nonlocal,
    ast.Match, ast.YieldFrom,
)  # fmt: skip


def test_even_python_2_can_parse_it():
    tree = ast.parse(LEARN.read_text("utf-8"))
    assert LEARN.read_bytes().isascii(), "Python 2 wants an encoding for anything else"
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        assert not isinstance(node, MODERN), line
        if isinstance(node, ast.FunctionDef):
            assert node.returns is None, line
            assert not node.args.kwonlyargs, line
        assert not getattr(node, "annotation", None), line
        assert not (isinstance(node, ast.Raise) and node.cause), line
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            assert not any(isinstance(item, ast.Starred) for item in node.elts), line
        if isinstance(node, ast.Call) and any(isinstance(a, ast.Starred) for a in node.args):
            assert isinstance(node.args[-1], ast.Starred), line


@pytest.mark.parametrize("version", ["(2, 7, 18)", "(3, 10, 14)"])
def test_an_old_python_is_told_in_one_line(version):
    code = f"import sys; sys.version_info = {version}; exec(open({str(LEARN)!r}).read())"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True)
    assert_one_line(done, "needs Python 3.11 or newer, and this is Python")


# ------------------------------------------------------------------ the set-up


@posix
def test_the_set_up_happens_once_and_the_command_takes_over(house):
    first = house.run("serve", "board:app", "--port", "0")
    assert (first.returncode, first.stderr) == (7, "")
    assert "installing packages" in first.stdout
    assert f"serving ['serve', 'board:app', '--port', '0'] {house.folder.parent}" in first.stdout
    assert house.calls() == ["venv", "pip", "pip"]

    again = house.run("serve")
    assert (again.returncode, again.stdout.split()[0]) == (7, "serving")
    assert house.calls() == []


@posix
def test_a_new_lock_is_installed_into_the_same_environment(house):
    house.run("serve")
    house.calls()
    with (house.folder / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert house.run("serve").returncode == 7
    assert house.calls() == ["pip", "pip"]


@posix
def test_an_environment_that_was_moved_or_lost_its_python_is_made_anew(house):
    house.run("serve")
    (house.folder / ".venv" / "bin" / "python").unlink()
    house.calls()
    done = house.run("serve")
    assert ".venv does not work" in done.stdout
    assert (done.returncode, house.calls()) == (7, ["venv", "pip", "pip"])

    house.folder = house.folder.rename(house.folder.with_name("moved house"))
    done = house.run("serve")
    assert ".venv does not work" in done.stdout
    assert (done.returncode, house.calls()) == (7, ["venv", "pip", "pip"])


@posix
def test_a_file_in_the_place_of_the_environment_is_replaced(house):
    (house.folder / ".venv").write_text("what is this?")
    assert house.run("serve").returncode == 7


@posix
def test_a_set_up_that_did_not_finish_starts_afresh(house):
    assert house.run("serve", STUB_SAYS="something odd").returncode == 1
    done = house.run("serve")
    assert "did not finish" in done.stdout
    assert done.returncode == 7


@posix
@pytest.mark.parametrize("home", ["", "/nonexistent/home", None])
def test_a_machine_without_a_home_gets_one(house, home):
    if home is None:
        del house.environment["HOME"]
    else:
        house.environment["HOME"] = home
    done = house.run("serve")
    assert done.returncode == 7
    assert home is None or done.stdout.rstrip().endswith(str(house.folder / ".home"))


@posix
def test_without_ensurepip_the_package_to_install_is_named(house):
    house.environment["PATH"] = str(house.tools)
    (house.tools / "uv").unlink()
    code = (
        "import sys, runpy; sys.modules['ensurepip'] = None; sys.argv = ['learn.py', 'serve']; "
        f"runpy.run_path({str(house.folder / 'learn.py')!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [PYTHON, "-c", code], env=house.environment, capture_output=True, text=True
    )
    assert_one_line(done, f"sudo apt install python3.{sys.version_info[1]}-venv")


@posix
def test_ctrl_c_stops_the_set_up_and_what_it_started(house):
    process = house.start("serve", STUB_SLEEP="yes")
    deadline = time.monotonic() + 30
    while not (house.log.exists() and "pip" in house.log.read_text()):
        assert time.monotonic() < deadline, "the set-up never came to pip"
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)  # ends only when the stub, too, has let go
    assert process.returncode == 1
    assert err == "\nStopped. Start again whenever you like.\n"


@posix
def test_a_folder_that_cannot_be_written_is_one_line():
    python = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin")
    version = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if python is None or subprocess.run(version).returncode:
        pytest.skip("no Python that every user may run")
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        Path(folder).chmod(0o755)
        house.folder.chmod(0o555)
        done = subprocess.run(
            [python, house.folder / "learn.py", "serve"],
            env=house.environment | {"STUB_LOG": "/dev/null"},
            user=65534 if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
        )
        house.folder.chmod(0o755)
    assert_one_line(done, "cannot be written: move the course to a folder of your own.")


# ------------------------------------------------------------------ what tools say, in one line

SAYINGS = {
    "OSError: [Errno 28] No space left on device": "The disk is full",
    "error: Failed to fetch: `simple/anyio/`\n  dns error: failed to lookup": "cannot be reached",
    "WARNING: Retrying after connection broken by 'NewConnectionError(...)'": "cannot be reached",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES": "not the one in requirements.lock",
    "error: failed to create directory: Permission denied (os error 13)": "cannot be written",
    "line one\nerror: a new kind of trouble\n  hint: none": "error: a new kind of trouble",
}


@posix
@pytest.mark.parametrize("saying", SAYINGS, ids=lambda saying: SAYINGS[saying])
def test_a_failing_installer_is_one_line(house, saying):
    assert_one_line(house.run("serve", STUB_SAYS=saying), SAYINGS[saying])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_the_trouble_of_a_file_is_one_line(number, words):
    line = learn.explain(OSError(number, os.strerror(number), "somewhere"))
    assert words in line
    assert "\n" not in line


# ------------------------------------------------------------------ the commands


def test_an_unknown_command_or_step_is_one_line():
    for arguments in (["frobnicate"], ["test", "frobnicate"]):
        done = subprocess.run([PYTHON, LEARN, *arguments], capture_output=True, text=True)
        assert_one_line(done, "frobnicate: ")


def test_the_help_names_each_command_and_each_step():
    for option in ("--help", "-h", "help"):
        done = subprocess.run([PYTHON, LEARN, option], capture_output=True, text=True)
        assert done.returncode == 0
        commands = set(learn.COMMANDS) - {"lab", "help", "--help", "-h"}
        assert [name for name in commands | set(learn.STEPS) if name not in done.stdout] == []


def lab_command(monkeypatch, *options, **environment):
    """Return the command that would open JupyterLab in an environment."""
    commands = []
    monkeypatch.setattr(learn, "course_python", lambda: "python")
    monkeypatch.setattr(learn, "hand_over", commands.append)
    monkeypatch.setattr(learn.os, "environ", environment)
    monkeypatch.chdir(ROOT)
    learn.main(list(options))
    return commands[0]


def test_jupyterlab_opens_a_browser_only_where_there_is_a_screen(monkeypatch):
    monkeypatch.setattr(learn.sys, "platform", "linux")
    assert "--no-browser" in lab_command(monkeypatch)
    assert "--no-browser" not in lab_command(monkeypatch, DISPLAY=":0")


def test_options_without_a_command_go_to_jupyterlab(monkeypatch):
    assert lab_command(monkeypatch, "--port", "9999")[-2:] == ["--port", "9999"]


def fake_steps(monkeypatch, **programs):
    monkeypatch.setattr(learn, "course_python", lambda: sys.executable)
    steps = {name: (["-c", program], "learn.py") for name, program in programs.items()}
    monkeypatch.setattr(learn, "STEPS", steps)
    run_check = learn.run_check
    monkeypatch.setattr(learn, "run_check", lambda command: run_check(command[:1] + command[2:]))


def test_all_steps_run_and_the_last_line_counts(monkeypatch, capfd):
    fake_steps(
        monkeypatch,
        lint="print('All fine')",
        tests="print('=== 2 passed, 1 skipped in 0.10s ===')",
        notebooks="print('\x1b[32m40 passed\x1b[0m in 61.00s (0:01:01)')",
    )
    assert learn.main(["test"]) == 0
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("=== 42 passed, 1 skipped in ")


def test_a_failed_step_stops_no_other_and_is_named_last(monkeypatch, capfd):
    fake_steps(
        monkeypatch,
        lint="raise SystemExit(2)",
        tests="print('=== 1 failed, 2 passed, 1 error in 0.10s ==='); raise SystemExit(1)",
        notebooks="print('3 passed in 1.00s')",
    )
    assert learn.main(["test"]) == 1
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("=== FAILED: lint, tests; 1 failed, 1 error, 5 passed in ")


def test_named_steps_run_alone(monkeypatch, capfd):
    fake_steps(monkeypatch, lint="print('lint ran')", tests="print('tests ran')")
    assert learn.main(["test", "tests"]) == 0
    out = capfd.readouterr().out
    assert "tests ran" in out
    assert "lint ran" not in out


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="sees processes by /proc")
def test_who_is_left_behind_by_a_check_is_told_and_fails(monkeypatch, capfd):
    starts = """
import subprocess
away = {"start_new_session": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(["sleep", "30"], **away).pid)
"""
    fake_steps(monkeypatch, tests=starts)
    monkeypatch.setattr(learn, "PATIENCE", 0.2)
    try:
        assert learn.main(["test"]) == 1
    finally:
        out = capfd.readouterr().out
        os.kill(int(re.search(r"^(\d+)$", out, re.MULTILINE)[1]), signal.SIGKILL)
    assert "== still running when all is over: sleep 30\n" in out
    assert "=== FAILED: leftovers; " in out


def test_the_live_line_counts_packages():
    log = "Collecting a==1\nIgnoring b: markers do not match\nCollecting c==2\n"
    assert learn.progress("installing", log, 9, 4.2) == "  installing, 3 of 9 ... 4 s"
    log += "Installing collected packages: a, c"
    assert learn.progress("installing", log, 9, 20) == "  installing, unpacking ... 20 s"
