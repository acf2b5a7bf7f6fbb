"""The features to which a circuit's metric is attributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitdsl.api.arguments import checked
from circuitdsl.api.prompts import with_prompt_count
from circuitdsl.api.reading import AnyCircuit, circuit_of
from circuitdsl.errors import InputError, run_errors
from circuitdsl.models import Opening, open_model

if TYPE_CHECKING:
    from circuitdsl.models import Dtype
    from circuitdsl.models.given import AnyModel
    from circuitdsl.outcome import AttributionReport


@checked
def attribute(
    circuit: AnyCircuit,
    *,
    model: AnyModel | None = None,
    threshold: float = 0.1,
    both_signs: bool = False,
    prompts: int | None = None,
    device: str | None = None,
    revision: str | None = None,
    dtype: Dtype | None = None,
) -> AttributionReport:
    """The features of a circuit's dictionaries, or of those of a file's, to which its metric is attributed, strongest
    first: to find them.

    One backward pass through the model as a linear graph, in which a feature is kept where its value times its gradient
    exceeds ``threshold``, in units of the metric, on a prompt and at a token; with ``both_signs`` its size
    (hierarchical attribution, Ge et al. 2024). The circuit says the task, the prompts, of which the method's first are
    run unless ``prompts`` says how many, the metric and the dictionaries; its claims have no part in it. Whether a
    feature matters is judged by patching: write it into a claim. Raises InputError for a threshold that is no number
    from 0, for a circuit without dictionaries or with two at one point, for a metric without a gradient or that a
    prompt does not have, for a model that gives NaN or infinity, and for what cannot be had.
    """
    from numbers import Real

    from circuitdsl.draft.attribution import attribute as attributed
    from circuitdsl.draft.hierarchical import Cut

    if not isinstance(threshold, Real) or not threshold >= 0:  # NaN is not, either
        raise InputError(f"the threshold {threshold!r} keeps no feature from another", "write 0 or more: 0.1")
    asked = with_prompt_count(circuit_of(circuit, "attribute", "a circuit or a file", model, revision), prompts)
    with run_errors():
        opened = open_model(model or asked.model, asked.method.processing, Opening(device, revision, dtype))
        return attributed(asked, opened, Cut(float(threshold), bool(both_signs)))
