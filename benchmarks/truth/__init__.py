"""The calibration of the checker: is a verdict wrong as seldom as it says? ``python -m benchmarks.truth``.

Four kinds of cases whose truth is known:

* ``pools``: everything that a set of claims asks for is read on a pool of prompts, whose figures are the truth. Small
  samples of the pool are judged.
* ``relay``: planted models with random wiring. What each part does follows from the wires.
* ``untrained``: models of random weights, on a task whose answers were drawn by a coin.
* ``random_circuits``: circuits of random heads, which are no better than random heads.

``pieces`` divides the work, ``counts`` counts, ``document`` and ``pictures`` write docs/trust.md. Only ``judging``
knows how the checker judges.
"""
