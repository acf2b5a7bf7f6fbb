"""Plan -> Report: carry out a plan on open models, have it judged, and fill the outcome; one file a kind of block."""
