"""Two circuits as descriptions: structure, graph, chance, overlap curves. Nothing here runs a model."""
