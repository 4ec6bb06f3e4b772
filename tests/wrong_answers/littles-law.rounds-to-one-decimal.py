# trips: a little more than four
from __future__ import annotations

from math import ceil


def threads_needed(rate: float, seconds: float, idle: float = 0.0) -> int:
    """Return the number of threads for ``rate`` requests a second of ``seconds`` each."""
    busy = rate * seconds  # L = λ W
    return max(1, ceil(round(busy / (1 - idle), 1)))
