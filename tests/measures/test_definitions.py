"""Every measurement against its definition, worked out by hand on made-up figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from answering import carry_out, request, value

from circuitdsl.actions import ABLATIONS, Ablate
from circuitdsl.components import (
    ALL,
    Component,
    Dictionary,
    Embed,
    ErrorTerm,
    Feature,
    Head,
    Mlp,
    Neuron,
    Node,
    Residual,
)
from circuitdsl.language.circuit import Control, FromTo, Nodes, Reads, Role, Token
from circuitdsl.measures.ablation import choosing_of, what_it_keeps
from circuitdsl.measures.controls import RANDOM_SETS, random_nodes, stand_ins
from circuitdsl.measures.estimands import average, contrasts_of, is_share_of_metric, proportion
from circuitdsl.measures.experiments import (
    SHAM,
    Ablated,
    Attention,
    Clean,
    Corrupted,
    Experiment,
    FromCounterfactual,
    HeadScore,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
    Resample,
    World,
    Zero,
)
from circuitdsl.measures.measurement import (
    CLEAN,
    Asking,
    CannotMeasure,
    Measurement,
    OnFew,
    Paired,
    RandomSets,
    Shuffled,
    ablation_source,
)
from circuitdsl.measures.registry import measures
from circuitdsl.plan.terms import against_random_heads, less_baseline, over_random_heads
from samples import circuit, edge_path, geometry, position

END = position("END")
IOI = circuit("ioi", {"inhibition": "1.2 1.5 at END", "mover": "2.0 2.4 at END"}, shape=geometry(4, 8, "toy"))
INHIBITION, MOVER = (frozenset(role.nodes) for role in IOI.roles)
EVERYTHING = INHIBITION | MOVER
INTERVENED = Intervened((), ())


def nodes(role: str) -> Nodes:
    return Nodes(role, IOI.role(role).nodes)


def test_effect_is_the_change_over_the_clean_metric():
    path = edge_path(IOI.roles, "inhibition -> mover.q")
    estimates = {Clean: 4.0, Patched: 3.0}
    found, asked = carry_out(request(IOI, "effect", path=path), lambda e: estimates[type(e.world)])
    assert value(found) == pytest.approx(-0.25)
    assert [label for label, _ in found.parts] == ["1.2", "1.5"]
    receivers = frozenset((node, "q") for node in MOVER)
    assert Patched(INHIBITION, receivers, "abc", strict=False) in {e.world for e in asked}


def test_effect_of_a_negative_metric_keeps_its_sign():
    path = edge_path(IOI.roles, "mover -> logits")
    estimates = {Clean: -4.0, Patched: -3.0}
    found, asked = carry_out(request(IOI, "effect", path=path), lambda e: estimates[type(e.world)])
    assert value(found) == pytest.approx(0.25)
    assert Patched(MOVER, frozenset(), "abc", strict=False) in {e.world for e in asked}


def test_normalised_and_strict_effects():
    path = edge_path(IOI.roles, "inhibition -> mover.kv")
    estimates = {Clean: 4.0, Patched: 3.0, Corrupted: -1.0}
    asked_for = request(IOI, "effect", options=("normalised", "strict"), path=path)
    found, asked = carry_out(asked_for, lambda e: estimates[type(e.world)])
    assert value(found) == pytest.approx(-1 / 5)
    patched = [e.world for e in asked if isinstance(e.world, Patched)]
    assert all(world.strict for world in patched)
    assert {which for world in patched for _, which in world.receivers} == {"k", "v"}


def test_recovered_is_the_share_of_the_way_to_the_clean_counterfactual():
    """Denoising: the prompts are the corrupted ones, F = -1, and the clean ones, F = 4, are their counterfactual."""
    path = edge_path(IOI.roles, "inhibition -> mover.q")
    estimates = {Clean: -1.0, Patched: 1.5, Corrupted: 4.0}
    found, _ = carry_out(request(IOI, "effect", options=("recovered",), path=path), lambda e: estimates[type(e.world)])
    assert value(found) == pytest.approx(2.5 / 5)
    assert not is_share_of_metric(found.estimand), "the model need not do the task on corrupted prompts"
    noising = {Clean: 4.0, Patched: 1.5, Corrupted: -1.0}
    taken, _ = carry_out(request(IOI, "effect", options=("normalised",), path=path), lambda e: noising[type(e.world)])
    assert value(taken) == pytest.approx(-2.5 / 5)
    assert is_share_of_metric(taken.estimand)


def test_knockout_and_its_control():
    def answer(experiment) -> float:
        match experiment.world:
            case Clean():
                return 4.0
            case Ablated(nodes=some) if some == MOVER:
                return 1.0
            case Ablated():
                return 3.0
            case other:
                raise AssertionError(other)

    found, asked = carry_out(request(IOI, "knockout", Control("random heads", "<"), heads=nodes("mover")), answer)
    assert value(found) == pytest.approx(-0.75)
    assert isinstance(found.control, RandomSets)
    means = found.samples[0].columns.mean(axis=0)
    assert found.control.figures(means).shape == (RANDOM_SETS,)
    assert set(np.round(found.control.figures(means), 6).tolist()) <= {-0.75, -0.25}
    assert len({e.world for e in asked}) > 10


def test_positions_all_patches_everywhere():
    everywhere = replace(IOI, method=replace(IOI.method, positions="all"))
    _, asked = carry_out(request(everywhere, "knockout", heads=nodes("mover")), lambda e: 1.0)
    worlds = [e.world for e in asked if isinstance(e.world, Ablated)]
    assert all(node.position == ALL for world in worlds for node in world.nodes)


def test_faithfulness_and_gap():
    estimates = {EVERYTHING: 3.0, frozenset(): 1.0}

    def answer(experiment):
        return 5.0 if experiment.world == Clean() else estimates[experiment.world.kept]

    assert value(carry_out(request(IOI, "faithfulness"), answer)[0]) == pytest.approx(0.5)
    assert value(carry_out(request(IOI, "faithfulness_gap"), answer)[0]) == pytest.approx(2.0)


def test_isolated_is_the_metric_with_the_nodes_given_alone():
    estimates = {MOVER: -2.0, frozenset([Node(Embed(), ALL)]): -3.0}

    def answer(experiment) -> float:
        assert not experiment.world.mlps
        return estimates[experiment.world.kept]

    found, asked = carry_out(request(IOI, "isolated", heads=nodes("mover")), answer)
    assert value(found) == -2.0 and len(asked) == 1
    none, _ = carry_out(request(IOI, "isolated", heads=Nodes("embed", (Node(Embed(), ALL),))), answer)
    assert value(none) == -3.0
    everywhere = replace(IOI, method=replace(IOI.method, positions="all"))
    _, (asked,) = carry_out(request(everywhere, "isolated", heads=nodes("mover")), lambda e: 1.0)
    assert isinstance(asked.world, Isolated) and {node.position for node in asked.world.kept} == {ALL}


FEATURES = Dictionary("mlp_out", 1, 40, "1f" * 32, name="d")


@pytest.mark.parametrize(
    ("listed", "refused", "may"),
    [
        ((Head(2, 0),), (Mlp(0), Neuron(0, 3), Residual(1), Feature(FEATURES, 0)), (Head(0, 1), Embed())),
        ((Mlp(1),), (Residual(1), Feature(FEATURES, 0)), (Head(0, 1), Mlp(0), Neuron(0, 3), Embed())),
        ((Feature(FEATURES, 0),), (Head(0, 1), Mlp(0), Mlp(1), Residual(1)), (Feature(FEATURES, 7), Embed())),
        ((Feature(FEATURES, 0), Mlp(0)), (Head(0, 1), Mlp(1), Neuron(1, 3)), (Mlp(2), Neuron(2, 3))),
    ],
    ids=["heads", "MLPs", "features", "features and MLPs"],
)
def test_isolated_refuses_what_is_never_ablated(
    listed: tuple[Component, ...], refused: tuple[Component, ...], may: tuple[Component, ...]
):
    """Else every claim of such nodes would have the figure of no nodes at all."""
    of = replace(IOI, roles=(Role("all", tuple(Node(each, END) for each in listed)),))
    for component in (*refused, *may):
        asking = request(of, "isolated", heads=Nodes("K", (Node(component, END),)))
        if component in may:
            carry_out(asking, lambda experiment: 1.0)
        else:
            with pytest.raises(CannotMeasure, match=r"never ablated|all that was written"):
                carry_out(asking, lambda experiment: 1.0)


def test_isolated_keeps_nodes_in_a_circuit_of_edges_too():
    of_edges = replace(IOI, roles=(), claims=circuit("e", {"a": "1.2 at END", "b": "2.0 at END"}, ["a -> b.q"]).claims)
    assert of_edges.of_edges
    _, (asked,) = carry_out(request(of_edges, "isolated", heads=nodes("mover")), lambda experiment: 1.0)
    assert isinstance(asked.world, Isolated) and asked.world.kept == MOVER


def test_faithfulness_against_random_heads_has_the_figure_of_each_set():
    def answer(experiment) -> float:
        match experiment.world:
            case Clean():
                return 1.0
            case Isolated(kept=kept) if not kept:
                return 0.0
            case Isolated(kept=kept):
                return 0.9 if kept == EVERYTHING else 0.25
            case other:
                raise AssertionError(other)

    found, asked = carry_out(request(IOI, "faithfulness", Control("random heads")), answer)
    assert isinstance(found.control, RandomSets)
    means = found.samples[0].columns.mean(axis=0)
    others = found.control.figures(means)
    assert others.shape == (RANDOM_SETS,)
    assert set(np.round(others, 6).tolist()) <= {0.25, 0.9}  # a random set may be the circuit itself
    sets = {e.world.kept for e in asked if isinstance(e.world, Isolated)} - {EVERYTHING, frozenset()}
    assert all(sorted(n.component.layer for n in kept) == [1, 1, 2, 2] for kept in sets)


def test_mlps_are_ablated_only_if_the_circuit_names_some():
    assert not any(world.mlps for world in isolated(carry_out(request(IOI, "faithfulness"), float_of)[1]))
    with_mlp = replace(IOI, roles=(*IOI.roles, Role("mlps", (Node(Mlp(0), END),))))
    asked = carry_out(request(with_mlp, "faithfulness"), float_of)[1]
    assert all(world.mlps for world in isolated(asked))


def isolated(asked: Iterable[Experiment]) -> Iterator[Isolated]:
    """The worlds that are not clean, which must all isolate something."""
    for world in (experiment.world for experiment in asked):
        if world != Clean():
            assert isinstance(world, Isolated)
            yield world


def float_of(experiment) -> float:
    return float(len(str(experiment.world)) % 7 + 1)


def test_minimality_is_the_largest_loss_over_companions():
    """2.0 alone costs 0.1 of 10; without 2.4 too it costs 4: the backup's worth shows only then."""
    first, second = sorted(MOVER, key=str)

    def answer(experiment):
        if experiment.world == Clean():
            return 10.0
        kept = experiment.world.kept
        return 0.1 * (first in kept) + 4.0 * (first in kept or second in kept) + 1.0 * len(kept & INHIBITION)

    found, asked = carry_out(request(IOI, "minimality", heads=Nodes("2.0", (first,))), answer)
    assert value(found) == pytest.approx(4.1 / 10)
    assert found.note == "largest without the rest of mover"
    kept = {e.world.kept for e in asked if isinstance(e.world, Isolated)}
    assert {EVERYTHING, EVERYTHING - {first}, EVERYTHING - MOVER, MOVER, MOVER - {first}} <= kept


