"""What circuits do for each other's tasks on a model whose circuits are known, computed a second time from its weights.

Three pairs of sets of heads: one that dissociates, one that does not, one that does so one way only.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from planted_algebra import Algebra, Measuring, logit_diff
from planted_bench import REFERENCE, SPECS, bench, drawn, reference_of

from circuitdsl import api
from circuitdsl.check.function import check_function
from circuitdsl.components import ALL, Head, Node, Position
from circuitdsl.language.circuit import Circuit
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.comparisons import PARTS, Side, grafted
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.truth import TRUTHS, Truth
from circuitdsl.outcome import Function, FunctionalComparison
from circuitdsl.plan.function import part_on, plan_function
from samples import known

PROMPTS = 20
OF_PAIRS = 6  # enough to tell what dissociates from what does not

SPEC = """
circuit left {{
  model planted-reuse
  task {left_task}
  method {{ prompts {prompts}  reference {reference} }}
  {left}
}}
circuit right {{
  model planted-reuse
  task {right_task}
  method {{ prompts {prompts}  reference {reference} }}
  {right}
}}
"""

IOI, COLORS = "ioi", "colored_objects(shots: 0)"
IOI_ONLY = "role names at all { 0.2 1.0 1.3 1.4 }\n role inhibition at END { 2.2 }"
COLORS_ONLY = "role gatherer at END { 1.1 1.5 }\n role inhibition at END { 2.4 }"
MOVERS = "role mover at END { 3.2 4.0 5.1 5.3 }"

PAIRS = {
    "double": (IOI, IOI_ONLY, COLORS, COLORS_ONLY),
    # Each serves the other's task: as far from a dissociation as can be.
    "none": (IOI, COLORS_ONLY, COLORS, IOI_ONLY),
    # Movers serve both tasks, and IOI even more than the one that they stand for here.
    "left only": (IOI, IOI_ONLY, COLORS, MOVERS),
}


@cache
def pair(kind: str) -> tuple[Circuit, Circuit]:
    left_task, left, right_task, right = PAIRS[kind]
    text = SPEC.format(
        prompts=OF_PAIRS,
        reference=REFERENCE,
        left_task=left_task,
        left=left,
        right_task=right_task,
        right=right,
    )
    document = resolve_text(text, str(SPECS / "pair.circuit"), api.environment())
    return document.circuit("left"), document.circuit("right")


@cache
def measured(kind: str) -> Function:
    return check_function(plan_function(*pair(kind), kinds=()), bench().of("planted-reuse")).function


@cache
def by_hand(task: str, prompts: int) -> Measuring:
    algebra = Algebra(PLANTED["planted-reuse"]())
    against = {"ioi": "abc", "colored_objects": "other_query"}[task]
    reference = reference_of("planted-reuse", task, against)
    return Measuring(algebra, drawn("planted-reuse", task, prompts), against, reference)


@pytest.mark.parametrize("kind", PAIRS)
def test_every_cell_is_what_the_weights_say(kind: str):
    left, right = pair(kind)
    found = measured(kind)
    sides: tuple[tuple[Side, Circuit], ...] = (("left", left), ("right", right))
    for side, onto in sides:
        for part in PARTS:
            circuit, cell = part_on(part, side, left, right, ()), found.cell(part, side)
            if not circuit.nodes:
                assert (cell.heads, cell.knockout.value, cell.note) == (0, None, "no heads")
                continue
            truth = by_hand(onto.task.name, OF_PAIRS)
            assert cell.knockout.value == pytest.approx(truth.knockout(circuit.nodes), abs=2e-4)
            assert cell.faithfulness.value == pytest.approx(truth.faithfulness(circuit.nodes), abs=2e-4)


@pytest.mark.parametrize("kind", PAIRS)
def test_the_dissociation_is_the_known_one(kind: str):
    left, right = pair(kind)
    found = measured(kind).dissociation
    on_left, on_right = by_hand(left.task.name, OF_PAIRS), by_hand(right.task.name, OF_PAIRS)
    ways = (
        on_right.knockout(grafted(left, right, ()).nodes) - on_left.knockout(left.nodes),
        on_left.knockout(grafted(right, left, ()).nodes) - on_right.knockout(right.nodes),
    )
    assert (found.left.value, found.right.value) == pytest.approx(ways, abs=4e-4)
    assert found.smaller.value == pytest.approx(min(ways), abs=4e-4)
    assert found.interaction.value == pytest.approx(np.mean(ways), abs=4e-4)
    assert found.kind == kind
    assert found.pairs == 99


def test_random_circuits_do_not_dissociate_as_the_real_ones_do():
    double, none = measured("double").dissociation, measured("none").dissociation
    assert known(double.p_value) <= 0.1
    assert known(double.random.high) < known(double.smaller.low)
    assert known(none.p_value) > 0.5


def test_heads_of_one_task_do_nothing_on_the_other():
    found = measured("double")
    assert found.cell("left only", "right").knockout.value == pytest.approx(0, abs=1e-4)
    assert found.cell("right only", "left").knockout.value == pytest.approx(0, abs=1e-4)
    assert found.cell("shared", "left").note == "no heads"
    written: dict[str, Any] = found.to_dict()
    assert written["transfer"]["left_to_right"]["value"] == pytest.approx(0, abs=1e-4)
    assert written["function"]["dissociation"]["kind"] == "double"


def test_a_circuit_does_not_dissociate_from_itself():
    left, _ = pair("double")
    align = tuple((role.name, role.name) for role in left.roles)
    found = check_function(plan_function(left, left, align, ()), bench().of("planted-reuse")).function.dissociation
    assert (found.left.value, found.right.value) == (0, 0)
    assert found.kind == "undecided"  # of two tasks with prompts of their own, as it sees them


# --- structure -------------------------------------------------------------------------------------


def planted(task: str) -> Truth:
    return next(truth for truth in TRUTHS if (truth.model, truth.task) == ("planted-reuse", task))


def dealt(left: set[Head], right: set[Head], n_heads: int) -> Counter[int]:
    """How many placements of the right heads within their layers share 0, 1, 2, ... heads with the left ones."""
    ways = Counter({0: 1})
    for layer in {head.layer for head in right}:
        ours = {head.index for head in left if head.layer == layer}
        size = sum(head.layer == layer for head in right)
        here = Counter(len(ours & set(placed)) for placed in combinations(range(n_heads), size))
        both = Counter[int]()
        for (a, before), (b, now) in product(ways.items(), here.items()):
            both[a + b] += before * now
        ways = both
    return ways


def test_the_structure_is_that_of_the_planted_circuits():
    """What the two files say is what was wired, and every figure of it is counted a second time."""
    ioi, colors = (api.load(SPECS / f"{task}.circuit").circuits[0] for task in ("ioi", "colored_objects"))
    found = api.compare(ioi, colors)
    truths = [planted(task) for task in ("ioi", "colored_objects")]
    left, right = ({head for role in truth.roles for head in role.heads} for truth in truths)
    both = len(left & right)
    assert {*found.heads.shared} == {str(head) for head in left & right}
    assert {*found.heads.left_only} == {str(head) for head in left - right}
    assert found.heads.of_smaller == both / min(len(left), len(right))
    assert (found.heads.of_left, found.heads.of_right) == (both / len(left), both / len(right))
    assert found.heads.jaccard == both / len(left | right)
    assert {*found.nodes.shared} == {str(node) for node in {*truths[0].nodes} & {*truths[1].nodes}}
    roles = [{role.name: {*role.heads} for role in truth.roles} for truth in truths]
    assert {(pair.left, pair.right) for pair in found.roles if pair.rule} == {(n, n) for n in roles[0] if n in roles[1]}
    for pair in found.roles:
        if pair.rule:
            assert pair.left is not None and pair.right is not None
            assert len(pair.heads.shared) == len(roles[0][pair.left] & roles[1][pair.right])
    edges = [{(e.sender, e.receiver, x) for e in truth.edges for x in e.inputs or ("",)} for truth in truths]
    for whose, some in (("both", edges[0] & edges[1]), ("right", edges[1] - edges[0]), ("left", edges[0] - edges[1])):
        links = (link for link in found.graph.links if link.whose == whose)
        assert {(link.sender, link.receiver, link.input) for link in links} == some
    ways = dealt(left, right, ioi.geometry.n_heads)
    assert found.heads_chance is not None
    assert found.heads_chance.expected == pytest.approx(sum(k * n for k, n in ways.items()) / ways.total())
    tails = [sum(n for k, n in ways.items() if k >= both), sum(n for k, n in ways.items() if k <= both)]
    assert found.heads_chance.p_value == pytest.approx(tails[0] / ways.total())
    assert found.heads_chance.p_fewer == pytest.approx(tails[1] / ways.total())


# --- curves ----------------------------------------------------------------------------------------


@cache
def compared() -> FunctionalComparison:
    text = SPEC.format(
        prompts=PROMPTS,
        reference=REFERENCE,
        left_task=IOI,
        left=MOVERS + "\nedge mover -> logits",
        right_task=COLORS,
        right="role inhibition at END { 2.1 2.4 }\nrole mover at END { 3.2 4.0 }\nedge inhibition -> mover.q",
    )
    document = resolve_text(text, str(SPECS / "pair.circuit"), api.environment())
    plan = plan_function(document.circuit("left"), document.circuit("right"))
    return check_function(plan, bench().of("planted-reuse"))


@cache
def knocked_out(task: str) -> np.ndarray:
    """How each head's knockout changes the logit difference of each prompt, from the weights: [prompts, heads]."""
    truth = by_hand(task, PROMPTS)
    clean = np.array([logit_diff(run.logits, p) for run, p in zip(truth.clean, truth.prompts, strict=True)])
    return np.stack([np.array(truth.each_without([Node(h, ALL)])) - clean for h in truth.algebra.heads], axis=1)


