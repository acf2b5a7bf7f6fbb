"""What each statement becomes: claims with their measurements, bounds, positions and identifiers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from language_environment import ENVIRONMENT, TASKS

from circuitdsl.actions import Ablate, Attend, Freeze, Patch, Scale, Target
from circuitdsl.compare.edges import role_edges
from circuitdsl.components import ALL, Embed, ErrorTerm, Feature, Head, Mlp, Neuron, Node, PosEmbed, Position, Residual
from circuitdsl.language.circuit import (
    At,
    Bound,
    Circuit,
    Circuits,
    Claim,
    Comparison,
    Control,
    Document,
    Elements,
    FromTo,
    Intervention,
    LogitsReceiver,
    Method,
    Nodes,
    Path,
    Reads,
    Receivers,
    Role,
    Term,
    Token,
)
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.environment import TaskRef
from circuitdsl.language.resolve import resolve_text

END, S1, S2, IO = (Position(name) for name in ("END", "S1", "S2", "IO"))
ROLES = """
  role duplicate at S2 { 3.0 }
  role inhibition at END { 7.3 7.9 }
  role mover at END { 9.6 9.9 }
"""
MEMBERS = 5  # claims that these roles make


def document(text: str) -> Document:
    return resolve_text(text, "specs/here.circuit", ENVIRONMENT)


def circuit(body: str, task: str = "ioi", model: str = "gpt2") -> Circuit:
    (made,) = document(f"circuit c {{\n  model {model}\n  task {task}\n{body}\n}}\n").circuits
    return made


def claims(statements: str) -> tuple[Claim, ...]:
    """The claims of statements beside three roles, less those of the roles themselves."""
    return circuit(ROLES + statements).claims[MEMBERS:]


def claim(statement: str) -> Claim:
    (made,) = claims(statement)
    return made


def path(statement: str) -> Path:
    found = dict(claim(statement).term.arguments)["path"]
    assert isinstance(found, Path)
    return found


def nodes(*heads: str, at: Position = END) -> tuple[Node, ...]:
    return tuple(Node(Head(*map(int, head.split("."))), at) for head in heads)


# --- roles -----------------------------------------------------------------------------------------


def test_a_listed_head_claims_that_it_matters():
    made = circuit("  role mover at END { 9.6\n  9.9 at S1+1 }\n  method { floor 2% }")
    assert made.roles == (Role("mover", (*nodes("9.6"), *nodes("9.9", at=Position("S1", 1))), (), 4),)
    first, second = made.claims
    term = Term("minimality", (("heads", Nodes("9.6", nodes("9.6"))),))
    assert first == Claim(
        "c:member 9.6 at END", 4, "role mover at END: 9.6 matters", "member", term, Bound(">=", low=0.02), role="mover"
    )
    assert (second.id, second.line, second.text) == ("c:member 9.9 at S1+1", 5, "role mover at S1+1: 9.9 matters")


def test_what_listing_a_head_claims_is_the_methods_to_say():
    made = circuit("  role mover at END { 9.6 }\n  method { floor 2% members knockout vary members: minimality }")
    (claim,) = made.claims
    arguments = (("heads", Nodes("9.6", nodes("9.6"))),)
    assert (claim.text, claim.kind) == ("role mover at END: 9.6 matters", "member")
    assert (claim.term, claim.bound) == (Term("knockout", arguments), Bound("outside", -0.02, 0.02))
    other = claim.under(replace(made.method, members="minimality"))
    assert (other.term, other.bound) == (Term("minimality", arguments), Bound(">=", low=0.02))
    assert (other.id, other.text, other.role) == (claim.id, claim.text, claim.role)
    assert other.under(made.method) == claim


def test_where_listing_a_head_claims_nothing_roles_are_names():
    made = circuit("  role mover at END { 9.6 }\n  method { members none }\n  expect attention(mover, END -> IO) >= 1%")
    assert [claim.kind for claim in made.claims] == ["expect"]
    assert made.role("mover").nodes == nodes("9.6")


def test_a_role_without_a_position_stands_for_all():
    assert circuit("role early { 0.1 }").roles[0].nodes == nodes("0.1", at=ALL)


def test_groups_of_components_are_spelt_out():
    made = circuit("role early at S2 { 0.* mlp 0 .. 2 mlp 5 embed pos_embed }")
    heads = nodes(*(f"0.{index}" for index in range(12)), at=S2)
    others = tuple(Node(each, S2) for each in (Mlp(0), Mlp(1), Mlp(2), Mlp(5), Embed(), PosEmbed()))
    assert made.roles[0].nodes == heads + others
    # The embeddings are what everything is made of: that they matter is no claim.
    assert [claim.id for claim in made.claims[-4:]] == [f"c:member mlp {layer} at S2" for layer in (0, 1, 2, 5)]


def test_one_head_may_play_roles_at_several_positions():
    made = circuit("role a at S2 { 5.5 }  role b at END { 5.5 }")
    assert [claim.id for claim in made.claims] == ["c:member 5.5 at S2", "c:member 5.5 at END"]
    assert made.roles_of(Node(Head(5, 5), END)) == ("b",)


def test_citations_stay_with_their_role():
    made = circuit('cite "all"\n role a at S2 { 5.5 cite "one" 5.6 cite "two" }\n about "what"')
    assert (made.about, made.cites, made.roles[0].cites) == ("what", ("all",), ("one", "two"))


# --- edges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind", "bound"),
    [
        ("edge mover -> logits", "edge", Bound("outside", -0.01, 0.01)),
        ("no edge mover -> logits", "no edge", Bound("inside", -0.01, 0.01)),
        # Senders that raise the metric lower it when they are patched away.
        ("edge mover -> logits : raises", "edge", Bound("<=", high=-0.01)),
        ("edge mover -> logits : lowers", "edge", Bound(">=", low=0.01)),
        ("edge mover -> logits : <= -10%", "edge", Bound("<=", high=-0.1)),
        ("edge mover -> logits : > 5%", "edge", Bound(">", low=0.05)),
        ("edge mover -> logits : in -20% .. 0", "edge", Bound("in", -0.2, 0.0)),
        ("edge mover -> logits : outside -5% .. 2%", "edge", Bound("outside", -0.05, 0.02)),
    ],
)
def test_an_edge_is_an_effect_with_a_bound(written: str, kind: str, bound: Bound):
    made = claim(written)
    assert made.term == Term("effect", (("path", Path(Nodes("mover", nodes("9.6", "9.9")), LogitsReceiver())),))
    assert (made.kind, made.bound, made.text) == (kind, bound, written)


@pytest.mark.parametrize(
    ("written", "kind", "bound"),
    [
        ("edge mover -> logits : strict", "edge", Bound("outside", -0.01, 0.01)),
        ("edge mover -> logits : strict, lowers", "edge", Bound(">=", low=0.01)),
        ("edge mover -> logits : strict, <= -10%", "edge", Bound("<=", high=-0.1)),
        ("edge mover -> logits : strict, outside -5% .. 2%", "edge", Bound("outside", -0.05, 0.02)),
        ("no edge mover -> logits : strict", "no edge", Bound("inside", -0.01, 0.01)),
    ],
)
def test_a_strict_edge_is_a_strict_effect(written: str, kind: str, bound: Bound):
    made = claim(written)
    mover = Path(Nodes("mover", nodes("9.6", "9.9")), LogitsReceiver())
    assert made.term == Term("effect", (("path", mover),), ("strict",))
    assert (made.kind, made.bound, made.text) == (kind, bound, written)
    assert claim(written.replace("strict, ", "strict ")).text == written  # the comma may be left out


def test_an_edge_and_the_strict_one_are_two_claims():
    both = claims("edge mover -> logits\nno edge mover -> logits : strict\nexpect accuracy outside 10% .. 90%")
    assert [made.kind for made in both] == ["edge", "no edge", "expect"]
    assert both[-1].bound == Bound("outside", 0.1, 0.9)


def test_an_edge_without_an_input_is_read_by_all_three():
    receivers = path("edge duplicate -> inhibition").receivers
    assert isinstance(receivers, Receivers)
    keys = nodes("7.3", "7.9", at=S2)
    assert receivers == Receivers("inhibition", nodes("7.3", "7.9"), "qkv", keys)
    queries = {(node, "q") for node in nodes("7.3", "7.9")}
    assert set(receivers.reads()) == queries | {(node, letter) for node in keys for letter in "kv"}
    assert str(receivers) == "inhibition"
    assert receivers.to_dict()["input"] == "qkv"


def test_a_position_after_receivers_without_an_input_is_their_own():
    receivers = path("edge duplicate -> 9.1 at IO").receivers
    assert receivers == Receivers("9.1", nodes("9.1", at=IO), "qkv", nodes("9.1", at=S2))


def test_a_role_of_heads_and_mlps_may_receive_whole():
    made = circuit(
        "role a at S2 { 1.1 }  role b at END { 9.6 mlp 9 }  edge a -> b\nexpect effect(a -> {b mlp 10 at S2}) < 0"
    )
    for claim in made.claims[-2:]:
        found = dict(claim.term.arguments)["path"]
        assert isinstance(found, Path) and isinstance(found.receivers, Receivers)
        head, last = Head(9, 6), {(Node(Mlp(10), S2), "")} if claim.kind == "expect" else set()
        whole = {(Node(head, END), "q"), (Node(head, S2), "k"), (Node(head, S2), "v"), (Node(Mlp(9), END), "")}
        assert set(found.receivers.reads()) == whole | last


def test_queries_are_read_where_the_receiver_stands():
    found = path("edge inhibition -> mover.q")
    assert found.senders == Nodes("inhibition", nodes("7.3", "7.9"))
    assert found.receivers == Receivers("mover", nodes("9.6", "9.9"), "q")


@pytest.mark.parametrize("inputs", ["k", "v", "kv", "vk"])
def test_keys_and_values_are_read_where_the_sender_writes(inputs: str):
    receivers = path(f"edge duplicate -> inhibition.{inputs}").receivers
    assert receivers == Receivers("inhibition", nodes("7.3", "7.9", at=S2), "".join(sorted(inputs)))


def test_keys_are_read_at_every_position_of_the_senders():
    receivers = path("edge { 1.1 at S1 } -> mover.k at S2").receivers
    assert receivers.nodes == nodes("9.6", "9.9", at=S2)  # type: ignore[union-attr]
    made = circuit("role a { 1.1 at S1 1.1 at S2 }  role b at END { 9.6 }  edge a -> b.k").claims[-1]
    found = dict(made.term.arguments)["path"]
    assert found.receivers.nodes == (*nodes("9.6", at=S1), *nodes("9.6", at=S2))  # type: ignore[union-attr]


def test_a_head_of_a_group_is_its_own_copy_or_the_whole_group():
    made = circuit(
        "role a at S2 { 0.0 }  role b at END { 1.1 2.4 }  edge a -> b.k  edge a -> b.k of group", model="grouped"
    )
    own, group = (dict(claim.term.arguments)["path"].receivers for claim in made.edge_claims())  # type: ignore[union-attr]
    assert own == Receivers("b", nodes("1.1", "2.4", at=S2), "k")
    assert group == Receivers("b", nodes("1.0", "1.1", "1.2", "2.3", "2.4", "2.5", at=S2), "k", of_group=True)
    assert [claim.text for claim in made.edge_claims()] == ["edge a -> b.k", "edge a -> b.k of group"]
    assert [str(own), str(group)] == ["b.k", "b.k of group"]
    assert "of_group" not in own.to_dict() and group.to_dict()["of_group"] is True
    assert [str(edge) for edge in role_edges(made)] == ["a -> b.k", "a -> b.k of group"]


def test_a_group_may_be_an_argument():
    made = circuit("role a at S2 { 0.0 }  expect effect(a -> { 1.1 1.3 }.kv of group) >= -10%", model="grouped").claims[
        -1
    ]
    assert str(made.term) == "effect(a -> { 1.1 1.3 }.kv of group)"
    found = dict(made.term.arguments)["path"]
    assert isinstance(found, Path) and isinstance(found.receivers, Receivers)
    assert found.receivers.nodes == nodes(*(f"1.{index}" for index in range(6)), at=S2)


def test_a_position_after_a_group_goes_before_the_roles_own():
    found = path("edge inhibition at S2 -> mover.q at S2")
    assert found.senders.nodes == nodes("7.3", "7.9", at=S2)
    assert found.receivers.nodes == nodes("9.6", "9.9", at=S2)  # type: ignore[union-attr]


def test_a_head_takes_the_position_of_the_one_role_that_lists_it():
    assert path("edge 3.0 -> 7.3.v").senders == Nodes("3.0", nodes("3.0", at=S2))


def test_neurons_and_streams_stand_where_heads_may():
    made = circuit("role early at S2 { neuron 1.* neuron 2.17 resid 3 }")
    geometry, named = made.geometry, [node.component for node in made.role("early").nodes]
    assert named == [*(Neuron(1, index) for index in range(geometry.d_mlp)), Neuron(2, 17), Residual(3)]
    # A stream is no part that could matter by itself.
    assert [claim.id for claim in made.claims[-2:]] == [
        f"c:member neuron 1.{geometry.d_mlp - 1} at S2",
        "c:member neuron 2.17 at S2",
    ]
    found = path("edge neuron 1.5 at S2 -> neuron 2.17 at S2")
    assert found.receivers == Receivers("neuron 2.17", (Node(Neuron(2, 17), S2),), "")


def test_features_and_errors_of_a_dictionary_stand_where_heads_may():
    text = """
        dictionary a1 at attn_out 1 from "saes/attn1"
        dictionary t5 at mlp_out 5 from "saes/skips"
        role early at S2 { a1.57 a1.error 3.0 }
        edge a1.57 -> t5.3 at S2
        edge 0.1 at S1 -> a1.57 at S2
        method { errors kept }
    """
    made = circuit(text)
    attention, transcoder = made.dictionaries
    assert (attention.name, attention.point, attention.layer, attention.n_features) == ("a1", "attn_out", 1, 256)
    assert (transcoder.transcoder, transcoder.fingerprint, transcoder.folder) == (True, "4f" * 32, "saes/skips")
    assert [node.component for node in made.role("early").nodes] == [
        Feature(attention, 57),
        ErrorTerm(attention),
        Head(3, 0),
    ]
    assert [claim.id for claim in made.claims][:3] == [
        f"c:member {each} at S2" for each in ("a1.57", "a1.error", "3.0")
    ]
    found = made.paths()
    assert [(str(each.senders), str(each.receivers)) for each in found] == [("a1.57", "t5.3"), ("0.1", "a1.57")]
    assert found[0].receivers == Receivers("t5.3", (Node(Feature(transcoder, 3), S2),), "")
    assert made.method.errors == "kept"


def test_a_dictionary_is_one_wherever_it_is_called():
    one, other = (
        circuit(f'dictionary {name} at attn_out 1 from "saes/attn1"  role r at S2 {{ {name}.57 }}')
        for name in ("a1", "other")
    )
    assert one.nodes == other.nodes and one.claims[0].id != other.claims[0].id


def test_an_intervention_names_features_of_its_circuit():
    text = """
        circuit c { model gpt2 task ioi dictionary a1 at attn_out 1 from "saes/attn1" role r at S2 { 3.0 } }
        intervention i on c { scale a1.7 by 2  expect logit_diff - baseline >= 1 }
    """
    (made,) = resolve_text(text, "spec.circuit", ENVIRONMENT).interventions
    assert [str(node) for node in made.actions[0].nodes] == ["a1.7 at all"]


def test_mlps_have_one_input_and_embeddings_every_position():
    found = path("edge embed -> mlp 3 at S2")
    assert found.senders == Nodes("embed", (Node(Embed(), ALL),))
    assert found.receivers == Receivers("mlp 3", (Node(Mlp(3), S2),), "")


def test_groups_are_a_claim_for_each_pair():
    made = claims("edge { duplicate inhibition } at END -> { mover 10.7 }.q at END : raises")
    assert [(claim.id, claim.text) for claim in made] == [
        ("c:edge duplicate at END -> mover.q at END", "edge duplicate at END -> mover.q at END : raises"),
        ("c:edge duplicate at END -> 10.7.q at END", "edge duplicate at END -> 10.7.q at END : raises"),
        ("c:edge inhibition at END -> mover.q at END", "edge inhibition at END -> mover.q at END : raises"),
        ("c:edge inhibition at END -> 10.7.q at END", "edge inhibition at END -> 10.7.q at END : raises"),
    ]


def test_the_graph_has_roles_and_logits_as_vertices():
    made = circuit(ROLES + "edge inhibition -> mover.q\nedge mover -> logits\nno edge duplicate -> logits").graph()
    assert sorted(made.nodes) == ["duplicate", "inhibition", "logits", "mover"]
    assert list(made.edges(data="inputs")) == [("inhibition", "mover", "q"), ("mover", "logits", "")]


# --- expect ----------------------------------------------------------------------------------------

MOVER = Nodes("mover", nodes("9.6", "9.9"))
INHIBITION = Nodes("inhibition", nodes("7.3", "7.9"))
PLACED = (*nodes("9.6"), *nodes("10.0", at=S2))
SHIFTED = FromTo(Position("END", -1), Position("S1", 1))


@pytest.mark.parametrize(
    ("written", "arguments", "options"),
    [
        ("logit_diff", (), ()),
        ("accuracy(among options)", (), ("among options",)),
        ("knockout(mover)", (("heads", MOVER),), ()),
        ("knockout({ mover 9.6 })", (("heads", Nodes("{ mover 9.6 }", MOVER.nodes)),), ()),
        ("knockout({ 9.6 10.0 at S2 })", (("heads", Nodes("{ 9.6 10.0 at S2 }", PLACED)),), ()),
        ("knockout(mlp 1)", (("heads", Nodes("mlp 1", (Node(Mlp(1), ALL),))),), ()),
        ("completeness", (), ()),
        ("completeness(mover)", (("without", MOVER),), ()),
        ("attention(mover, END -> IO)", (("heads", MOVER), ("attends", FromTo(END, IO))), ()),
        ("attention(mover, END-1 -> S1+1)", (("heads", MOVER), ("attends", SHIFTED)), ()),
        ("copying(mover, IO)", (("heads", MOVER), ("reads", Reads(IO, Token(IO)))), ()),
        ("copying(mover, IO -> answer)", (("heads", MOVER), ("reads", Reads(IO, Token(None)))), ()),
        ("copying(mover, IO -> S1)", (("heads", MOVER), ("reads", Reads(IO, Token(S1)))), ()),
        ("probability(answer)", (("token", Token(None)),), ()),
        ("probability(S2)", (("token", Token(S2)),), ()),
        ("loss_at(END)", (("position", At(END)),), ()),
        ("effect(mover -> logits, strict)", (("path", Path(MOVER, LogitsReceiver())),), ("strict",)),
        ("effect(inhibition -> mover.q)", (("path", Path(INHIBITION, Receivers("mover", MOVER.nodes, "q"))),), ()),
    ],
)  # fmt: skip
def test_arguments_by_their_kinds(written: str, arguments: tuple, options: tuple):
    unit = ENVIRONMENT.measures[written.partition("(")[0]].unit
    made = claim(f"expect {written} <= {'50%' if unit == 'share' else '0.5'}")
    assert made.term == Term(written.partition("(")[0], arguments, options)
    assert made.bound == Bound("<=", high=0.5)
    assert (made.kind, made.role, made.id) == ("expect", "", f"c:expect {written}")


def test_a_path_from_a_group_is_one_argument():
    found = path("expect effect({ duplicate inhibition } -> { mover 10.7 }.q at END) <= -1%")
    assert found.senders == Nodes("{ duplicate inhibition }", (*nodes("3.0", at=S2), *nodes("7.3", "7.9")))
    assert found.receivers.nodes == nodes("9.6", "9.9", "10.7")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("written", "bound"),
    [
        ("accuracy >= 95%", Bound(">=", low=0.95)),
        ("accuracy < 50 %", Bound("<", high=0.5)),
        ("logit_diff in 3.0 .. 4.5", Bound("in", 3.0, 4.5)),
        ("logit_diff > -1e-2", Bound(">", low=-0.01)),
        ("knockout(mover) <= 0", Bound("<=", high=0.0)),
        ("effect(mover -> logits) raises", Bound("<=", high=-0.01)),
        ("effect(mover -> logits) lowers", Bound(">=", low=0.01)),
        ("faithfulness > random heads", Control("random heads", ">")),
        ("knockout(mover) < random heads", Control("random heads", "<")),
    ],
)
def test_bounds_and_controls(written: str, bound: Bound | Control):
    assert claim(f"expect {written}").bound == bound


def test_in_a_roles_body_the_heads_may_be_left_out():
    made = circuit(
        "role mover at END {\n 9.6\n expect knockout <= -10%\n expect attention(END -> IO) >= 40%\n"
        " expect accuracy >= 90%\n expect knockout(9.6 at S2) in -1% .. 1%\n}"
    ).claims[1:]
    mover = ("heads", Nodes("mover", nodes("9.6")))
    assert [claim.term.arguments for claim in made] == [
        (mover,),
        (mover, ("attends", FromTo(END, IO))),
        (),
        (("heads", Nodes("9.6", nodes("9.6", at=S2))),),
    ]
    assert [claim.text for claim in made[:2]] == [
        "expect knockout(mover) <= -10%",
        "expect attention(mover, END -> IO) >= 40%",
    ]
    assert {claim.role for claim in made} == {"mover"}


# --- method and task -------------------------------------------------------------------------------


def test_a_method_states_what_differs_from_the_defaults():
    assert circuit("role a at END { 9.6 }").method == Method(against="abc")
    assert circuit("role a at END { 9.6 }", task="plain").method == Method(against="")
    body = """
      method {
        metric probability  against s2_io  ablate zero  reference 5  prompts 50 to 100  positions all  floor 2%
        confidence 99%  seed 7  bos yes  processing fold  members knockout
        vary ablate: mean by template, resample
        vary metric: accuracy
        vary members: minimality
      }
      role a at END { 9.6 }
    """
    assert circuit(body).method == Method(
        metric="probability",
        against="s2_io",
        ablate="zero",
        reference=5,
        prompts_first=50,
        prompts_most=100,
        positions="all",
        floor=0.02,
        confidence=0.99,
        seed=7,
        bos=True,
        processing="fold",
        members="knockout",
        vary=(
            ("ablate", "mean by template"),
            ("ablate", "resample"),
            ("metric", "accuracy"),
            ("members", "minimality"),
        ),
    )
    assert circuit("method { prompts 80 }  role a at END { 9.6 }").method.prompts_most == 80


def test_reference_is_a_setting_and_may_be_a_name():
    named = circuit("method { ablate mean reference 30 }  role reference at END { 9.6 }  edge reference -> logits")
    assert (named.method.reference, named.roles[0].name) == (30, "reference")


@pytest.mark.parametrize(
    ("written", "reference"),
    [
        ("colored_objects", TaskRef("colored_objects")),
        ("colored_objects(shots: 0)", TaskRef("colored_objects", (("shots", 0),))),
        ('file("my.jsonl")', TaskRef("file", (("", "my.jsonl"),), "specs")),
        ('file("a \\"b\\".jsonl", x: 0.5, y: word)',
         TaskRef("file", (("", 'a "b".jsonl'), ("x", 0.5), ("y", "word")), "specs")),
    ],
)  # fmt: skip
def test_tasks_keep_their_arguments_and_one_that_may_name_a_file_its_folder(written: str, reference: TaskRef):
    """A task that names none is the same task wherever it is written, so that its prompts are measured once."""
    made = circuit("role a at END { 9.6 }", task=written)
    assert made.task == reference
    assert made.task_info == TASKS["ioi" if reference.name == "file" else "colored_objects"]


# --- compare and intervention ----------------------------------------------------------------------

TWO = """
circuit a { model gpt2 task ioi role mover at END { 9.6 } role other at END { 9.9 } }
circuit b { model gpt2 task colored_objects role mover at END { 9.6 } }
"""


def test_a_comparison_claims_about_two_circuits():
    (made,) = document(
        TWO + "compare a with b {\n  align mover ~ mover\n  expect overlap(heads) > chance\n  expect "
        "overlap(mover ~ mover) >= 60%  expect transfer(b -> a) >= 50%\n  expect dissociation(b, a) > 0\n}\n"
    ).comparisons
    assert isinstance(made, Comparison)
    assert (made.left, made.right, made.align, made.line) == ("a", "b", (("mover", "mover"),), 4)
    assert [(claim.id, claim.term.arguments) for claim in made.claims] == [
        ("a~b:expect overlap(heads)", (("elements", Elements("heads")),)),
        ("a~b:expect overlap(mover ~ mover)", (("elements", Elements("pair", ("mover", "mover"))),)),
        ("a~b:expect transfer(b -> a)", (("direction", Circuits("b", "a")),)),
        ("a~b:expect dissociation(b, a)", (("circuits", Circuits("b", "a")),)),
    ]
    assert made.claims[0].bound == Control("chance")


def test_an_intervention_acts_and_claims():
    (made,) = document(
        TWO + "intervention i on b {\n  attend { 9.6 9.9 } from END-1 to DISTRACTORS evenly\n  ablate mover\n"
        "  ablate mlp 3 at END mean by template\n  patch 1.1 at END from other_query\n  scale 2.2 by -0.5\n"
        "  freeze 3.3 at END\n  expect accuracy - baseline >= 30%\n  expect accuracy >= 90%\n}\n"
    ).interventions
    assert isinstance(made, Intervention)
    before = Position("END", -1)
    assert made.actions == (
        Attend(
            nodes("9.6", "9.9", at=before),
            (Target(Position("DISTRACTORS")),),
            text="attend { 9.6 9.9 } from END-1 to DISTRACTORS evenly",
        ),
        Ablate(nodes("9.6"), text="ablate mover"),
        Ablate((Node(Mlp(3), END),), "mean by template", text="ablate mlp 3 at END mean by template"),
        Patch(nodes("1.1"), "other_query", text="patch 1.1 at END from other_query"),
        Scale(nodes("2.2", at=ALL), -0.5, text="scale 2.2 by -0.5"),
        Freeze(nodes("3.3"), text="freeze 3.3 at END"),
    )
    assert [(claim.id, claim.term.minus_baseline) for claim in made.claims] == [
        ("i:expect accuracy - baseline", True),
        ("i:expect accuracy", False),
    ]


def attending(targets: str) -> Attend:
    (made,) = document(
        TWO + f"intervention i on a {{ attend 9.6 at END from END to {targets} expect accuracy <= 9% }}"
    ).interventions
    (action,) = made.actions
    assert isinstance(action, Attend)
    return action


def test_attention_is_shared_among_positions():
    made = attending("IO by 70 %, S1+1 by 0.3")
    assert made.text == "attend 9.6 at END from END to IO by 70%, S1+1 by 0.3"
    assert made.nodes == nodes("9.6")
    assert made.targets == (Target(Position("IO"), 0.7), Target(Position("S1", 1), 0.3))


@pytest.mark.parametrize("whole", ["by 100%", "by 1", "by 99.9%", "by 1e2%"])
def test_evenly_is_the_whole_share(whole: str):
    assert attending(f"IO {whole}").targets == attending("IO evenly").targets == (Target(Position("IO"), 1.0),)


def test_shares_that_are_rounded_are_scaled_to_a_whole():
    shares = [target.share for target in attending("IO by 33.3%, S1 by 33.3%, S2 by 33.3%").targets]
    assert shares == pytest.approx([1 / 3] * 3, abs=1e-12)


def test_comparisons_and_interventions_say_what_they_are_about_and_where_it_is_from():
    made = document(
        TWO + 'compare a with b { cite "one" about "shared" expect overlap(heads) > chance cite "two" }\n'
        'intervention i on b { cite "three" ablate mover about "broken" expect accuracy <= 9% cite "four" }\n'
        "intervention j on b { ablate mover expect accuracy <= 9% }\n"
    )
    blocks = (*made.comparisons, *made.interventions)
    assert [(block.about, block.cites) for block in blocks] == [
        ("shared", ("one", "two")),
        ("broken", ("three", "four")),
        ("", ()),
    ]
    assert [len(done.actions) for done in made.interventions] == [1, 1]


# --- documents -------------------------------------------------------------------------------------


def test_identifiers_differ_throughout_a_document():
    made = document(
        TWO + "compare a with b { expect overlap(heads) > chance expect overlap(nodes) > chance }\n"
        "intervention i on a { ablate mover expect accuracy >= 9% expect accuracy >= 8% }\n"
    )
    blocks = (*made.circuits, *made.comparisons, *made.interventions)
    ids = [claim.id for block in blocks for claim in block.claims]
    assert len(ids) == len(set(ids)) == 7


def test_what_is_used_is_known_and_not_checked(tmp_path):
    (tmp_path / "b.circuit").write_text("circuit b { model gpt2 task ioi role mover at END { 9.6 } }\n")
    text = (
        'use "b.circuit"\ncircuit a { model gpt2 task ioi role mover at END { 9.6 } }\n'
        "compare a with b { expect overlap(heads) > chance }\n"
    )
    made = resolve_text(text, str(tmp_path / "a.circuit"), ENVIRONMENT)
    assert [circuit.name for circuit in made.circuits] == ["a"]
    assert [(circuit.name, circuit.file) for circuit in made.used] == [("b", str(tmp_path / "b.circuit"))]
    assert made.circuit("b") is made.used[0]


def test_nothing_else_is_wrong_with_a_circuit_of_an_unknown_model_or_task():
    with pytest.raises(SpecError) as error:
        document("circuit a { model gpt9 task ioy role mover at XX { 99.99 mlp 44 } edge mover -> logits }")
    assert [diagnostic.code for diagnostic in error.value.diagnostics] == ["C201", "C202"]