def test_completeness_compares_the_circuit_and_the_model_without_k():
    def answer(experiment):
        match experiment.world:
            case Isolated(kept=kept):
                return float(len(kept))
            case Ablated(nodes=some):
                return 10.0 - len(some)
            case _:
                return 10.0

    found, _ = carry_out(request(IOI, "completeness", heads=nodes("mover")), answer)
    assert value(found) == pytest.approx(abs(2 - 8))
    found, asked = carry_out(request(IOI, "completeness"), answer)
    assert value(found) == pytest.approx(6)
    assert {"inhibition", "mover"} <= {label for label, _ in found.parts}
    assert len(asked) == 2 * len(found.parts)


def test_greedy_completeness_asks_on_and_stops_when_nothing_widens():
    culprit = min(MOVER, key=str)

    def answer(experiment):
        match experiment.world:
            case Isolated(kept=kept):
                return 0.0 if culprit in kept else -5.0
            case _:
                return 0.0

    found, _ = carry_out(request(IOI, "completeness", options=("greedy",)), answer)
    greedy = [label for label, _ in found.parts if label.startswith("the greedy set")]
    assert greedy == [f"the greedy set {culprit.component}"]
    assert "the greedy set was chosen by the first" in found.note
    assert "greedy" not in carry_out(request(IOI, "completeness"), answer)[0].note


