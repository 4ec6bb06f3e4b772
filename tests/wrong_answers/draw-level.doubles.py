# trips: one fewer is too few
def draw_level(measure, loop, share=0.9, most=64):
    """Return the least number of threads that draws level, or None."""
    threads = 1
    while threads <= most:
        if any(measure(threads) >= share * loop for _ in range(3)):
            return threads
        threads *= 2
    return None
