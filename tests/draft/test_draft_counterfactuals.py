"""What a draft patches from: as many counterfactuals as show all that any of them changes."""

from __future__ import annotations

import re

import pytest
import torch

import circuitdsl as cd
from circuitdsl.components import END, Head, Node
from circuitdsl.draft.counterfactuals import chosen, named
from circuitdsl.draft.patching import Tried, Way, effect
from circuitdsl.draft.refine.joining import _paths  # pyright: ignore[reportPrivateUsage]
from circuitdsl.draft.refine.splits import _sends  # pyright: ignore[reportPrivateUsage]
from circuitdsl.draft.search import LOGITS, first_stage, stated
from circuitdsl.errors import InputError
from circuitdsl.judge.estimates import NOTHING, Estimate
from circuitdsl.language.circuit import Circuit, Nodes
from circuitdsl.measures.estimands import Mean, column
from circuitdsl.measures.measurement import Measurement
from circuitdsl.outcome import DraftReport
from circuitdsl.outcome.draft import is_lacking
from circuitdsl.tasks.prompts import Prompt

torch.set_num_threads(1)


def prompt(**counterfactuals: tuple[int, ...]) -> Prompt:
    return Prompt("", (1, 2, 3, 4), 0, (), (), {}, counterfactuals, "one")


def circuit(task: str) -> Circuit:
    return cd.load(text=f"circuit c {{ model mini task {task} expect accuracy >= 50% }}").circuits[0]


def test_further_ones_are_those_that_change_what_none_before_changes():
    names = {"own": (9, 2, 3, 4), "less": (8, 2, 3, 4), "more": (1, 2, 3, 9), "both": (9, 2, 3, 9)}
    assert chosen("own", [prompt(**names)] * 3) == ("own", "more")
    assert chosen("both", [prompt(**names)] * 3) == ("both",)


def test_what_few_prompts_have_is_not_taken():
    some, most = prompt(own=(9, 2, 3, 4)), prompt(own=(9, 2, 3, 4), rare=(1, 9, 3, 4))
    assert chosen("own", [some, some, most]) == ("own",)
    assert chosen("own", [some, most, most]) == ("own", "rare")


def test_they_are_named_by_the_user_or_all_of_the_tasks():
    of = circuit("ioi")
    assert named(of, ()) == ()
    assert named(of, ("s2_io", "abc", "s2_io")) == ("s2_io", "abc")
    assert named(of, ("all",)) == ("abc", "s2_io", "flip_order", "other_io", "other_s")
    assert named(of, ("other_s", "all"))[:2] == ("other_s", "abc")
    with pytest.raises(InputError, match="no counterfactual `s2`"):
        named(of, ("abc", "s2"))


def test_a_plan_has_a_sweep_for_each():
    def swept(task: str, against: str | tuple[str, ...] = ()) -> list[str]:
        (plan,) = cd.plan_draft(task, prompts=24, mlps=False, against=against).sweeps
        return [series.term.named_counterfactual or plan.circuit.method.against for series in plan.series]

    assert swept("ioi") == ["abc"]
    assert swept("colored_objects(shots: 0)") == ["other_query", "exchanged_colors", "exchanged_objects"]
    assert swept("colored_objects(shots: 0)", against="exchanged_colors") == ["exchanged_colors"]


def test_a_term_names_its_counterfactual_where_it_is_not_the_methods():
    of = circuit("ioi")
    nodes = Nodes("0.3", ())
    assert str(effect(Way(LOGITS, "abc"), nodes, {}, of)) == "effect(0.3 -> logits)"
    assert str(effect(Way(LOGITS, "s2_io"), nodes, {}, of)) == "effect(0.3 -> logits, against s2_io)"


def tried(against: str, p_value: float, value: float) -> Tried:
    measured = Measurement((), Mean(column(0)))
    return Tried(Node(Head(0, 3), END), Way(LOGITS, against), measured, value, p_value)


def test_an_edge_is_stated_from_the_first_that_is_sure_or_the_largest():
    pair = (tried("abc", 0.3, -0.002), tried("s2_io", 1e-6, -0.3), tried("other_io", 1e-9, -0.1))
    assert stated(pair, 0.01).way.against == "s2_io"
    assert stated(pair, 0.5).way.against == "abc"
    assert stated(pair, 1e-9 * (1 - 1e-12)).way.against == "other_io"  # rounding: the surest, if none is
    assert stated(pair[:2], None).way.against == "s2_io"


