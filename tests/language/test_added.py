"""An installed package adds a kind of component and an action: they are as much of the language as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest
from added import Attention, Negate
from language_environment import ENVIRONMENT

from circuitdsl import plugins
from circuitdsl.actions import Freeze, actions
from circuitdsl.components import ALL, END, Head, Mlp, Node, kinds
from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Circuit, Document, Path
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.format import format_source
from circuitdsl.language.grammar import grammar
from circuitdsl.language.resolve import resolve_text

CACHES = (kinds, actions, grammar)
Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs classes of the module ``added``: ``install(components="Attention", actions="Negate")``."""

    def install(**classes: str) -> None:
        def installed(group: str) -> dict[str, EntryPoint]:
            name = classes.get(group)
            added = {name: EntryPoint(name, f"added:{name}", f"circuitdsl.{group}")} if name else {}
            return {**plugins.installed(group), **added}

        for group in ("components", "actions"):
            monkeypatch.setattr(f"circuitdsl.{group}.registry.installed", installed)
        for cached in CACHES:
            cached.cache_clear()

    yield install
    monkeypatch.undo()
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def added(install: Install) -> None:
    install(components="Attention", actions="Negate")


usual = pytest.mark.usefixtures("added")


def document(text: str) -> Document:
    return resolve_text(text, "text.circuit", ENVIRONMENT)


def circuit(statements: str) -> Circuit:
    return document(f"circuit a {{ model gpt2 task ioi role late at END {{ attn 3 9.6 }} {statements} }}").circuits[0]


def said(text: str) -> tuple[list[str], str]:
    """The codes of what is wrong with a text, and all of it as a person reads it."""
    with pytest.raises(SpecError) as error:
        document(text)
    return [diagnostic.code for diagnostic in error.value.diagnostics], error.value.render()


HEAD = "circuit a {\n  model gpt2\n  task  ioi\n"
FORMATTED = (
    HEAD + "  role late at END { attn 3  9.6 }\n"
    "  edge attn 3                -> late.q\n"
    "  edge { 0.1 attn 2 } at END -> attn 3 at END : raises\n"
    "}\n\n"
    "intervention i on a {\n"
    "  negate { attn 3 9.6 } at END\n"
    "  freeze attn 4 at END\n"
    "  expect accuracy <= 9%\n"
    "}\n"
)


@usual
def test_they_are_formatted():
    assert format_source(FORMATTED) == FORMATTED
    assert format_source(" ".join(FORMATTED.split())) == FORMATTED


@usual
def test_a_kind_is_resolved():
    made = circuit("")
    assert made.roles[0].nodes == (Node(Attention(3), END), Node(Head(9, 6), END))
    assert [claim.id for claim in made.claims] == ["a:member attn 3 at END", "a:member 9.6 at END"]


@usual
def test_a_kind_sends_and_receives():
    made = circuit("edge attn 3 -> 9.6.q edge mlp 2 at END -> attn 3 no edge attn 3 -> logits")
    paths = [dict(claim.term.arguments).get("path") for claim in made.claims if claim.kind != "member"]
    ends = []
    for path in paths:
        assert isinstance(path, Path)
        ends.append((path.senders.nodes, getattr(path.receivers, "nodes", ()), getattr(path.receivers, "inputs", "")))
    assert ends == [
        ((Node(Attention(3), END),), (Node(Head(9, 6), END),), "q"),
        ((Node(Mlp(2), END),), (Node(Attention(3), END),), ""),
        ((Node(Attention(3), END),), (), ""),
    ]


@usual
def test_an_action_is_resolved():
    (made,) = document(
        "circuit a { model gpt2 task ioi role late at END { 9.6 } }\n"
        "intervention i on a { negate { attn 3 late } freeze mlp 1 expect accuracy <= 9% }"
    ).interventions
    assert made.actions == (
        Negate((Node(Attention(3), ALL), Node(Head(9, 6), END)), text="negate { attn 3 late }"),
        Freeze((Node(Mlp(1), ALL),), text="freeze mlp 1"),
    )


