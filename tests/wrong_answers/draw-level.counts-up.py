# trips: a large pool
def draw_level(measure, loop, share=0.9, most=64):
    """Return the least number of threads that draws level, or None."""
    for threads in range(1, most + 1):
        if measure(threads) >= share * loop:
            return threads
    return None
