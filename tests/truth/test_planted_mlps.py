"""Circuits of MLPs, of neurons and of transcoders' features that are known: every figure follows from the wires, true
claims hold, and ways to get them wrong are found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, partial

import pytest
from mutations import Change
from planted_algebra import Algebra, Measuring
from planted_bench import REFERENCE, SPECS, bench, drawn, plain_text, reference_of, resolved

from circuitdsl.components import ErrorTerm, Feature, Head, Mlp, Neuron, Node
from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Circuit, Claim, Control, FromTo, Nodes, Path, Receivers, Variable
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.models.dictionaries import SETTINGS, WEIGHTS
from circuitdsl.models.planted import dictionaries
from circuitdsl.models.planted.build import planted_weights
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.planted.wiring import TEXTURES

MODEL, SPEC = "planted-mlps", "mlps"
CIRCUITS = ("planted_mlps", "planted_neurons", "planted_transcoders")
FEW = 2


def text_of(circuit: str) -> str:
    """The text of one circuit of the file."""
    _, _, after = plain_text(SPEC).partition(f"circuit {circuit} {{")
    return f"circuit {circuit} {{" + after.partition("\ncircuit ")[0]


@cache
def circuit(name: str) -> Circuit:
    return resolved(text_of(name)).circuits[0]


def test_the_shipped_transcoders_are_the_ones_that_are_written(tmp_path):
    dictionaries.write(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["half3", "mlp1", "mlp2", "mlp3", "mlp4", "mlp5", "named"]
    for name in written:
        for file in (SETTINGS, WEIGHTS):
            assert (tmp_path / name / file).read_bytes() == (SPECS / name / file).read_bytes()


# --- what was planted --------------------------------------------------------------------------------


def as_neurons(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The same nodes with the neurons that features and errors stand for."""
    found: list[Node] = []
    for node in nodes:
        match node.component:
            case Feature(dictionary, index):
                found.append(replace(node, component=Neuron(dictionary.layer, TEXTURES + index)))
            case ErrorTerm(dictionary):
                found += [replace(node, component=Neuron(dictionary.layer, index)) for index in range(TEXTURES)]
            case _:
                found.append(node)
    return tuple(found)


@pytest.mark.parametrize("name", CIRCUITS)
def test_roles_are_the_planted_ones(name: str):
    planted = PLANTED[MODEL]()
    plans = {str(each): plan.name for each, plan in (*planted.heads.items(), *planted.neurons.items())}
    jobs = {"previous": "previous_token"}
    for role in circuit(name).roles:
        found = {node.component for node in as_neurons(role.nodes)}
        for mlp in [each for each in found if isinstance(each, Mlp)]:
            found.remove(mlp)
            found |= {each for each in planted.neurons if each.layer == mlp.layer and plans[str(each)] != "murmur"}
        wanted = ("backup", "negative") if role.name == "late" else (jobs.get(role.name, role.name),)
        assert {str(each) for each in found} == {each for each, plan in plans.items() if plan in wanted}


def test_each_neuron_reads_and_writes_what_was_planned():
    """The matrices against the plans, coordinate by coordinate: the algebra below takes these matrices as given."""
    planted, found = PLANTED[MODEL](), planted_weights(PLANTED[MODEL]())
    for neuron, plan in planted.neurons.items():
        into, bias, out = (
            found[f"layers.{neuron.layer}.mlp.{part}"] for part in ("fc_in.weight", "fc_in.bias", "fc_out.weight")
        )
        for row, written in ((into[neuron.index], plan.reads), (out[:, neuron.index], plan.writes)):
            assert {planted.features[i]: float(row[i]) for i in row.nonzero().flatten()} == dict(written)
        assert float(bias[neuron.index]) == -plan.threshold
    assert len(planted.neurons) == 6 * TEXTURES + 16 * 6


# --- every figure --------------------------------------------------------------------------------------