@usual
@pytest.mark.parametrize(
    ("statement", "code", "part"),
    [
        ("role x { attn 12 }", "C301", "gpt2 has no layer 12"),
        ("role x { attn 9999999999 }", "C105", "a number with so many digits is a slip"),
        ("role x { attn }", "C101", "expected a layer"),
        ("role attn { 9.6 }", "C101", "`attn` is a word of the language and cannot be a name"),
        ("role x { atn 3 }", "C101", "did you mean `attn`?"),
        ("role x { % }", "C101", "expected a head such as `9.6`, `mlp`, `embed`, `attn 3`,"),
        ("edge attn 3 at END -> 2.1.q at END", "C305", "head 2.1 reads what layers below 2 have written"),
        ("edge 3.1 at END -> attn 3 at END", "C305", "attn 3 reads what stands in the residual stream before it"),
        ("edge 1.1 at END -> attn 3.q at END", "C510", "`attn 3` has a single input, which is not named"),
        ("role x { attn 3 attn 3 }", "C210", "`attn 3` stands twice in role x"),
    ],
)
def test_a_wrong_kind_is_reported(statement: str, code: str, part: str):
    codes, text = said(HEAD + f"  {statement}\n  expect accuracy >= 9%\n}}\n")
    assert codes == [code]
    assert part in text


@usual
@pytest.mark.parametrize(
    ("statement", "code", "part"),
    [
        ("negate 12.6 at END", "C301", "gpt2 has no layer 12"),
        ("negate 9.6 at END\n  negate 9.6 at END", "C605", "`9.6 at END` is already changed by another action"),
        ("negat 9.6", "C101", "did you mean `negate`?"),
        (
            "",
            "C604",
            "add an action: `attend`, `ablate`, `patch`, `scale`, `freeze`, `swap`, `swap_attention` or `negate`",
        ),
        (
            "nothing",
            "C101",
            "(about, cite, expect, ablate, attend, patch, scale, freeze, swap, swap_attention, negate)",
        ),
    ],
)
def test_a_wrong_action_is_reported(statement: str, code: str, part: str):
    block = f"intervention i on a {{\n  {statement}\n  expect accuracy <= 9%\n}}\n"
    codes, text = said(f"{HEAD}  role late at END {{ 9.6 }}\n}}\n{block}")
    assert codes == [code]
    assert part in text


@usual
def test_a_word_inside_a_name_reserves_nothing():
    names = circuit("role attn_late { 8.1 } role negated { 8.2 }").roles
    assert [role.name for role in names] == ["late", "attn_late", "negated"]


@usual
def test_after_an_error_reading_goes_on_at_an_added_action():
    codes, _ = said(
        f"{HEAD}  role late at END {{ 9.6 }}\n}}\n"
        "intervention i on a {\n  patch 9.6 from\n  negate 77.6\n  expect accuracy <= 9%\n}\n"
    )
    assert codes == ["C106", "C301"]


def test_without_the_package_its_words_are_names():
    made = document("circuit a { model gpt2 task ioi role attn { 9.6 } role negate { 9.7 } }").circuits[0]
    assert [role.name for role in made.roles] == ["attn", "negate"]


def test_the_grammar_spells_all_that_is_registered_and_no_more():
    assert grammar().actions == ("attend", "ablate", "patch", "scale", "freeze", "swap", "swap_attention")
    assert grammar().components == ("HEAD", "mlp", "neuron", "resid", "embed", "pos_embed", "FEATURE", "ERROR_TERM")
    assert set(grammar().components) == set(kinds())
    assert set(grammar().actions) == set(actions())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Clumsy", "the grammar that installed packages add to the language does not fit"),
        ("Unspelled", "the grammar and the registry differ in the component `attn`"),
        ("Misnamed", "the grammar and the registry differ in the component `att"),
    ],
)
def test_a_package_that_does_not_fit_is_named(install: Install, name: str, message: str):
    install(components=name)
    with pytest.raises(InputError, match=message) as error:
        format_source("")
    assert error.value.remedy.startswith("uninstall the package")
