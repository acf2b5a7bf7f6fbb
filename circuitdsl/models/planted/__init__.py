"""Models whose circuits are known because their weights were written by hand."""
