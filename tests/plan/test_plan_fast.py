"""What a plan states is what a check then reports: the same experiments, and the fast engine's work within 5%."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import circuitdsl as cd
from cheap import with_reference
from circuitdsl import api
from circuitdsl.actions import Ablate
from circuitdsl.check.workbench import Workbench
from circuitdsl.components import ALL, Dictionary, Feature, Head, Node, Position
from circuitdsl.engine.fast.cost import Prompts, own_runs
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.experiments import Ablated, FromCounterfactual, Intervened, Isolated, Patched, Zero
from circuitdsl.outcome import Cost
from circuitdsl.plan.plan import Plan
from circuitdsl.tasks import Layout
from samples import geometry

torch.set_num_threads(1)

SPECS = Path(__file__).parents[2] / "specs"
PROMPTS, FEW = 8, 3
TOLERANCE = 0.05
"""Where tokens stand is told from the templates' texts, and a vocabulary may have other words or marks."""

GROUPS = {
    "a circuit": ["mini/ioi"],
    "interventions, with their arms and the heads downstream": ["planted/repair"],
    "a comparison, two circuits, interventions": [
        *("planted/ioi", "planted/colored_objects", "planted/reuse", "mini/colored_objects")
    ],
}


def planned_and_taken(
    names: list[str], engine: str = "fast", prompts: int = PROMPTS, **options: bool
) -> tuple[Plan, Cost]:
    """The plan of these specs, and what checking them cost.

    Every claim has its first round only, and means are over few prompts: as many as make whole passes.
    """
    document = api.with_prompts(cd.load(*(SPECS / f"{name}.circuit" for name in names)), prompts)
    plan = api.plan(with_reference(document, 4), **options)
    return plan, Workbench(engine=engine).check(plan).cost


@pytest.mark.parametrize("group", GROUPS)
def test_the_fast_engine_takes_what_was_planned(group: str):
    """All but the search for unlisted heads, of which a plan states the most that it can take."""
    plan, cost = planned_and_taken(GROUPS[group], unexplained=False)
    assert cost.experiments == plan.distinct
    assert cost.passes == pytest.approx(plan.fast.total, rel=TOLERANCE)
    assert (cost.planned, cost.plain) == (round(plan.fast.total, 2), round(plan.plain.total, 2))


def test_the_search_for_unlisted_heads_takes_less_than_was_planned():
    searched, taken = planned_and_taken(["mini/ioi"])
    document = api.with_prompts(cd.load(SPECS / "mini" / "ioi.circuit"), PROMPTS)
    without = api.plan(with_reference(document, 4), unexplained=False)
    assert searched.raced == len([line for line in searched.lines if line.job.purpose == "unlisted"]) > 0
    assert without.raced == 0
    # Half of the prompts at least.
    assert without.fast.total + (searched.fast.total - without.fast.total) / 2 < taken.passes * (1 + TOLERANCE)
    assert taken.passes < searched.fast.total


def test_so_does_the_plain_engine():
    """Without the search for unlisted heads, which it would take a minute for; it counts every pass, so exactly."""
    plan, cost = planned_and_taken(["planted/repair"], PlainEngine.name, FEW, unexplained=False)
    assert cost.experiments == plan.distinct
    assert cost.passes == plan.plain.total == cost.planned


