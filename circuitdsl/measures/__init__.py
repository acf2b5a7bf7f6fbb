"""Measurements: what can be asked of a model, each with its definition, unit, source and estimator."""