@cache
def measuring() -> Measuring:
    reference = reference_of(MODEL, "ioi", "abc")
    return Measuring(Algebra(PLANTED[MODEL]()), drawn(MODEL, "ioi", FEW), "abc", reference)


def by_algebra(of: Circuit, claim: Claim) -> float:
    """The figure of a claim, by the wires alone."""
    algebra, arguments = measuring(), dict(claim.term.arguments)
    members = as_neurons(node for role in of.roles for node in role.nodes)
    named = arguments.get("heads")
    nodes = as_neurons(named.nodes if isinstance(named, Nodes) else ())
    match claim.term.measure:
        case "knockout":
            return algebra.knockout(nodes)
        case "minimality":
            return algebra.minimality(nodes[0], members, [as_neurons(role.nodes) for role in of.roles])
        case "completeness":
            return algebra.completeness(members, nodes)
        case "faithfulness":
            return algebra.faithfulness(members)
        case "accuracy":
            said = zip(algebra.clean, algebra.prompts, strict=True)
            return algebra.average(float(int(run.logits.argmax()) == prompt.answer) for run, prompt in said)
        case "interchange":
            variable = arguments["variable"]
            assert isinstance(variable, Variable)
            return algebra.interchange(nodes, variable.name, variable.counterfactual)
        case "attention":
            where = arguments["where"]
            assert isinstance(where, FromTo)
            heads = [node.component for node in nodes if isinstance(node.component, Head)]
            return algebra.attention(heads, where.query, where.key)
        case "effect":
            path = arguments["path"]
            assert isinstance(path, Path)
            inputs: list[tuple[Node, str]] = []
            if isinstance(path.receivers, Receivers):
                to = path.receivers
                inputs += [(node, each) for node in as_neurons(to.nodes) for each in to.inputs or ("",)]
            return algebra.effect(as_neurons(path.senders.nodes), inputs, strict="strict" in claim.term.options)
    raise LookupError(claim.term.measure)


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_figure_follows_from_the_wires_by_both_engines(name: str):
    """But for claims that compare with random sets, whose figures others claim; minimality by the fast one alone."""
    method = replace(circuit(name).method, prompts_first=FEW, prompts_most=FEW, reference=REFERENCE)
    few = replace(circuit(name), method=method)
    claims = [claim for claim in few.claims if not isinstance(claim.bound, Control)]
    expected = {claim.text: by_algebra(few, claim) for claim in claims}
    assert sum(abs(value) > 0.01 for value in expected.values()) > 10
    of_one_set = [claim for claim in claims if claim.term.measure != "minimality"]
    for engine, some in (("plain", of_one_set), ("fast", claims)):
        found = {outcome.claim.text: outcome.estimate.value for outcome in bench(engine).outcomes(few, some)}
        wanted = {claim.text: expected[claim.text] for claim in some}
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4), engine


def test_two_heads_are_joined_by_and():
    """Without either of the two that find S as much is lost as without both; of the two callers one nearly suffices."""
    algebra, roles = measuring(), {role.name: role.nodes for role in circuit(CIRCUITS[0]).roles}
    lost = algebra.knockout((*roles["twin"], *roles["again"]))
    assert lost < -1
    assert algebra.knockout(roles["twin"]) == pytest.approx(lost) == algebra.knockout(roles["again"])
    assert -0.2 < algebra.knockout(roles["caller"][:1]) < 0
    assert algebra.knockout(roles["caller"]) == pytest.approx(lost, rel=0.05)


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_claim_holds(name: str):
    outcomes = bench().outcomes(circuit(name), circuit(name).claims)
    assert [(o.claim.text, o.estimate, o.note) for o in outcomes if o.verdict is not Verdict.HOLDS] == []


# --- ways to get it wrong --------------------------------------------------------------------------------


@dataclass(frozen=True)
class In:
    """A change of one of the circuits."""

    circuit: str
    change: Change