def test_methods_that_vary_and_own_prompts(tmp_path: Path):
    """Every source of replaced activations, positions at all tokens, strict paths, an MLP, prompts of a file."""
    rows = (
        f'{{"prompt": "{first} and {second} went to the park. {second} gave a ball to", "answer": " {first}", '
        f'"wrong": [" {second}"], '
        f'"counterfactuals": {{"abc": "{second} and Tom went to the park. Paul gave a ball to"}}, '
        f'"positions": {{"FIRST": [0, {len(first)}], "S2": [{len(f"{first} and {second} went to the park. ")}, '
        f"{len(f'{first} and {second} went to the park. {second}')}]}}}}"
        for first, second in (("Mary", "John"), ("John", "Anna"), ("Anna", "Mary"), ("Mary", "Anna"))
    )
    (tmp_path / "my.jsonl").write_text("\n".join(rows), encoding="utf-8")
    body = """
      model mini
      task  file("my.jsonl")
      method { prompts 4  ablate mean  vary ablate: zero, resample  vary positions: all }
      role early at S2  { 0.3 mlp 1 }
      role late  at END { 2.6 3.7 }
      edge early -> late.v
      edge late -> logits
      no edge early at S2 -> logits
      expect effect(early -> late.kv, strict) <= 500%
      expect faithfulness >= -900%
      expect attention(late, END -> FIRST) >= 1%
      expect induction_score(late) >= 1%
    """
    text = (
        f"circuit c {{{body}}}\nintervention i on c {{ freeze late\n ablate {{ 1.2 }} at S2\n expect accuracy >= 1% }}"
    )
    document = resolve_text(text, str(tmp_path / "my.circuit"), cd.environment())
    plan = api.plan(document, unexplained=False)  # four prompts do not tell whether the model does the task
    cost = Workbench().check(plan).cost
    assert cost.experiments == plan.distinct
    assert cost.passes == pytest.approx(plan.fast.total, rel=TOLERANCE)


def test_outputs_that_are_read_before_the_last_token():
    """Digits of an answer, each read after the one before it."""
    text = """circuit c {
      model addition
      task  addition
      method { metric logit_diff(at A3)  ablate counterfactual  members none  prompts 8 }
      role carry at SIGN { 0.0 0.2 }
      edge carry -> logits
      expect knockout(carry)                <= 100%
      expect knockout({ 0.3 at E0 }, at A2) <= 100%
      expect accuracy(at A1)                >= 0%
    }"""
    plan = api.plan(resolve_text(text, "c.circuit", cd.environment()), unexplained=False)
    cost = Workbench().check(plan).cost
    assert cost.passes == pytest.approx(plan.fast.total, rel=TOLERANCE)


def test_features_as_senders_receivers_and_circuits():
    """Heads that are not replaced move what a circuit of features keeps, and bring to features what was sent."""
    circuit = """{
      model brackets
      task  brackets
      dictionary a0 at attn_out 0 from "brackets/attn0"
      dictionary t0 at mlp_out 0  from "brackets/mlp0"
      dictionary a1 at attn_out 1 from "brackets/attn1"
      method { metric logit_diff  against kind  ablate counterfactual  members none  prompts 8 }
      role kinds at OPEN { a0.35  a0.71  a0.145  t0.* }
      role found at END { a1.54  a1.188  a1.error }
      expect knockout(found)       <= 100%
      edge a0.* at OPEN -> found
      edge 0.* at OPEN -> found
      edge t0.* -> 1.0.k
      edge found -> logits
      expect faithfulness          >= -900%
      expect minimality(kinds) >= -900%
    }"""
    for errors in ("ablated", "kept"):
        text = f"circuit c {circuit}".replace("method {", f"method {{ errors {errors} ")
        plan = api.plan(resolve_text(text, str(SPECS / "features" / "c.circuit"), cd.environment()), unexplained=False)
        cost = Workbench().check(plan).cost
        assert cost.passes == pytest.approx(plan.fast.total, rel=TOLERANCE)
        assert plan.fast.total < plan.plain.total / 2


# --- by hand ---------------------------------------------------------------------------------------

END, A, B = Position("END"), Position("A"), Position("B")
LAYOUTS = (Layout(10, {"A": (4,), "B": (6, 7), "END": (9,)}), Layout(8, {"A": (1,), "B": (2,), "END": (7,)}))
TEN = Prompts(LAYOUTS, geometry(layers=4))
PATCH = FromCounterfactual("x")


def ablated(*nodes: Node) -> Ablated:
    return Ablated(frozenset(nodes), Zero())


def test_nothing_runs_beyond_the_token_that_is_read():
    early = Prompts(tuple(replace(layout, read="A") for layout in TEN.layouts), TEN.geometry)
    last = Node(Head(3, 0), A)
    costs = own_runs([ablated(last), ablated(Node(Head(3, 1), END)), ablated(Node(Head(0, 0), ALL))], early)
    # Of END nothing is left but the token that is read; from the first token to it are 5 of 10.
    assert list(costs.values()) == pytest.approx([1 / 10 * 1 / 4, 1 / 10 * 1 / 4, 5 / 10])


