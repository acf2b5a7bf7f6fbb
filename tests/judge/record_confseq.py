"""What the package confseq says of the values of ``test_looks.beta_values``: prints the table ``test_looks.CONFSEQ``.

Run by ``PYTHONPATH=confseq-0.0.11/src PYTHON record_confseq.py``, two CPU minutes, with a Python that has ``numpy<2``,
``scipy``, ``matplotlib`` and ``multiprocess``. The folder is that of ``pip download --no-deps confseq``, unpacked: what
the package has in C++, for which Boost's headers are needed, is not used.
"""

import numpy as np
from confseq.betting import dKelly_cs, hedged_cs  # pyright: ignore[reportMissingImports]
from confseq.predmix import predmix_empbern_twosided_cs  # pyright: ignore[reportMissingImports]

METHODS = {
    "bernstein": predmix_empbern_twosided_cs,
    "hedged": lambda x: hedged_cs(x, breaks=4000, running_intersection=False),
    "averaged": lambda x: dKelly_cs(x, breaks=4000, running_intersection=False),
}

for a, b in ((8.0, 2.0), (0.5, 0.5), (50.0, 5.0)):
    values = np.random.default_rng(1).beta(a, b, size=640)
    for count in (40, 160, 640):
        ends = {name: method(values[:count]) for name, method in METHODS.items()}
        told = ", ".join(f'"{name}": ({low[-1]:.5f}, {high[-1]:.5f})' for name, (low, high) in ends.items())
        print(f"    ({a}, {b}, {count}): {{{told}}},")
