"""pyproject.toml is the only list of dependencies: the lock and environment.yml follow it."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
LOCKED = re.findall(r"^([\w.-]+)==([\w.!+]+)", LOCK, re.MULTILINE)


@pytest.mark.parametrize("line", PROJECT["dependencies"])
def test_each_dependency_is_locked_at_a_version_that_pyproject_allows(line):
    wanted = Requirement(line)
    versions = [version for name, version in LOCKED if name == canonicalize_name(wanted.name)]
    assert versions, f"{wanted.name} is not in requirements.lock: run learn.py lock"
    assert all(wanted.specifier.contains(version) for version in versions)


def test_each_locked_package_has_its_hashes():
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        assert re.match(r"[\w.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_lock_names_no_host():
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "find-links" not in LOCK


def test_conda_takes_one_python_from_conda_and_everything_else_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert environment["name"] == PROJECT["name"]
    assert environment["channels"] == ["conda-forge"]
    python, *others = environment["dependencies"]
    assert others == ["pip", {"pip": ["-e ."]}]
    version = re.fullmatch(r"python=(3\.\d+)", python)
    assert version
    assert SpecifierSet(PROJECT["requires-python"]).contains(version[1])


def test_the_scripts_that_others_run_are_executable():
    for name in ("postBuild", "learn.py", ".ci/run"):
        path = ROOT / name
        assert path.read_text("utf-8").startswith("#!"), name
        assert os.name == "nt" or os.access(path, os.X_OK), name