def edit(of: str, what: str, *edits: tuple[str, str], fails: str = "", refused: str = "") -> In:
    return In(of, Change(what, edits, fails, refused))


def neurons(layer: int, first: int) -> str:
    """A line of eight neurons of the file."""
    return " ".join(f"neuron {layer}.{index}" for index in range(first, first + 8)) + "\n"


def features(name: str, first: int) -> str:
    return " ".join(f"{name}.{index}" for index in range(first, first + 8)) + "\n"


MLPS, NEURONS, TRANSCODERS = CIRCUITS
FAITHFUL, COMPLETE = "expect faithfulness in 97% .. 103%", "expect completeness(say) <= 0.1"
SAY, BOTH = "role say at END { mlp 3 }", "role both at S2 { mlp 1 }"
UNSAID = ("no edge mlp 4 at END -> logits\n", "")  # where it is claimed of a role
OF_MLPS = partial(edit, MLPS)
OF_NEURONS = partial(edit, NEURONS)
OF_FEATURES = partial(edit, TRANSCODERS)

CHANGES = (
    # another layer, a decoy, another place, another role
    OF_MLPS(
        "the decoy of the mover: it writes no answer",
        (SAY, "role say at END { mlp 4 }"),
        UNSAID,
        fails="edge say -> logits : raises",
    ),
    OF_MLPS(
        "the decoy of the mover: it does not matter",
        (SAY, "role say at END { mlp 4 }"),
        UNSAID,
        fails="role say at END: mlp 4 matters",
    ),
    OF_MLPS(
        "the decoy of the mover: it carries nothing",
        (SAY, "role say at END { mlp 4 }"),
        UNSAID,
        fails="expect interchange(say, IO_token) >= 90%",
    ),
    OF_MLPS("a layer early: nothing stands by", ("{ mlp 5 }", "{ mlp 4 }"), UNSAID, fails="edge say -> late : lowers"),
    OF_MLPS("a layer early: the circuit speaks too loud", ("{ mlp 5 }", "{ mlp 4 }"), UNSAID, fails=FAITHFUL),
    OF_MLPS("a layer late, against the order", (BOTH, "role both at S2 { mlp 2 }"), refused="C305"),
    OF_MLPS("the AND at the first S", (BOTH, "role both at S1 { mlp 1 }"), fails="expect knockout(both) <= -70%"),
    OF_MLPS(
        "the gate where S is", ("role inhibit at END", "role inhibit at S2"), fails="role inhibit at S2: mlp 2 matters"
    ),
    OF_MLPS("the mover where S is", ("role say at END", "role say at S2"), fails=FAITHFUL),
    OF_MLPS("a head of the AND at IO", ("role again at S2", "role again at IO"), fails="role again at IO: 1.3 matters"),
    OF_MLPS("the decoy of a head of the AND", ("{ 1.0 }", "{ 1.2 }"), fails="edge twin -> both : raises"),
    OF_MLPS("the decoy of a caller", ("{ 2.1 2.3 }", "{ 2.0 2.3 }"), fails="role caller at END: 2.0 matters"),
    OF_MLPS("the decoy of a finder", ("{ 3.0 3.2 }", "{ 3.0 3.1 }"), fails=FAITHFUL),
    OF_MLPS(
        "heads of the AND exchanged",
        ("{ 1.0 }", "{ 1.3 }"),
        ("role again at S2 { 1.3 }", "role again at S2 { 1.0 }"),
        fails="edge previous -> again.k : raises",
    ),
    # edges
    OF_MLPS("an edge left out", ("edge twin -> both : raises", "no edge twin -> both")),
    OF_MLPS("the edge into the query left out", ("edge inhibit -> finder.q : raises", "no edge inhibit -> finder.q")),
    OF_MLPS("who stands by is not told", ("edge say -> late : lowers", "no edge say -> late")),
    OF_MLPS("the mover writes nothing", ("edge say -> logits : raises", "no edge say -> logits")),
    OF_MLPS("no MLP is on the way", ("no edge caller -> finder.q : strict", "no edge caller -> finder.q")),
    OF_MLPS("heads write the answer", ("no edge finder -> logits : strict", "no edge finder -> logits")),
    OF_MLPS("past the gate", ("no edge caller -> finder.q : strict", "edge caller -> finder.q : strict")),
    OF_MLPS("past the AND", ("no edge twin -> caller.v : strict", "edge twin -> caller.v : strict")),
    OF_MLPS("the decoy writes", ("no edge mlp 4 at END -> logits", "edge mlp 4 at END -> logits")),
    OF_MLPS("into the keys", ("edge inhibit -> finder.q : raises", "edge inhibit -> finder.kv : raises")),
    # signs
    OF_MLPS("the mover lowers", ("edge say -> logits : raises", "edge say -> logits : lowers")),
    OF_MLPS("the last MLP raises", ("edge late -> logits : lowers", "edge late -> logits : raises")),
    OF_MLPS("the AND lowers", ("edge both -> caller.v : raises", "edge both -> caller.v : lowers")),
    # what is carried
    OF_MLPS(
        "position",
        ("interchange(both, S_token)", "interchange(both, S_position)"),
        ("expect interchange(both, S_position) <= 5%", ""),
        fails="expect interchange(both, S_position) >= 90%",
    ),
    OF_MLPS(
        "the name for the answer",
        ("interchange(finder, IO_token)", "interchange(finder, S_token)"),
        fails="expect interchange(finder, S_token) >= 90%",
    ),
    OF_MLPS(
        "the decoy carries it",
        ("interchange(mlp 4 at END, IO_token) <= 5%", "interchange(mlp 4 at END, IO_token) >= 90%"),
    ),
    # neurons
    OF_NEURONS("murmurs for half of the AND", (neurons(1, 16), neurons(1, 0)), fails=FAITHFUL),
    OF_NEURONS("half of the gate", (neurons(2, 16), ""), fails=FAITHFUL),
    OF_NEURONS(
        "the decoys of the mover",
        (neurons(3, 8), neurons(4, 8)),
        (neurons(3, 16), neurons(4, 16)),
        fails="edge say -> logits : raises",
    ),
    OF_NEURONS("half of those that stand by", (neurons(5, 16), ""), fails=COMPLETE),
    OF_NEURONS("half of those that speak against it", (neurons(5, 32), ""), fails=FAITHFUL),
    OF_NEURONS(
        "half of these called stand-bys",
        (neurons(5, 8), neurons(5, 32)),
        (f"{neurons(5, 24)}{neurons(5, 32)}", f"{neurons(5, 24)}{neurons(5, 8)}"),
        fails="expect knockout({ say backup }) in -105% .. -90%",
    ),
    OF_NEURONS("negative neurons raise", ("edge negative -> logits : lowers", "edge negative -> logits : raises")),
    OF_NEURONS("they are woken by what was said", ("edge say -> backup : lowers", "edge say -> backup : raises")),
    OF_NEURONS(
        "the mover in place of its decoy",
        ("knockout(neuron 4.* at END)", "knockout(neuron 3.* at END)"),
        fails="expect knockout(neuron 3.* at END) in -1% .. 1%",
    ),
    OF_NEURONS("a neuron that there is not", (neurons(5, 32), neurons(5, 33)), refused="C302"),
    # features
    OF_FEATURES(
        "another layer's features",
        (features("t3", 0), features("t4", 0)),
        (features("t3", 8), features("t4", 8)),
        fails="edge say -> logits : raises",
    ),
    OF_FEATURES("half of the AND", (features("t1", 8), ""), fails=FAITHFUL),
    OF_FEATURES("half of those that stand by", (features("t5", 8), ""), fails=COMPLETE),
    OF_FEATURES("negative features raise", ("edge negative -> logits : lowers", "edge negative -> logits : raises")),
    OF_FEATURES("past the gate", ("no edge inhibit -> logits : strict", "edge inhibit -> logits : strict")),
    OF_FEATURES(
        "features for the error",
        ("knockout(t1.error at S2)", "knockout(t1.* at S2)"),
        fails="expect knockout(t1.* at S2) in -1% .. 1%",
    ),
    OF_FEATURES("a feature that there is not", (features("t1", 8), features("t1", 9)), refused="C306"),
)


