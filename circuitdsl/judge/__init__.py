"""Statistics and nothing else: intervals, verdicts, corrections, the screen of a search."""