def known_order(task: str, kind: str) -> list[Head]:
    """The heads that have an effect, strongest first, from the weights."""
    truth = by_hand(task, PROMPTS)
    heads = truth.algebra.heads
    if kind == "direct" or (kind == "stages" and task == "ioi"):  # its one edge leads to the logits
        sizes = {head: abs(truth.effect([Node(head, Position("END"))], ())) for head in heads}
    elif kind == "stages":
        movers = [(Node(head, Position("END")), "q") for head in (Head(3, 2), Head(4, 0))]
        sizes = {head: abs(truth.effect([Node(head, ALL)], movers)) for head in heads if head.layer < 4}
    else:
        sizes = {head: abs(truth.average(each)) for head, each in zip(heads, knocked_out(task).T.tolist(), strict=True)}
    strongest = max(sizes.values())
    return sorted((head for head in sizes if sizes[head] > 1e-4 * strongest), key=lambda head: -sizes[head])


@pytest.mark.parametrize("kind", ["direct", "knockout", "stages"])
def test_the_curve_is_the_known_one(kind: str):
    found = next(curve for curve in compared().curves if curve.kind == kind)
    ours, theirs = known_order("ioi", kind), known_order("colored_objects", kind)
    assert len(found.points) == max(len(ours), len(theirs))
    agreeing = 0
    for point in found.points:
        left, right = set(ours[: point.count]), set(theirs[: point.count])
        assert (point.left, point.right) == (len(left), len(right))
        # Twins have the same effect up to rounding, and which comes first is no part of the truth.
        agreeing += point.shared == len(left & right)
        assert 0 <= point.ceiling_left <= 1
        assert 0 <= point.ceiling_right <= 1
    assert agreeing >= len(found.points) / 2
    last = found.points[-1]
    assert last.shared == len(set(ours) & set(theirs))