def test_the_worst_set_is_the_worst_on_the_prompts_that_it_is_measured_on():
    """Chosen on the first two prompts, where its gap is 9; on the others it is 1, and the role's is 2 on all."""
    culprit = min(MOVER, key=str)

    def answer(experiment):
        match experiment.world:
            case Isolated(kept=kept) if kept == EVERYTHING - {culprit}:
                return np.array([9.0, 9.0, 1.0, 1.0])
            case Isolated():
                return np.full(4, 2.0)
            case _:
                return np.zeros(4)

    asking = measures()["completeness"].estimator(request(IOI, "completeness", options=("greedy",)))
    experiments = next(asking)
    with pytest.raises(StopIteration) as stop:
        while True:
            experiments = asking.send({e: answer(e) for e in experiments})
    assert stop.value.value.note.startswith("worst without inhibition; the greedy set")


def test_a_greedy_set_is_chosen_on_half_of_the_prompts_and_measured_on_all():
    """On the first 100 of 200, and by these alone: what the others say of its nodes is not asked."""
    culprit = min(MOVER, key=str)
    of_200 = replace(IOI, method=replace(IOI.method, prompts_first=200, prompts_most=200))
    asking = measures()["completeness"].estimator(request(of_200, "completeness", options=("greedy",)))
    experiments, asked = next(asking), []
    with pytest.raises(StopIteration) as stop:
        while True:
            prompts = experiments.prompts if isinstance(experiments, OnFew) else 200
            asked.append(prompts)
            gaps = {
                e: np.full(prompts, float(isinstance(e.world, Isolated) and culprit not in e.world.kept))
                for e in experiments
            }
            experiments = asking.send(gaps)
    assert set(asked[1:-1]) == {100} and asked[0] == asked[-1] == 200
    contrasts = [c for c in contrasts_of(stop.value.value.estimand) if c.chosen]
    assert [c.chosen for c in contrasts] == [100]
    assert choosing_of(replace(IOI.method, prompts_first=40, prompts_most=40), 40) == 20
    assert choosing_of(replace(IOI.method, prompts_first=200, prompts_most=800), 566) == 100
    assert choosing_of(replace(IOI.method, prompts_all=True, prompts_first=320, prompts_most=320), 320) == 160


