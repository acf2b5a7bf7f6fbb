"""How far two circuits are the same: structure (``structure``) and the measurements of compare blocks."""