def known_ceiling(task: str, most: int, pairs: int) -> np.ndarray:
    """The mean overlap of the task's strongest heads with themselves, of prompts drawn anew twice: at 1, 2, ... heads.

    As docs/methods.md says: of n prompts of a template n - 1 are drawn, templates of one prompt are drawn together.
    """
    changes, generator = knocked_out(task), np.random.default_rng(3)
    names = [prompt.template for prompt in by_hand(task, PROMPTS).prompts]
    groups = [[i for i, name in enumerate(names) if name == each] for each in dict.fromkeys(names)]
    single = [group[0] for group in groups if len(group) == 1]
    assert len(single) != 1
    groups = [group for group in groups if len(group) > 1] + [single] * bool(single)

    def strongest() -> list[int]:
        weights = np.zeros(len(names))
        for group in groups:
            np.add.at(weights, generator.choice(group, len(group) - 1), len(group) / (len(group) - 1))
        sizes = np.abs(weights @ changes)
        return [i for i in np.argsort(-sizes) if sizes[i] > 1e-4 * sizes.max()]

    found = np.zeros(most)
    for _ in range(pairs):
        one, two = strongest(), strongest()
        for count in range(1, most + 1):
            ours, theirs = set(one[:count]), set(two[:count])
            found[count - 1] += len(ours & theirs) / min(len(ours), len(theirs)) / pairs
    return found


def parted(task: str, counts: int) -> list[int]:
    """The numbers of strongest heads that part no twins: which of two equal heads is stronger, rounding says."""
    sizes = np.sort(np.abs(knocked_out(task).mean(0)))[::-1]
    return [count for count in range(1, counts + 1) if sizes[count - 1] - sizes[count] > 1e-4 * sizes[0]]


def test_the_ceiling_is_the_known_one():
    """How far a task agrees with itself: heads whose effects are near to each other change places, and only they."""
    found = next(curve for curve in compared().curves if curve.kind == "knockout")
    ours = ([p.ceiling_left for p in found.points], [p.ceiling_right for p in found.points])
    for task, ceiling in zip(("ioi", "colored_objects"), ours, strict=True):
        known, at = known_ceiling(task, len(ceiling), 400), [count - 1 for count in parted(task, len(ceiling))]
        assert len(at) >= 4
        assert [ceiling[i] for i in at] == pytest.approx(known[at], abs=0.08)
        assert min(known[at]) < 0.97
    assert [point.ceiling for point in found.points] == [min(pair) for pair in zip(*ours, strict=True)]


def test_the_movers_top_both_tasks_and_are_sure_to():
    direct = next(curve for curve in compared().curves if curve.kind == "direct")
    two = direct.at(2)
    assert (two.shared, two.overlap, two.ceiling) == (2, 1, 1)
    assert two.chance == pytest.approx(1 / 6)
    assert two.p_value == pytest.approx(1 / 36)  # each in a layer of six, of its own
    assert known(direct.correlation.value) > 0.5


def test_stages_come_from_the_edges():
    stages = next(curve for curve in compared().curves if curve.kind == "stages")
    assert stages.left == "left"
    assert stages.at(1).left == 1  # one edge, so one stage
    assert stages.at(2).shared == 0  # movers on the left; on the right what moves the movers' queries


def test_everything_is_one_piece_of_json():
    written = json.loads(json.dumps(compared().to_dict(), allow_nan=False))
    assert {"heads", "transfer", "function", "curves"} <= set(written)
    assert [curve["kind"] for curve in written["curves"]] == ["direct", "knockout", "stages"]