def test_what_a_circuit_keeps_is_a_share_of_the_whole_metric():
    """F(C) = 3, F(none) = 1, F(M) = 5: 40% of the metric, where faithfulness is 50%."""

    def answer(experiment):
        return 5.0 if experiment.world == Clean() else 3.0 if experiment.world.kept else 1.0

    asking = what_it_keeps(request(IOI, "faithfulness"))
    with pytest.raises(StopIteration) as stop:
        asking.send({e: np.full(4, answer(e)) for e in next(asking)})
    assert value(stop.value.value) == pytest.approx(0.4)
    assert value(carry_out(request(IOI, "faithfulness"), answer)[0]) == pytest.approx(0.5)


def test_attention_is_the_mean_over_heads_with_each_head_as_a_part():
    def answer(experiment):
        assert isinstance(experiment.reading, Attention)
        return 0.2 if experiment.reading.head == Head(2, 0) else 0.6

    where = FromTo(END, position("IO"))
    found, _ = carry_out(request(IOI, "attention", heads=nodes("mover"), where=where), answer)
    assert value(found) == pytest.approx(0.4)
    assert [(label, value(part)) for label, part in found.parts] == [
        ("2.0", pytest.approx(0.2)),
        ("2.4", pytest.approx(0.6)),
    ]


