"""The size that keys are filled up to (``products``). No torch: what is planned depends on it."""

VECTOR = 16
"""Numbers of the longest vector of a CPU."""
