# trips: nine of ten idle
from __future__ import annotations

from math import ceil


def threads_needed(rate: float, seconds: float, idle: float = 0.0) -> int:
    """Return the number of threads for ``rate`` requests a second of ``seconds`` each."""
    busy = round(rate * seconds, 9)  # L = λ W
    return max(1, ceil(busy / (1 - idle)))