def test_copying_of_one_head_is_a_share_and_of_two_is_not():
    reads = Reads(position("IO"), Token(position("IO")))
    one = Nodes("2.0", (Node(Head(2, 0), END),))
    assert carry_out(request(IOI, "copying", heads=one, reads=reads), lambda e: 1.0)[0].estimand == proportion()
    both = carry_out(request(IOI, "copying", heads=nodes("mover"), reads=reads), lambda e: 1.0)[0].estimand
    assert both == average(2, (0.0, 1.0))


@pytest.mark.parametrize("kind", ["previous_token", "duplicate_token", "induction"])
def test_behaviour_scores_are_read_on_repeated_tokens(kind):
    _, asked = carry_out(request(IOI, f"{kind}_score", heads=nodes("mover")), lambda e: 0.5)
    assert {e.data.task.name for e in asked} == {"induction"}
    readings = [e.reading for e in asked]
    assert {reading.kind if isinstance(reading, HeadScore) else reading for reading in readings} == {kind}


def test_head_measurements_refuse_what_is_not_a_head():
    mlp = Nodes("mlps", (Node(Mlp(1), END),))
    where = FromTo(END, position("IO"))
    with pytest.raises(CannotMeasure, match="attention heads"):
        carry_out(request(IOI, "attention", heads=mlp, where=where), lambda e: 0.0)


def test_accuracy_among_options_reads_another_metric():
    _, asked = carry_out(request(IOI, "accuracy", options=("among options",)), lambda e: 1.0)
    assert [e.reading for e in asked] == [Metric("accuracy among options")]


def test_less_baseline_is_paired_with_the_clean_world():
    asked_for = replace(request(IOI, "logit_diff"), world=INTERVENED)
    estimates: dict[World, np.ndarray] = {INTERVENED: np.array([1.0, 2.0, 4.0]), CLEAN: np.ones(3)}
    found, (after, before) = answered(less_baseline(asked_for), estimates)
    assert (after.world, before.world) == (INTERVENED, CLEAN)
    assert value(found) == pytest.approx(4 / 3)


# --- random heads in an intervention's place -------------------------------------------------------

SETS = tuple(Intervened((Ablate((Node(Head(1, i), END),)),), (Zero(),)) for i in range(20))
ONES = np.ones(4)


def answered(asking: Asking, by_world: Mapping[World, np.ndarray]) -> tuple[Measurement, tuple[Experiment, ...]]:
    """The measurement, and all that was asked for it: at once."""
    asked = tuple(next(asking))
    with pytest.raises(StopIteration) as stop:
        asking.send({experiment: by_world[experiment.world] for experiment in asked})
    return stop.value.value, asked


def test_the_figure_of_random_heads_is_the_mean_of_their_sets():
    estimates: dict[World, np.ndarray] = {CLEAN: 2 * ONES}
    estimates |= {world: i * ONES for i, world in enumerate(SETS)}
    found, asked = answered(over_random_heads(request(IOI, "logit_diff"), SETS), estimates)
    assert (value(found), len(asked)) == (pytest.approx(9.5), 20)
    less = request(IOI, "logit_diff")
    less = replace(less, term=replace(less.term, minus_baseline=True))
    found, asked = answered(over_random_heads(less, SETS), estimates)
    assert (value(found), len(asked)) == (pytest.approx(7.5), 21)


