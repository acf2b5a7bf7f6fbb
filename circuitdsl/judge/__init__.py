"""Intervals, controls and verdicts: from per-prompt figures to what may be said of a claim."""
