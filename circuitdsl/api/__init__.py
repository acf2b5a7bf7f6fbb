"""What the package does, for Python, one file a subject; the command line is these functions with arguments.

``circuitdsl`` lists what of it is public; the rest is for the command line and the editor. Wrong input raises
``errors.InputError`` with a remedy; ``language.diagnostics.SpecError`` is the one of specifications.

What only some functions need (plans, comparisons, models at work) is imported inside them: reading a specification
takes half the time without.
"""

from circuitdsl.api.atlases import atlas, measure_atlas
from circuitdsl.api.attributing import attribute
from circuitdsl.api.checking import check, plan
from circuitdsl.api.comparing import changes, compare, compare_function, diff
from circuitdsl.api.drafting import draft, plan_draft
from circuitdsl.api.drifting import drift
from circuitdsl.api.environments import environment, require_shapes, tolerant_environment
from circuitdsl.api.graphs import measure_graphs
from circuitdsl.api.linting import fix_text, format, lint, lint_text, with_prompts_read
from circuitdsl.api.panels import panel
from circuitdsl.api.prompts import with_prompt_count, with_prompts
from circuitdsl.api.reading import Findings, circuit_in, circuits_in, load, require_blocks
from circuitdsl.api.refining import refine
from circuitdsl.api.showing import explain, show
from circuitdsl.api.sweeping import plan_sweep, sweep
from circuitdsl.api.watching import watch

__all__ = [
    "Findings",
    "atlas",
    "attribute",
    "changes",
    "check",
    "circuit_in",
    "circuits_in",
    "compare",
    "compare_function",
    "diff",
    "draft",
    "drift",
    "environment",
    "explain",
    "fix_text",
    "format",
    "lint",
    "lint_text",
    "load",
    "measure_atlas",
    "measure_graphs",
    "panel",
    "plan",
    "plan_draft",
    "plan_sweep",
    "refine",
    "require_blocks",
    "require_shapes",
    "show",
    "sweep",
    "tolerant_environment",
    "watch",
    "with_prompt_count",
    "with_prompts",
    "with_prompts_read",
]
