"""What the learner looks with: servers run in a ``with``, taps, plots, load, checks and exercises.

It imports ``handmade`` and is never imported by it.
"""