@pytest.mark.parametrize(
    ("kept", "lacking"),
    [(Estimate(0.1, -0.2, 0.3), True), (Estimate(0.4, 0.2, 0.6), False), (NOTHING, False)],
)
def test_less_than_half_is_no_whole(kept: Estimate, lacking: bool):
    assert is_lacking(kept) is lacking


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> cd.Store:
    return cd.Store.in_folder(tmp_path_factory.mktemp("against"))


TASK = "colored_objects(shots: 0)"
SETTINGS = {"prompts": 48, "reference": 4, "mlps": False, "stages": 3, "unexplained": False}


@pytest.fixture(scope="module")
def whole(store: cd.Store) -> DraftReport:
    return cd.draft(TASK, store=store, **SETTINGS)


def test_a_draft_of_colored_objects_has_all_heads_that_were_found_by_hand_and_keeps_the_metric(whole: DraftReport):
    """0.6 brings the colour and 0.3 the thing: the question's counterfactual changes neither."""
    (by_hand,) = cd.load("specs/mini/colored_objects.circuit").circuits
    found = {node for role in whole.roles for node in role.nodes}
    assert set(by_hand.nodes) <= found
    assert (whole.kept.low or 0) > 0.8 and not whole.lacks
    from_where = {(str(each.sender), each.into.input): each.against for each in whole.fed if each.into.input}
    assert from_where["0.6 at ANSWER_COLOR+5", "v"] == "exchanged_colors"
    assert from_where["0.3 at ANSWER_COLOR+5", "k"] == "exchanged_objects"


def test_its_claims_name_their_counterfactuals_and_hold(whole: DraftReport, store: cd.Store):
    (gatherer,) = [r.name for r in whole.roles if "0.6 at ANSWER_COLOR+5" in map(str, r.nodes)]
    assert re.search(rf"edge {gatherer} +-> \w+\.v against exchanged_colors : raises", whole.text)
    report = cd.check(cd.load(text=whole.text), unexplained=False, store=store)
    assert report.exit_code == 0 and report.summary["holds"] == whole.confirmed
    assert list(whole.against) == whole.to_dict()["against"] == ["other_query", "exchanged_colors", "exchanged_objects"]


def test_a_draft_that_is_no_whole_says_so(store: cd.Store):
    report = cd.draft(TASK, store=store, against="other_query", **SETTINGS)
    assert report.lacks and {each.against for each in report.fed} == {"other_query"}
    page = " ".join(cd.show(report).split())
    assert "not a whole circuit" in page and "--against all patches from exchanged_colors, exchanged_objects" in page
    assert "# the whole: not whole: kept alone" in report.text
    assert Head(0, 6) not in {node.component for role in report.roles for node in role.nodes}


def test_an_edge_has_the_effect_that_it_has_in_a_method_of_that_counterfactual(store: cd.Store):
    text = """circuit c {{ model mini task ioi method {{ prompts 24 reference 4 members none {} }}
      edge 3.0 at END -> logits {} : raises }}"""
    values = [
        cd.check(cd.load(text=text.format(method, edge)), unexplained=False, store=store).circuits[0].claims[0].estimate
        for method, edge in (("", "against s2_io"), ("against s2_io", ""), ("", ""))
    ]
    assert values[0] == values[1] != values[2]


def test_a_refinement_asks_what_edges_name():
    """How nodes of a role send along an edge, and what a new node feeds, from every counterfactual of the file."""
    text = """circuit c { model mini task ioi role gatherer at S2 { 0.3 0.6 } role lookup at S2 { 1.0 1.1 }
      edge gatherer -> lookup.q against s2_io : raises edge gatherer -> lookup.v : raises }"""
    (of,) = cd.load(text=text).circuits
    sent = [each.test(of).job.about for each in _sends(of.role("gatherer"), of) if each.raises]
    assert sent == [
        "effect(0.3 -> lookup.q, against s2_io)",
        "effect(0.6 -> lookup.q, against s2_io)",
        "effect(0.3 -> lookup.v)",
        "effect(0.6 -> lookup.v)",
    ]
    feeds = [str(term) for _, term in _paths(of.role("gatherer").nodes[0], of)]
    assert {"effect(0.3 -> lookup.q)", "effect(0.3 -> lookup.q, against s2_io)"} <= set(feeds)


def test_the_first_stage_is_that_of_the_plan(whole: DraftReport):
    (plan,) = first_stage(whole.circuit, False, whole.against).sweeps
    assert 3 * whole.stages[0].senders == plan.senders == 3 * 33
