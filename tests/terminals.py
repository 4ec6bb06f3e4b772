"""A program in a pseudo-terminal of a given width: type to it, and read what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

# The program gets the terminal as its own, so that Ctrl-C reaches it as from a keyboard.
OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
OWN += "os.execv(sys.argv[1], sys.argv[1:])"
PATIENCE = 40.0  # seconds: it ends early, or not at all


class Terminal:
    """One program in one terminal; ``screen`` is all that it has shown, line by line."""

    def __init__(self, command, environment, columns=80):
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.mode_before = self.mode()
        self.child = subprocess.Popen(
            [sys.executable, "-c", OWN, *command],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env={key: environment[key] for key in environment.keys() - {"COLUMNS", "LINES"}},
            start_new_session=True,
        )
        self._data = b""
        self._read = 0  # up to where `wait_for` has read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def mode(self):
        """Return the terminal's mode: what a shell would find."""
        return termios.tcgetattr(self._theirs)

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def wait_for(self, text):
        """Wait until a text comes that was not waited for yet; return what came up to its end."""
        end = time.monotonic() + PATIENCE
        while (found := self._data.find(text.encode(), self._read)) < 0:
            assert time.monotonic() < end, f"no {text!r} in:\n{self.screen}"
            self._take(0.1)
        start, self._read = self._read, found + len(text.encode())
        return shown(self._data[start : self._read])

    def ends(self):
        """Wait for the end of the program and return its exit code."""
        end = time.monotonic() + PATIENCE
        while self.child.poll() is None:  # reading, for who writes to a full terminal waits
            assert time.monotonic() < end, f"it goes on:\n{self.screen}"
            self._take(0.02)
        self._take(0)
        return self.child.returncode

    def _take(self, seconds):
        while select.select([self._ours], [], [], seconds)[0]:
            self._data += os.read(self._ours, 65536)
            seconds = 0

    @property
    def screen(self):
        self._take(0)
        return shown(self._data)


def shown(data):
    """Return the lines that a screen shows: what follows a bare CR overwrites the line."""
    lines = []
    for line in data.decode(errors="replace").replace("\r\n", "\n").split("\n"):
        over = ""
        for part in line.split("\r"):
            over = part + over[len(part) :]
        lines.append(over.rstrip())
    return "\n".join(lines)
