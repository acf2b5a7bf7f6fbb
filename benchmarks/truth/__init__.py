"""The calibration of the checker: is a verdict wrong as seldom as it says? ``python -m benchmarks.truth``.

Three kinds of cases whose truth is known:

* ``pools``: everything that a set of claims asks for is read on a pool of prompts, whose figures are the truth. Small
  samples of the pool are judged.
* ``relay``: planted models with random wiring. What each part does follows from the wires.
* ``untrained``: models of random weights, and tasks whose answers were drawn by a coin.

``pieces`` divides the work, ``counts`` counts, ``document`` and ``pictures`` write docs/trust.md. Only ``judging`` knows
how the checker judges.
"""
