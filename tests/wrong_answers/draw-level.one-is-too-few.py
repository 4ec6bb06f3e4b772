# trips: one is enough
def draw_level(measure, loop, share=0.9, most=64):
    """Return the least number of threads that draws level, or None."""

    def is_level(threads):
        return any(measure(threads) >= share * loop for _ in range(3))

    if not is_level(most):
        return None
    low, high = 1, most
    while high - low > 1:
        middle = (low + high) // 2
        if is_level(middle):
            high = middle
        else:
            low = middle
    return high