@pytest.mark.parametrize("op", [">", "<"])
@pytest.mark.parametrize("minus_baseline", [False, True])
def test_the_control_is_the_figure_of_every_set_as_for_faithfulness(op: Literal[">", "<"], minus_baseline):
    estimates: dict[World, np.ndarray] = {CLEAN: 2 * ONES, INTERVENED: 30 * ONES}
    estimates |= {world: i * ONES for i, world in enumerate(SETS)}
    asked_for = replace(request(IOI, "logit_diff", Control("random heads", op)), world=INTERVENED)
    asked_for = replace(asked_for, term=replace(asked_for.term, minus_baseline=minus_baseline))
    found, _ = answered(against_random_heads(asked_for, SETS), estimates)
    means = np.concatenate([sample.columns.mean(axis=0) for sample in found.samples])
    assert isinstance(found.control, RandomSets) and len(found.samples) == 1
    assert found.control.figures(means) == pytest.approx(np.arange(len(SETS)) - 2 * minus_baseline)
    assert value(found) == 30 - 2 * minus_baseline


def test_repaired_prompts_of_random_heads_are_counted_set_by_set():
    """Half of the sets repair the second half of the prompts: a quarter of the prompts, on average."""
    before, after = np.array([1.0, 1.0, 0.0, 0.0]), np.ones(4)
    estimates: dict[World, np.ndarray] = {CLEAN: before}
    estimates |= {world: after if i % 2 else before for i, world in enumerate(SETS)}
    found, _ = answered(over_random_heads(request(IOI, "repaired"), SETS), estimates)
    assert value(found) == pytest.approx(0.25)


def test_what_acts_on_no_head_has_no_random_heads():
    with pytest.raises(CannotMeasure, match="no head is part of it"):
        list(stand_ins((), geometry(4, 8), seed=0))


def test_ablation_sources():
    method = IOI.method
    assert ablation_source(method, "zero") == Zero()
    assert ablation_source(method, "mean") == Mean("abc", 20, by_template=False)
    assert ablation_source(replace(method, reference=5), "mean by template") == Mean("abc", 5, by_template=True)
    assert ablation_source(method, "resample") == Resample("abc", 20, 0)
    assert ablation_source(method, "counterfactual") == FromCounterfactual("abc")


@pytest.mark.parametrize("ablate", ABLATIONS)
def test_without_a_counterfactual_means_are_over_the_tasks_own_prompts(ablate):
    method = replace(IOI.method, against="")
    if ablate in ("resample", "counterfactual"):
        with pytest.raises(CannotMeasure, match="the task has none: write `ablate mean`"):
            ablation_source(method, ablate)
    else:
        found = ablation_source(method, ablate)
        assert found == (Zero() if ablate == "zero" else Mean("", 20, by_template=ablate == "mean by template"))


def test_random_nodes_match_layers_positions_and_identity():
    """One head at two positions is exchanged for one other head at the same two positions."""
    here, there = Node(Head(1, 2), END), Node(Head(1, 2), position("S2"))
    mlp = Node(Mlp(0), END)
    sets = random_nodes([here, there, mlp], geometry(4, 8), seed=1, count=30)
    for some in sets:
        assert mlp in some
        heads = {n.component for n in some if isinstance(n.component, Head)}
        assert len(heads) == 1
        assert {n.position for n in some if n.component in heads} == {END, position("S2")}
        assert all(head.layer == 1 for head in heads)
    assert len({frozenset(n.component for n in some) for some in sets}) > 4
    assert sets == random_nodes([there, mlp, here], geometry(4, 8), seed=1, count=30)


def test_random_features_are_of_the_same_dictionary():
    dictionary, other = (Dictionary("attn_out", 1, count, "1f" * 32, name=f"d{count}") for count in (40, 3))
    nodes = [Node(component, END) for component in (Head(0, 2), Feature(dictionary, 5), Feature(dictionary, 9))]
    nodes += [Node(Feature(other, 0), ALL), Node(ErrorTerm(other), ALL)]
    sets = random_nodes(nodes, geometry(4, 8), seed=1, count=30)
    for each in sets:
        assert sorted(str(node).split(".")[0] for node in each) == ["0", "d3", "d3", "d40", "d40"]
        assert Node(ErrorTerm(other), ALL) in each
    assert len(set(sets)) > 20
    assert {str(node.component) for each in sets for node in each if node.position == ALL} >= {"d3.0", "d3.1", "d3.2"}


def test_random_nodes_need_a_choice():
    whole = [Node(Head(0, i), END) for i in range(2)]
    with pytest.raises(CannotMeasure, match="all heads of its layers"):
        random_nodes(whole, geometry(1, 2), seed=0)


