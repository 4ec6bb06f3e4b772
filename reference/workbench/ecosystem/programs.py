"""Where a program lies, also one that only an administrator usually starts."""

from __future__ import annotations

import os
import shutil

SBIN = ("/usr/sbin", "/usr/local/sbin")  # where servers lie, and which a user's PATH seldom holds


def found(program: str) -> str | None:
    """Return the path of a program, also where only an administrator would look, or None."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
