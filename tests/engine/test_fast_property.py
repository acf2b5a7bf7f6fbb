"""The fast engine gives the plain engine's figures on random models, prompts, worlds and readings."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_models import ARCHITECTURES, DATA, Draw, architecture, dictionaries, prompts

from circuitdsl.actions import Attend
from circuitdsl.components import ALL, OfDictionary, Residual, kinds
from circuitdsl.engine.fast.coverage import ACTIONS
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.fast.weights import network_of
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.readings import BEHAVIOURS, METRICS
from circuitdsl.engine.references import references_over
from circuitdsl.measures.experiments import (
    Ablated,
    Copying,
    Experiment,
    HeadScore,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
    Reading,
    Source,
    World,
)
from circuitdsl.measures.measurement import Failure

# --- everything is drawn ---------------------------------------------------------------------------


def of_architecture(name: str) -> set[str]:
    """What is particular about a model."""
    model = architecture(name)
    network = network_of(model)
    first = network.blocks[0]
    found = {f"norm {first.ln1.kind}", f"weights {model.processing}"}
    kinds = {"learned": network.positions, "rotary": network.rotary, "ALiBi": network.alibi}
    found |= {f"{kind} positions" for kind, given in kinds.items() if given is not None} or {"no positions"}
    found |= {"grouped queries"} if network.n_kv_heads < network.n_heads else set()
    return found | {"attention only" if first.mlp is None else "parallel" if network.parallel else "sequential"}


def test_every_kind_of_architecture_is_tried():
    wanted = {"norm layer", "norm rms", "norm none", "weights none", "weights fold", "grouped queries"}
    wanted |= {"learned positions", "rotary positions", "ALiBi positions", "no positions"}
    wanted |= {"attention only", "parallel", "sequential"}
    assert set().union(*map(of_architecture, ARCHITECTURES)) == wanted


def of_experiment(world: World, reading: Reading) -> set[str]:
    """What is particular about an experiment, as far as its engine may care."""
    found = {type(world).__name__, type(reading).__name__}
    nodes, sources = [], []
    match world:
        case Ablated(nodes=some, source=source) | Isolated(kept=some, source=source):
            nodes, sources = [*some], [source]
        case Patched(senders=senders, receivers=receivers, strict=strict, under=under):
            nodes = [*senders, *(node for node, _ in receivers)]
            found |= {into(node.component, which) for node, which in receivers} or {"into logits"}
            found.add("strict" if strict else "not strict")
            found |= set() if under is None else {f"paths under {action.word}" for action in under.actions}
        case Intervened(actions=acting, sources=some):
            nodes, sources = [node for action in acting for node in action.nodes], [s for s in some if s is not None]
            found |= {action.word for action in acting}
            found |= {f"shared among {len(action.targets)}" for action in acting if isinstance(action, Attend)}
    if isinstance(world, Isolated):
        found.add("MLPs replaced" if world.mlps else "MLPs kept")
    found |= {type(source).__name__ for source in sources}
    found |= {f"by template: {source.by_template}" for source in sources if isinstance(source, Mean)}
    found |= {type(node.component).__name__ for node in nodes}
    parts = [node.component for node in nodes if isinstance(node.component, OfDictionary)]
    found |= {f"part at {each.dictionary.point}" for each in parts}
    found |= {"transcoder" for each in parts if each.dictionary.transcoder}
    if isinstance(world, Isolated) and world.features:
        found |= {f"kept by {each.point}" for each in world.features.dictionaries}
        found.add("errors ablated" if world.features.errors else "errors kept")
    found |= {of_position(node.position) for node in nodes}
    match reading:
        case Metric(name=name) | HeadScore(kind=name):
            found.add(name)
        case Copying(negated=negated):
            found.add(f"negated: {negated}")
    return found


def into(component, which) -> str:
    if isinstance(component, OfDictionary):
        return f"into part at {component.dictionary.point}"
    return "into stream" if isinstance(component, Residual) else f"into {which or 'MLP'}"


def of_position(position) -> str:
    if position == ALL or position.name == "END":
        return f"position {position}"
    return "position with offset" if position.offset else f"position of {2 if position.name == 'S' else 1}"


def test_every_kind_of_experiment_is_drawn():
    geometry = architecture("gpt2").geometry
    drawn = [pair for seed in range(40) for pair in Draw(geometry, seed).experiments(10)]
    wanted = {kind.__name__ for union in (World, Reading, Source) for kind in get_args(union)}
    wanted -= {"EdgesKept", "Sketched"}  # the plain engine's alone (test_edges_kept), and heads' alone (test_sketches)
    wanted |= {kind.__name__ for kind in kinds().values()}
    wanted |= {f"{what} {each.point}" for each in dictionaries() for what in ("part at", "into part at", "kept by")}
    wanted |= {"into stream", "errors ablated", "errors kept", "transcoder"}
    done = {action.word for action in ACTIONS}
    # The plain engine swaps attention (test_swap_attention), and runs paths under a swap, which the fast one hands on.
    wanted |= {*METRICS, *BEHAVIOURS, *done, *(f"paths under {word}" for word in done)}
    wanted |= {"into q", "into k", "into v", "into MLP", "into logits", "strict", "not strict"}
    wanted |= {f"shared among {count}" for count in (1, 2, 3)}
    wanted |= {
        "MLPs replaced",
        "MLPs kept",
        *(f"{what}: {yes}" for what in ("by template", "negated") for yes in (True, False)),
    }
    wanted |= {f"position {at}" for at in ("all", "END", "END-1", "with offset", "of 1", "of 2")}
    assert set().union(*(of_experiment(*pair) for pair in drawn)) == wanted


def test_prompts_of_several_lengths_and_answers_are_drawn():
    drawn = prompts(30, 0)
    assert len({len(prompt.tokens) for prompt in drawn}) == 3
    assert {(len(prompt.answers), len(prompt.wrong)) for prompt in drawn} == {(1, 1), (1, 2), (2, 1), (2, 2)}


READ = ("END", "A", "END")
"""Where the answer is asked for: in a batch not everywhere at the same place."""

# --- and gives the same figures --------------------------------------------------------------------


def assert_same(ours, theirs, experiment):
    if isinstance(theirs, Failure) or isinstance(ours, Failure):
        assert ours == theirs, experiment
        return
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    if isinstance(experiment.reading, Metric) and experiment.reading.name.startswith("accuracy"):
        # A rounding error can decide between two tokens that are as good as equal.
        assert (ours != theirs).mean() <= 0.1, experiment
        return
    scale = max(np.abs(theirs).max(), 1e-2)
    assert np.abs(ours - theirs).max() <= 1e-4 * scale, (experiment, ours, theirs)


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(max_examples=4, deadline=None, suppress_health_check=list[Any](HealthCheck), derandomize=True)
@given(seed=st.integers(0, 10**6), tokens=st.sampled_from((20, 60, 4096)), memory=st.sampled_from((1, 60_000, 10**9)))
def test_fast_engine_equals_the_plain_engine(name, seed, tokens, memory):
    model = architecture(name)
    stream = prompts(30, seed % 5, READ)
    drawn = Draw(model.geometry, seed).experiments(10)
    experiments = list(dict.fromkeys(Experiment(DATA, *pair) for pair in drawn))
    count = 2 + seed % 6
    engine, cut = FastEngine(model, memory=memory, tokens=tokens), seed % len(experiments)
    # In two calls, the second of which finds the runs of the first where there is memory for them.
    halves, reference = (experiments[:cut], experiments[cut:]), prompts(24, seed % 7)
    ours = {e: a for some in halves for e, a in _run(engine, stream, reference, count, some)}
    references = references_over(reference, experiments)
    # In few batches: that its batches change nothing is said in test_plain_conduct.
    theirs = PlainEngine(model).run(DATA, stream, 1, 1 + count, experiments, references)
    assert set(ours) == set(theirs) == set(experiments)
    for experiment in experiments:
        assert_same(ours[experiment], theirs[experiment], experiment)


def _run(engine, stream, reference, count, experiments):
    references = references_over(reference, experiments)
    return engine.run(DATA, stream, 1, 1 + count, experiments, references).items()
