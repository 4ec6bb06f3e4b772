"""``python -m workbench.ecosystem``: the matrix; see ``matrix.py``."""

import sys


def start() -> int:
    """Run the command; a Ctrl-C while it is still being loaded ends it without a word too."""
    try:
        from .matrix import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(start())
