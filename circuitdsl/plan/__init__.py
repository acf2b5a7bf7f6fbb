"""From claims to a deduplicated set of experiments, with their cost."""
