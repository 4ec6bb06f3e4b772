# trips: a part of a thread
from __future__ import annotations


def threads_needed(rate: float, seconds: float, idle: float = 0.0) -> int:
    """Return the number of threads for ``rate`` requests a second of ``seconds`` each."""
    busy = rate * seconds  # L = λ W
    return max(1, int(busy / (1 - idle)))