@pytest.mark.parametrize("changed", CHANGES, ids=lambda each: f"{each.circuit}: {each.change.what}")
def test_the_right_claim_finds_it_out(changed: In):
    change = changed.change
    text = change.made_in(text_of(changed.circuit))
    if change.refused:
        with pytest.raises(SpecError) as error:
            resolved(text)
        assert {each.code for each in error.value.diagnostics} == {change.refused}
        return
    outcome = bench().outcome(resolved(text), change.claim)
    assert outcome.verdict is Verdict.FAILS, (outcome.estimate, outcome.note)


def test_what_is_silent_is_not_called_unimportant():
    """Neurons that stand by are at 0 on every prompt: a patch of them changes nothing, and shows nothing."""
    text = text_of(NEURONS).replace(COMPLETE, "expect knockout(backup) in -1% .. 1%")
    outcome = bench().outcome(resolved(text), "expect knockout(backup) in -1% .. 1%")
    assert outcome.verdict is Verdict.ERROR and "changed nothing" in outcome.note


# --- an error that is worth something -----------------------------------------------------------------

ERRORS = "errors"
OF_ERRORS = [(each.name, claim.text) for each in resolved(plain_text(ERRORS)).circuits for claim in each.claims]


def of_errors(name: str) -> str:
    _, _, after = plain_text(ERRORS).partition(f"circuit {name} {{")
    return f"circuit {name} {{" + after.partition("\ncircuit ")[0]


