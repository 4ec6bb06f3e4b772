"""★ draw-level: how many threads draw level with an event loop?

`measure(threads)` starts a pool of so many threads in front of a slow upstream, lets a fixed crowd
of clients ask, and returns the answers per second. It takes a moment each time, and on a busy
machine a result is now and then far too low; too high it never is, for the upstream's wait is the
limit. `loop` is the rate of an event loop under the same crowd.

Return the least number of threads, from 1 to `most`, whose rate is at least `share` of `loop`; None
when not even `most` threads reach it. Measure little: with `most=512` you have 60 calls.
"""


def draw_level(measure, loop, share=0.9, most=64):
    """Return the least number of threads that draws level, or None."""
    ### BEGIN SOLUTION

    def is_level(threads):
        return any(measure(threads) >= share * loop for _ in range(3))

    high = 1
    while not is_level(high):
        if high == most:
            return None
        high = min(2 * high, most)
    low = high // 2  # too few, or 0
    while high - low > 1:
        middle = (low + high) // 2
        if is_level(middle):
            high = middle
        else:
            low = middle
    return high
    ### END SOLUTION