def test_ablation_runs_from_the_first_token_and_layer_on():
    late, early = Node(Head(3, 0), END), Node(Head(1, 0), A)
    costs = own_runs([ablated(late), ablated(late, early), ablated(Node(Head(0, 1), ALL))], TEN)
    # The longest way from A to END is the second prompt's, 7 tokens; prompts are padded to 10.
    assert list(costs.values()) == pytest.approx([1 / 10 * 1 / 4, 7 / 10 * 3 / 4, 1.0])


def test_paths_run_from_the_receivers_token_on_and_equal_ones_once():
    receivers = frozenset({(Node(Head(2, 0), B), "v")})
    senders = [{Node(Head(1, 0), B)}, {Node(Head(1, 0), B), Node(Head(3, 0), B)}, {Node(Head(1, 0), A)}]
    worlds = [Patched(frozenset(some), receivers, "x", strict=False) for some in senders]
    costs = own_runs(worlds, TEN)
    # 3.0 is above the receiver, so that the first two are one run; A is no token at which the receiver reads.
    assert sorted(costs.values()) == pytest.approx([0, 0, 6 / 10 * 3 / 4])
    direct = Patched(frozenset({Node(Head(1, 0), END)}), frozenset(), "x", strict=False)
    assert own_runs([direct], TEN)[direct] == pytest.approx(1 / 10 * 3 / 4)


def test_paths_to_features_of_attention_run_its_heads_again_over_the_senders_tokens():
    dictionary = Dictionary("attn_out", 2, 8, "0" * 64)
    receivers = frozenset({(Node(Feature(dictionary, 0), END), "")})
    senders = [Node(Head(1, 0), A), Node(Head(1, 0), ALL), Node(Head(2, 0), END)]
    costs = own_runs([Patched(frozenset({each}), receivers, "x", strict=False) for each in senders], TEN)
    # From the receiver on one token of ten; to it the layers from the sender's to the receiver's, over both's tokens.
    layers = [3 / 4, 3 / 4, 2 / 4], [2 / 4, 2 / 4, 1 / 4]
    expected = [1 / 10 * on + share * to for on, to, share in zip(*layers, (2 / 10, 1.0, 1 / 10), strict=True)]
    assert list(costs.values()) == pytest.approx(expected)


def test_paths_under_an_intervention_run_it_once():
    less = Ablate((Node(Head(1, 0), A),), text="less")
    under = Intervened((less,), (Zero(),))
    senders = [frozenset({Node(Head(2, i), END)}) for i in range(2)]
    costs = own_runs([Patched(each, frozenset(), "x", False, under) for each in senders], TEN)
    intervention, path = 7 / 10 * 3 / 4, 1 / 10 * 2 / 4
    assert list(costs.values()) == pytest.approx([intervention + path, path])


def test_circuits_run_the_tokens_that_they_keep_and_share_those_of_almost_equal_ones():
    def kept(*positions: Position) -> Isolated:
        return Isolated(frozenset(Node(Head(2, 0), position) for position in positions), PATCH, mlps=False)

    whole, two, one, none = kept(ALL), kept(A, B), kept(B), kept()
    costs = own_runs([none, one, two, whole], TEN)
    # Kept at B alone are 3 tokens in both prompts, at A and B 5, which is more than half as many again. What is kept
    # begins in the third of four layers; of a circuit that keeps nothing only the last layer runs.
    layers = [2 / 4, 2 / 4, 2 / 4, 1 / 4]
    tokens = [1.0, 4 / 10, 3 / 10, 1 / 10]
    expected = [share * deep for share, deep in zip(tokens, layers, strict=True)]
    assert [costs[world] for world in (whole, two, one, none)] == pytest.approx(expected)
    assert own_runs([kept(A, B), kept(A, B, END)], TEN)[two] == pytest.approx(4 / 10 * 2 / 4)
