"""circuitdsl: write down what a circuit inside a transformer does, and find out whether it is true.

import circuitdsl as cd

document = cd.load("ioi.circuit")
print(cd.plan(document).passes)
report = cd.check(document)
report.to_dict()
"""

from circuitdsl.api import check, compare, compare_function, environment, load, plan

__all__ = ["check", "compare", "compare_function", "environment", "load", "plan"]
