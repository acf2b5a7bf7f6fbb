"""Any draft's text parses, is what the formatter gives, and states its claims in their order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl.components import Component, Head, Mlp, Node, Position
from circuitdsl.draft.asked import read_draft
from circuitdsl.draft.lines import Line
from circuitdsl.draft.writing import Body, Heading, circuit_name, written
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.format import format_source
from circuitdsl.language.grammar import is_name
from circuitdsl.language.parse import parse
from circuitdsl.language.source import Source
from circuitdsl.language.statements import RESERVED
from circuitdsl.language.tree import Circuit, Edge, Expect
from circuitdsl.outcome.draft import DraftRole, Into, Refused

ANY = st.text(max_size=40)
NAMES = st.from_regex(r"[a-z_][a-zA-Z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: is_name(name) and name not in RESERVED
)
HEADS = st.builds(Head, st.integers(0, 30), st.integers(0, 30))
COMPONENTS: st.SearchStrategy[Component] = st.one_of(HEADS, st.builds(Mlp, st.integers(0, 30)))
PLACES = st.builds(Position, NAMES, st.integers(-3, 6))
SHARES = st.integers(-200, 200).map(lambda share: f"{share}%")


@st.composite
def edges(draw: st.DrawFn) -> Line:
    sender = draw(st.one_of(NAMES, st.builds(Node, COMPONENTS, PLACES).map(str)))
    receiver = draw(
        st.one_of(st.just("logits"), st.builds(lambda n, i: f"{n}{i}", NAMES, st.sampled_from([".q", ".kv", ""])))
    )
    judgement = draw(st.one_of(st.sampled_from(["raises", "lowers"]), SHARES.map(lambda share: f"<= {share}")))
    return Line(f"edge {sender} -> {receiver} : {judgement}", draw(ANY))


@st.composite
def expects(draw: st.DrawFn) -> Line:
    return Line(f"expect attention({draw(NAMES)}, {draw(PLACES)} -> {draw(PLACES)}) >= {draw(SHARES)}", draw(ANY))


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    roles = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        place = draw(PLACES)
        nodes = tuple(Node(each, place) for each in draw(st.lists(COMPONENTS, min_size=1, max_size=40)))
        role = DraftRole(name, nodes, draw(st.integers(1, 9)), tuple(draw(st.lists(ANY, max_size=2))))
        roles.append((role, draw(st.lists(expects(), max_size=2))))
    into = st.builds(Into, NAMES, st.sampled_from("qkv"), PLACES)
    refused = st.builds(
        Refused, edges().map(lambda e: e.text), st.sampled_from(Verdict), st.just(Estimate(0.1, 0.0, 0.2))
    )
    return Body(
        roles=roles,
        edges=draw(st.dictionaries(into, st.lists(edges(), max_size=3), max_size=3)),
        whole=draw(st.lists(expects(), max_size=2)),
        refused=draw(st.lists(refused, max_size=2)),
    )


MODELS = ANY.filter(lambda name: name.strip() and not set("\r\n") & set(name))
"""No specification can name a folder with a line end in its name: ``read_sweep`` refuses it."""

HEADINGS = st.builds(
    Heading,
    name=ANY.map(circuit_name),
    about=ANY,
    model=st.one_of(
        st.sampled_from(["mini", "org/model-1", "./a folder", "role"]),
        MODELS,
    ),
    task=st.just("ioi"),
    settings=st.just({"seed": "3", "prompts": "100", "members": "none"}),
    remarks=st.lists(ANY, max_size=3).map(tuple),
)


@settings(max_examples=40)
@given(HEADINGS, bodies())
def test_any_draft_parses_is_formatted_and_states_its_claims_in_order(heading: Heading, body: Body):
    text = written(heading, body)
    assert format_source(text) == text
    (circuit,) = parse(Source("draft", text)).blocks
    assert isinstance(circuit, Circuit) and circuit.name.text == heading.name
    stated = [each for each in circuit.body if isinstance(each, Edge | Expect)]
    kinds = {Edge: "edge", Expect: "expect"}
    assert [kinds[type(each)] for each in stated] == [line.text.split()[0] for line in body.lines()]


@given(ANY)
def test_any_text_makes_a_name_of_a_circuit(text: str):
    assert is_name(circuit_name(text)) and circuit_name(text) not in RESERVED


def test_settings_that_are_not_usual_stand_in_the_method():
    written = {"floor": "2%", "seed": "3", "confidence": "95%", "bos": "yes"}
    asked = read_draft("ioi", "mini", None, None, 8, True, ("s2_io",), None, written, cd.environment())
    assert asked.settings == {
        "floor": "2%",
        "seed": "3",
        "against": "s2_io",
        "bos": "yes",
        "prompts": "200",
        "members": "none",
    }
    assert asked.finding.method.seed != 3 and asked.circuit.method.seed == 3