@pytest.mark.parametrize(("name", "claim"), OF_ERRORS)
def test_what_a_kept_an_ablated_and_a_listed_error_are_worth(name: str, claim: str):
    outcome = bench().outcome(resolved(of_errors(name)), claim)
    assert outcome.verdict is Verdict.HOLDS, (outcome.estimate, outcome.note)


@pytest.mark.parametrize(
    ("name", "said", "other"), [("errors_kept", "kept", "ablated"), ("errors_ablated", "ablated", "kept")]
)
def test_the_other_setting_of_errors_is_found_out(name: str, said: str, other: str):
    text = of_errors(name)
    (claim,) = [claim for circuit, claim in OF_ERRORS if circuit == name and "faithfulness" in claim]
    outcome = bench().outcome(resolved(text.replace(f"errors {said}", f"errors {other}")), claim)
    assert outcome.verdict is Verdict.FAILS, (outcome.estimate, outcome.note)


def test_a_part_of_the_neurons_is_in_the_features_and_the_others_are_the_error():
    """Features are of every second planned neuron; the rest of these and what murmurs are the error."""
    planned = range(TEXTURES, TEXTURES + 16)
    parts = {
        "say": [each for each in planned if (each - TEXTURES) % 2 == 0],
        "h3.error at END": [*range(TEXTURES), *(each for each in planned if (each - TEXTURES) % 2)],
    }
    for part, neurons in parts.items():
        listed = " ".join(f"neuron 3.{each}" for each in neurons)
        said = (f"expect knockout({part}) <= 500%", f"expect knockout({{ {listed} }} at END) <= 500%")
        text = of_errors("errors_kept").replace("edge say -> logits : raises", "\n".join(said))
        ours, theirs = (bench().outcome(resolved(text), each).estimate.value for each in said)
        assert ours is not None and abs(ours) > 0.05 and ours == pytest.approx(theirs, abs=1e-4)
