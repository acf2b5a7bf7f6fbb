"""The specs that ship: resolved against their models' real shapes and planned, offline, with no weights.

That they are formatted is said in tests/language/test_round_trip.py."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

import circuitdsl as cd
from cheap import judged, with_reference
from circuitdsl.api import with_prompts
from circuitdsl.check.workbench import Workbench
from circuitdsl.judge.estimates import Verdict
from circuitdsl.models.folders import added_folder, find_folder, is_model
from circuitdsl.plan.plan import make_plan
from shared_data import SHARED

FOLDER = Path(__file__).parents[2] / "specs"
FILES = sorted(FOLDER.rglob("*.circuit"))


def name(path: Path) -> str:
    return str(path.relative_to(FOLDER))


PLANNING = """
import json, sys, traceback
import circuitdsl as cd
from circuitdsl.models import geometry_of

def planned(path):
    document = cd.load(path)
    return {
        "experiments": cd.plan(document).distinct,
        "runs": bool(document.circuits or document.interventions),
        "wrong shapes": [each.name for each in document.circuits if each.geometry != geometry_of(each.model)],
        "says nothing": [each.name for each in document.circuits if not (each.claims and each.about)],
    }

found = {}
for path in json.load(sys.stdin):
    try:
        found[path] = planned(path)
    except Exception:
        found[path] = {"error": traceback.format_exc()}
