"""Run experiments on a model.

``base`` is the contract of engines, and finds them by name; it needs no torch. ``plain`` is the oracle: one hooked
forward pass an experiment. ``fast`` gives the same readings for less. They share what stands beside them here, which
computes nothing of a run: prompts as tensors (``batch``), hook points by name (``hook_names``), what worlds name
(``named``), sources of replaced activations (``sources``), readings of a finished run (``readings``) and the guard's
rule (``guard``). ``session`` draws prompts, asks an engine, and remembers; ``store`` remembers between calls.
"""
