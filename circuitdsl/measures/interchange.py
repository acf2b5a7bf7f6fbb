"""What a role carries: given its output on another prompt, does the model answer what one variable alone predicts?

1. A task's variable has another value on one of the prompt's counterfactuals, and with that value alone the answer
   would be another one, which the task names (``Prompt.predicted``).
2. The nodes take the output that they have on that counterfactual; everything else recomputes.
3. A prompt counts if the token with the largest logit is exactly the predicted one (Geiger et al. 2021).
"""

from __future__ import annotations

from circuitdsl.language.circuit import Nodes, Variable
from circuitdsl.language.environment import PROPORTION, RANDOM_HEADS, MeasureInfo, Parameter
from circuitdsl.measures.controls import RANDOM_SETS, random_nodes
from circuitdsl.measures.estimands import proportion
from circuitdsl.measures.experiments import Ablated, FromCounterfactual, Predicted
from circuitdsl.measures.measurement import CLEAN, Asking, Measure, Measurement, RandomSets, Request, sample

AS_IT_IS = "with nothing exchanged"


def _interchange(request: Request) -> Asking:
    """Columns: whether the predicted answer is given; with a control, the same for each random set."""
    nodes, variable = request.argument("heads"), request.argument("variable")
    assert isinstance(nodes, Nodes) and isinstance(variable, Variable)
    source, reading = FromCounterfactual(variable.counterfactual), Predicted(variable.name)
    controlled = request.compares_with(RANDOM_HEADS)
    sets = random_nodes(nodes.nodes, request.circuit.geometry, request.method.seed) if controlled else ()
    exchanged = request.ask(Ablated(request.placed(nodes.nodes), source), reading)
    as_it_is = request.ask(CLEAN, reading)
    randoms = [request.ask(Ablated(request.placed(some), source, guarded=False), reading) for some in sets]
    results = yield list(dict.fromkeys((exchanged, as_it_is, *randoms)))
    share = proportion()
    return Measurement(
        (sample(request.data, *(results[each] for each in (exchanged, *randoms))),),
        share,
        control=RandomSets(lambda means: means[..., 1:]) if controlled else None,
        parts=((AS_IT_IS, Measurement((sample(request.data, results[as_it_is]),), share)),) if request.parts else (),
    )


MEASURES = (
    Measure(
        MeasureInfo(
            "interchange",
            "share",
            "What the nodes carry: they take the output that they have on the counterfactual on which a variable of "
            "the task has another value, everything else recomputes, and the figure is the share of prompts whose top "
            "token at END, or at the position after which the variable predicts the answer, is the very one that would "
            "follow if that variable alone had the other value "
            "(interchange intervention accuracy). Beside it stands the share on which that is the top token "
            f"{AS_IT_IS}. Compared with `random heads` it must be among the best 5% (1 - the method's confidence) of "
            f"itself and {RANDOM_SETS} random sets matched by layer, number and position.",
            "Geiger et al. 2021; for token and position in IOI: Wang et al. 2022, appendix A",
            parameters=(
                Parameter("heads", "heads", "a role, or heads in braces"),
                Parameter("variable", "variable", "a variable of the task"),
            ),
            places=("circuit",),
            controls=(RANDOM_HEADS,),
            limits=PROPORTION,
        ),
        _interchange,
    ),
)
