"""``python -m handmade serve module:app``."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