print(json.dumps([found, sorted({"torch", "transformers", "transformer_lens"} & set(sys.modules))]))
"""


@pytest.fixture(scope="module")
def planned() -> tuple[dict[str, dict[str, Any]], list[str]]:
    """What a process of its own that plans all of them finds, and which libraries of models it has loaded by then."""
    done = subprocess.run(
        [sys.executable, "-c", PLANNING],
        input=json.dumps([*map(str, FILES)]),
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parent,
    )
    found, loaded = json.loads(done.stdout)
    return found, loaded


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_spec_resolves_and_plans(path, planned):
    found = planned[0][str(path)]
    assert "error" not in found, found["error"]
    assert found["experiments"] or not found["runs"]
    assert (found["wrong shapes"], found["says nothing"]) == ([], [])


def test_planning_all_of_them_loads_no_model_library(planned):
    assert planned[1] == []


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda folder: folder.name)
def test_the_specs_of_a_folder_can_be_checked_in_one_call(folder):
    document = cd.load(*sorted(folder.glob("*.circuit")))
    names = [circuit.name for circuit in document.circuits]
    assert len(names) == len(set(names))


@pytest.mark.skipif(find_folder("gpt2") is None, reason="GPT-2's weights are not in the Hugging Face cache")
def test_the_ioi_circuit_of_gpt2_is_judged_on_its_weights():
    report = cd.check(cd.load(FOLDER / "gpt2" / "ioi.circuit"), prompts=200, unexplained=False)
    assert all(o.verdict is not Verdict.ERROR for circuit in report.circuits for o in circuit.claims)
    published = (
        "expect logit_diff",
        "expect attention(name_mover",
        "expect copying(name_mover",
        "expect faithfulness_gap",
    )
    estimates = [o for o in report.circuits[0].claims if o.claim.text.startswith(published)]
    assert len(estimates) == len(published)
    assert all(o.verdict is Verdict.HOLDS for o in estimates), estimates


SMOLLM2 = "smollm2-135m"
QUICK = ("logit_diff", "accuracy", "attention", "anti_copying")  # one clean run; the rest takes minutes


@pytest.mark.skipif(
    not is_model(added_folder(SMOLLM2)), reason=f"{SMOLLM2} is not here: circuitdsl models add {SMOLLM2}"
)
@pytest.mark.parametrize("spec", ["ioi", "acronyms"])
def test_what_is_said_of_smollm2s_heads_holds(spec: str):
    document = cd.load(FOLDER / SMOLLM2 / f"{spec}.circuit")
    (circuit,) = document.circuits
    quick = tuple(claim for claim in circuit.claims if claim.kind == "expect" and claim.term.measure in QUICK)
    assert len(quick) >= 10
    few = replace(document, circuits=(replace(circuit, claims=quick),), interventions=())
    report = cd.check(few, unexplained=False)
    verdicts = {outcome.claim.text: outcome.verdict for outcome in report.circuits[0].claims}
    assert set(verdicts.values()) == {Verdict.HOLDS}, verdicts


TOKENIZER = SHARED / "gpt2-tokenizer"


@pytest.mark.skipif(not TOKENIZER.is_dir(), reason="GPT-2's tokenizer is not here")
@pytest.mark.parametrize("spec", ["greater_than", "acronyms", "induction", "copy_suppression", "ioi_encodings"])
def test_every_experiment_of_the_gpt2_specs_can_be_run(spec, tmp_path):
    """On random weights of GPT-2's layers and heads, where claims fail, but no experiment may.

    Of several interventions the last does all that the others do: what is read beside claims is asked of it alone."""
    torch.manual_seed(0)
    config = GPT2Config(n_embd=48, n_layer=12, n_head=12, n_positions=128, initializer_range=0.2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    GPT2Tokenizer.from_pretrained(TOKENIZER).save_pretrained(tmp_path)
    document = with_reference(cd.load(FOLDER / "gpt2" / f"{spec}.circuit", model=str(tmp_path)), 2)
    plan, workbench = make_plan(with_prompts(document, 4), unexplained=False), Workbench(tmp_path, store=None)
    first, last = plan.interventions[:-1], plan.interventions[-1:]
    done = [action for each in last for action in each.intervention.actions]
    assert all(action in done for each in first for action in each.intervention.actions)
    report = workbench.check(replace(plan, interventions=last))
    claims = [outcome for block in (*report.circuits, *report.interventions) for outcome in block.claims]
    for each in first:
        claims += workbench.bench(each.questions.circuit).judge(each.claims)
    assert len(claims) == sum(len(block.claims) for block in (*plan.circuits, *plan.interventions))
    assert [(o.claim.text, o.note) for o in claims if o.verdict is Verdict.ERROR] == []
    direct = [each for block in report.interventions for each in block.direct]
    assert bool(direct) == bool(last)
    assert [each.head for each in direct if each.effect.after.value is None] == []


@pytest.mark.parametrize("spec", ["addition", "mixed"])
def test_what_the_nodes_of_sums_and_differences_carry_holds(spec):
    """With fewer prompts than the file asks for, the claims whose bounds are far from the figures."""
    document = cd.load(FOLDER / "arithmetic" / f"{spec}.circuit")
    of_sums = tuple(c for c in document.circuits if c.name in ("addition", "mixed_addition"))
    circuits = tuple(replace(c, claims=tuple(x for x in c.claims if carried(x))) for c in of_sums)
    outcomes = judged(replace(document, circuits=circuits, comparisons=()), prompts=150)
    assert len(outcomes) == 8
    assert {outcome.verdict for outcome in outcomes} == {Verdict.HOLDS}


def test_in_the_tens_of_differences_the_sign_says_which_nodes_carry_them():
    """Every claim, those among them that say that the nodes of the other sign do not."""
    document = cd.load(FOLDER / "arithmetic" / "mixed.circuit")
    by_sign = tuple(c for c in document.circuits if c.name in ("negative_subtraction", "positive_subtraction"))
    outcomes = judged(replace(document, circuits=by_sign, comparisons=()), prompts=150)
    assert len(outcomes) == 16
    assert [outcome.claim.text for outcome in outcomes if outcome.verdict is not Verdict.HOLDS] == []


def carried(claim) -> bool:
    """Whether a claim says which variable a role carries, or does not."""
    return claim.term.measure == "interchange" and claim.term.arguments[0][1].label.startswith(("sum", "carry0"))


def test_how_acronyms_are_spelled_holds():
    """With fewer prompts than the file asks for: what growing sets of heads keep and carry, and every intervention."""
    document = cd.load(FOLDER / "acronyms" / "acronyms.circuit")
    (circuit,) = document.circuits
    told = tuple(x for x in circuit.claims if x.term.measure in ("isolated", "interchange", "logit_diff"))
    outcomes = judged(replace(document, circuits=(replace(circuit, claims=told),)), prompts=80)
    assert len(outcomes) == 24 + 17
    assert {outcome.claim.text: outcome.verdict for outcome in outcomes if outcome.verdict is not Verdict.HOLDS} == {}


def claimed(path: str, circuit: str, starts: tuple[str, ...], prompts: int | None):
    """The outcomes of some claims of a circuit of features."""
    document = cd.load(FOLDER / "features" / path)
    of_it = document.circuit(circuit)
    claims = tuple(claim for claim in of_it.claims if claim.text.startswith(starts) and "random" not in claim.text)
    assert len(claims) >= len(starts)
    return judged(replace(document, circuits=(replace(of_it, claims=claims),)), prompts)


def test_what_features_of_brackets_carry_holds_on_all_prompts():
    outcomes = claimed(
        "brackets.circuit",
        "brackets_features",
        ("expect accuracy", "expect interchange(found", "expect interchange(said", "expect interchange({ a1.63"),
        None,
    )
    assert {outcome.verdict for outcome in outcomes} == {Verdict.HOLDS}
    assert {outcome.prompts for outcome in outcomes} == {960}


@pytest.mark.parametrize(
    ("task", "starts"),
    [
        ("ioi", ("expect knockout(found)", "expect interchange(a1.*", "expect knockout(a1.error at S2)")),
        ("induction", ("expect knockout(a0.* at NEXT)", "expect knockout(a1.* at END)", "expect knockout(gathered)")),
    ],
)
def test_what_features_of_mini_do_holds(task, starts):
    outcomes = claimed(f"{task}.circuit", f"{task}_features", starts, 40)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.HOLDS}


@pytest.mark.parametrize(
    ("spec", "circuits", "claims", "prompts"),
    [
        ("recall", ("recall_relation",), 3, 150),
        ("recall", ("recall_demonstrated",), 10, None),
        ("edits", ("fact_before", "fact_rank_one", "fact_fine_tuned"), 24, 150),
    ],
)
def test_what_is_said_of_facts_holds(spec: str, circuits: tuple[str, ...], claims: int, prompts: int | None):
    """Two circuits of recall, and all that is said of the edited fact before and after its edits. Where half of the
    prompts that the file asks for decide every claim, on these."""
    document = cd.load(FOLDER / "facts" / f"{spec}.circuit")
    kept = replace(document, circuits=tuple(map(document.circuit, circuits)), comparisons=())
    verdicts = {each.claim.id: each.verdict for each in judged(kept, prompts)}
    assert len(verdicts) == claims and set(verdicts.values()) == {Verdict.HOLDS}, verdicts