# --- what an intervention changes ------------------------------------------------------------------


def under(measure: str, options: tuple[str, ...] = (), **arguments):
    return replace(request(IOI, measure, options=options, **arguments), world=INTERVENED)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_repaired_and_broken_prompts_are_those_that_change_sides(before: int, after: int):
    right = {Clean: before, Intervened: after}
    for measure, wanted in (("repaired", after > before), ("broken", after < before)):
        found, asked = carry_out(under(measure, ("among options",)), lambda e: right[type(e.world)])
        assert value(found) == wanted
        assert {e.reading for e in asked} == {Metric("accuracy among options")}


@pytest.mark.parametrize(
    ("moved", "wanted"), [((0.1, 0.2, 0.3), 1.0), ((0.3, 0.2, 0.1), -1.0), ((0.2, 0.3, 0.1), -0.5)]
)
def test_change_by_importance_ranks_heads_by_the_size_of_their_effect(moved: tuple[float, ...], wanted: float):
    """Effects of -1, +2 and -3 logits; attention of 0.5 each, and what was moved added."""
    heads = {
        Head(2, i): (0.5 + change, effect) for i, (change, effect) in enumerate(zip(moved, (-1, 2, -3), strict=True))
    }
    where = FromTo(END, position("IO"))

    def answer(experiment: Experiment) -> float:
        if isinstance(experiment.reading, Attention):
            return heads[experiment.reading.head][0] if experiment.world == INTERVENED else 0.5
        if isinstance(experiment.world, Patched):
            (sender,) = experiment.world.senders
            assert isinstance(sender.component, Head)
            return 4 + heads[sender.component][1]
        return 4.0

    named = Nodes("three", tuple(Node(head, END) for head in heads))
    found, _ = carry_out(under("change_by_importance", heads=named, where=where), answer)
    assert value(found) == pytest.approx(wanted)


def test_an_effect_under_an_intervention_is_a_share_of_the_metric_under_it():
    estimates = {Clean: -4.0, Intervened: 2.0}

    def answer(experiment) -> float:
        if isinstance(experiment.world, Patched):
            return 1.0 if experiment.world.under == INTERVENED else -3.0
        return estimates[type(experiment.world)]

    asked_for = under("effect", path=edge_path(IOI.roles, "mover -> logits"))
    found, asked = carry_out(asked_for, answer)
    assert value(found) == pytest.approx(-0.5)
    assert {Patched(MOVER, frozenset(), "abc", False, INTERVENED), INTERVENED} <= {e.world for e in asked}
    assert Clean() not in {e.world for e in asked}
    less = less_baseline(replace(asked_for, term=replace(asked_for.term, minus_baseline=True)))
    results = {e: np.full(4, answer(e)) for e in next(less)}
    with pytest.raises(StopIteration) as stop:
        less.send({e: np.full(4, answer(e)) for e in less.send(results)})
    assert value(stop.value.value) == pytest.approx(-0.5 - 0.25)


def test_two_heads_have_no_rank_correlation():
    named = Nodes("mover", IOI.role("mover").nodes)
    with pytest.raises(CannotMeasure, match="needs 3 heads, and here are 2"):
        carry_out(under("change_by_importance", heads=named, where=FromTo(END, position("IO"))), lambda e: 0.0)


# --- controls --------------------------------------------------------------------------------------


def test_random_edges_keep_layers_positions_and_inputs_and_compare_sizes():
    path = edge_path(IOI.roles, "inhibition -> mover.q")

    def answer(experiment: Experiment) -> float:
        world = experiment.world
        if not isinstance(world, Patched):
            return 4.0
        return 3.0 if world.senders == INHIBITION else 5.5

    found, asked = carry_out(request(IOI, "effect", Control("random edges"), path=path), answer)
    assert value(found) == pytest.approx(0.25)
    randoms = [e.world for e in asked if isinstance(e.world, Patched) and not e.world.guarded]
    assert 2 < len(randoms) <= RANDOM_SETS  # some are the same
    for world in randoms:
        assert {(node.component.layer, node.position) for node in world.senders} == {(1, END)}
        assert {(node.component.layer, node.position, each) for node, each in world.receivers} == {(2, END, "q")}
        assert len(world.senders) == len(world.receivers) == 2
        assert (world.counterfactual, world.strict) == ("abc", False)
    assert isinstance(found.control, RandomSets)
    sets = found.control.figures(np.concatenate([sample.columns.mean(axis=0) for sample in found.samples]))
    assert len(sets) == RANDOM_SETS
    assert set(np.round(sets, 9)) <= {0.25, 0.375}
    assert np.mean(np.isclose(sets, 0.375)) > 0.8


