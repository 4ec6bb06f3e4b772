# trips: exactly as many as there are
def draw_level(measure, loop, share=0.9, most=64):
    """Return the least number of threads that draws level, or None."""

    def is_level(threads):
        return any(measure(threads) >= share * loop for _ in range(3))

    high = 1
    while not is_level(high):
        if high > most:
            return None
        high = 2 * high
    low = high // 2  # too few, or 0
    while high - low > 1:
        middle = (low + high) // 2
        if is_level(middle):
            high = middle
        else:
            low = middle
    return high