def test_an_edge_without_heads_has_no_random_ones():
    whole = replace(IOI, roles=(Role("all_of_it", tuple(Node(Head(1, index), END) for index in range(8))),))
    with pytest.raises(CannotMeasure, match="all heads of its layers"):
        carry_out(
            request(whole, "effect", Control("random edges"), path=edge_path(whole.roles, "all_of_it -> logits")),
            lambda e: 1,
        )


@pytest.mark.parametrize("options", [(), ("normalised",), ("recovered",)])
def test_a_sham_is_the_same_patch_from_another_prompt(options: tuple[str, ...]):
    path = edge_path(IOI.roles, "inhibition -> mover.q")
    shares = {"abc": 3.0, SHAM: 4.5}

    def answer(experiment: Experiment) -> float:
        world = experiment.world
        return (
            shares[world.counterfactual] if isinstance(world, Patched) else 2.0 if isinstance(world, Corrupted) else 4.0
        )

    found, asked = carry_out(request(IOI, "effect", Control("sham"), options, path=path), answer)
    of = 2.0 if options else 4.0
    assert value(found) == pytest.approx(1 / of)
    assert isinstance(found.control, Paired)
    means = found.samples[0].columns.mean(axis=0)
    assert float(found.control.figure.value(means)) == pytest.approx(0.5 / of)
    assert float(found.control.excess.value(means)) == pytest.approx(0.5 / of)
    real = Patched(INHIBITION, frozenset((node, "q") for node in MOVER), "abc", strict=False)
    assert {real, replace(real, counterfactual=SHAM, guarded=False)} <= {e.world for e in asked}


def test_a_knockout_and_its_sham():
    zeros = replace(IOI, method=replace(IOI.method, ablate="zero"))

    def answer(experiment: Experiment) -> float:
        world = experiment.world
        return 4.0 if not isinstance(world, Ablated) else 1.0 if world.source == Zero() else 5.0

    found, asked = carry_out(request(zeros, "knockout", Control("sham"), heads=nodes("mover")), answer)
    assert value(found) == pytest.approx(0.75)
    assert isinstance(found.control, Paired)
    assert float(found.control.excess.value(found.samples[0].columns.mean(axis=0))) == pytest.approx(0.5)
    assert Ablated(MOVER, FromCounterfactual(SHAM), guarded=False) in {e.world for e in asked}


def test_necessity_is_the_share_that_is_lost_and_dependence_has_both_columns():
    def answer(experiment: Experiment) -> float:
        world = experiment.world
        return 4.0 if not isinstance(world, Ablated) else 1.0 if world.nodes == EVERYTHING else 3.0

    found, asked = carry_out(request(IOI, "necessity", Control("random heads")), answer)
    assert value(found) == pytest.approx(0.75)
    assert sum(isinstance(e.world, Ablated) and not e.world.guarded for e in asked) > 2
    assert isinstance(found.control, RandomSets)
    sets = found.control.figures(found.samples[0].columns.mean(axis=0))
    assert np.median(sets) == pytest.approx(0.25)
    found, _ = carry_out(request(IOI, "dependence", Control("chance")), answer)
    assert found.samples[0].columns[0].tolist() == [4.0, 1.0]
    assert found.control == Shuffled(999, IOI.method.seed)
    nothing = replace(IOI, roles=())
    for measure in ("necessity", "dependence"):
        with pytest.raises(CannotMeasure, match="no heads or MLPs"):
            carry_out(request(nothing, measure), answer)
