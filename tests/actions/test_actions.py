"""Each action: what it takes outputs from, how it is read and spelled, and what it writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from circuitdsl.actions import (
    Ablate,
    Action,
    Attend,
    ByAblation,
    ByCleanRun,
    ByCounterfactual,
    Freeze,
    Patch,
    Scale,
    Swap,
    SwapAttention,
    Target,
    actions,
)
from circuitdsl.actions.attend import WHOLE
from circuitdsl.actions.scale import LARGEST
from circuitdsl.components import ALL, END, Geometry, Head, Mlp, Node, Position
from circuitdsl.language import tree as t
from circuitdsl.measures.measurement import CannotMeasure

S1, S2 = Position("S1"), Position("S2")
HEAD, MLP = Node(Head(0, 1), END), Node(Mlp(0), END)
BOTH = (HEAD, MLP)
AT_S1 = (Node(Head(0, 1), S1), Node(Mlp(0), S1))


# --- what they are ---------------------------------------------------------------------------------


def test_actions_are_found_by_the_word_that_each_begins_with():
    assert dict(actions()) == {
        "ablate": Ablate,
        "attend": Attend,
        "freeze": Freeze,
        "patch": Patch,
        "scale": Scale,
        "swap": Swap,
        "swap_attention": SwapAttention,
    }


def test_what_an_action_takes():
    assert Ablate(BOTH).takes == ByAblation(None)
    assert Ablate(BOTH, "mean").takes == ByAblation("mean")
    assert Patch(BOTH, "abc").takes == ByCounterfactual("abc")
    assert Freeze(BOTH).takes == ByCleanRun()
    assert Scale(BOTH, 2.0).takes is None
    assert Attend((HEAD,), (Target(S1),)).takes is None


def test_only_attending_sets_patterns_and_has_keys():
    assert [word for word, action in actions().items() if action.of_pattern] == [
        "attend",
        "swap_attention",
    ]
    assert Attend((HEAD,), (Target(S1, 0.4), Target(S2, 0.6))).keys == (S1, S2)
    assert Scale(BOTH, 2.0).keys == Freeze(BOTH).keys == ()


def test_importing_them_loads_no_torch():
    script = "import sys, circuitdsl.actions as a; assert a.actions(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


# --- how they are read and spelled -----------------------------------------------------------------


@dataclass
class Reading:
    """Every name means what it says; what is reported is kept."""

    found: tuple[Node, ...] | None = BOTH
    reported: list[tuple[str, str]] = field(default_factory=list)

    def nodes(self, group: Any) -> tuple[Node, ...] | None:
        return self.found

    def position(self, place: t.Place) -> Position | None:
        return None if place.name == "nowhere" else Position(place.name, place.offset)

    def counterfactual(self, name: t.Name) -> str | None:
        return None if name.text == "unheard_of" else name.text

    def is_many(self, position: Position) -> bool:
        return position.name in ("many", "all")

    def report(self, code: str, message: str, span: Any, remedy: str = "", *notes: str) -> None:
        self.reported.append((code, remedy))

    def unknown(self, code: str, message: str, part: Any, known: Iterable[str], what: str) -> None:
        self.reported.append((code, ", ".join(known)))


GROUP = t.Group((t.Name("mover"),))


def read(kind: type[Action], *parts: t.Piece, found: tuple[Node, ...] | None = BOTH) -> tuple[Action | None, list[Any]]:
    """The action that is written so, and what is reported of it."""
    reading = Reading(found)
    return kind.read(t.Action(kind.word, GROUP, parts), reading, "as written"), reading.reported


def to(name: str, share: str) -> t.Target:
    return t.Target(t.Place(name), t.Number(share))


RIGHT = [
    (Ablate, (), Ablate(BOTH, text="as written"), ""),
    (
        Ablate,
        (t.Words(("mean", "by", "template")),),
        Ablate(BOTH, "mean by template", text="as written"),
        "mean by template",
    ),
    (Patch, (t.Name("abc"),), Patch(BOTH, "abc", text="as written"), "from abc"),
    (Scale, (t.Number("-50%"),), Scale(BOTH, -0.5, text="as written"), "by -50%"),
    (Freeze, (), Freeze(BOTH, text="as written"), None),
    (Swap, (t.Place("S1"),), Swap((*BOTH, *AT_S1), (END, S1), text="as written"), "with S1"),
]


@pytest.mark.parametrize(("kind", "parts", "made", "rest"), RIGHT, ids=lambda value: getattr(value, "word", ""))
def test_what_is_written_is_read_and_spelled(
    kind: type[Action], parts: tuple[t.Piece, ...], made: Action, rest: str | None
):
    assert read(kind, *parts) == (made, [])
    assert kind.spelled(parts, lambda part: getattr(part, "text", None) or part.name) == rest


@pytest.mark.parametrize("kind", [Ablate, Patch, Scale, Freeze, Swap])
def test_without_nodes_there_is_no_action(kind: type[Action]):
    parts = {Patch: (t.Name("abc"),), Scale: (t.Number("2"),), Swap: (t.Place("S1"),)}.get(kind, ())
    assert read(kind, *parts, found=None) == (None, [])


SINGLE = "name a position of one token"
SWAPPED = "say where after the nodes: `swap pos_embed at C1 with C3`"


@pytest.mark.parametrize(
    ("kind", "parts", "reported"),
    [
        (Ablate, (t.Words(("nothing",)),), [("C213", "zero, mean, mean by template, resample, counterfactual")]),
        (Patch, (t.Name("unheard_of"),), []),
        (Scale, (t.Number("1e7"),), [("C105", "write it smaller")]),
        (Scale, (t.Number("-1e9"),), [("C105", "write it smaller")]),
        (Swap, (t.Place("nowhere"),), []),
        (Swap, (t.Place("END"),), [("C609", SWAPPED)]),
        (Swap, (t.Place("many"),), [("C609", SINGLE)]),
        (Swap, (t.Place("all"),), [("C609", SINGLE)]),
    ],
)
def test_what_cannot_be_done(kind: type[Action], parts: tuple[t.Piece, ...], reported: list[tuple[str, str]]):
    assert read(kind, *parts) == (None, reported)


EXCHANGED = "say where after the nodes: `swap_attention 0.1 at C1 with C3 to BOS`"


@pytest.mark.parametrize(
    ("places", "found", "reported"),
    [
        (("S1", "S2"), BOTH, [("C517", "name heads only")]),
        (("S1", "many"), (HEAD,), [("C609", SINGLE)]),
        (("many", "S1"), (HEAD,), [("C609", SINGLE)]),
        (("END", "S1"), (HEAD,), [("C609", EXCHANGED)]),
        (("S1", "nowhere"), (HEAD,), []),
        (("S1", "S2"), None, []),
    ],
)
def test_attention_that_cannot_be_swapped(
    places: tuple[str, str], found: tuple[Node, ...] | None, reported: list[tuple[str, str]]
):
    assert read(SwapAttention, *map(t.Place, places), found=found) == (None, reported)


def test_heads_swap_what_they_attend_to_at_both_positions():
    heads = (HEAD, Node(Head(0, 1), S1))
    wanted = SwapAttention(heads, (END, S1), S2, text="as written")
    assert read(SwapAttention, t.Place("S1"), t.Place("S2"), found=(HEAD,)) == (wanted, [])
    assert wanted.keys == (S2,)
    assert SwapAttention.spelled((t.Place("S1"), t.Place("S2")), lambda part: part.name) == "with S1 to S2"


@pytest.mark.parametrize("places", [(ALL,), (S1, END)], ids=["everywhere", "two places"])
def test_what_is_swapped_stands_at_one_position(places: tuple[Position, ...]):
    found = tuple(Node(Head(0, 1), place) for place in places)
    assert read(Swap, t.Place("S2"), found=found) == (None, [("C609", SWAPPED)])


def test_what_stands_at_several_tokens_is_not_swapped():
    found = (Node(Head(0, 1), Position("many")),)
    assert read(Swap, t.Place("S2"), found=found) == (None, [("C609", SINGLE)])


def test_the_largest_factor_is_allowed():
    assert read(Scale, t.Number(f"{LARGEST:g}"))[0] == Scale(BOTH, LARGEST, text="as written")


# --- attend ----------------------------------------------------------------------------------------


def attend(*targets: t.Target, found: tuple[Node, ...] = (HEAD,)) -> tuple[Action | None, list[Any]]:
    return read(Attend, t.Place("S2"), *targets, found=found)


def test_attention_goes_from_the_query_to_its_targets():
    made, reported = attend(to("S1", "70%"), to("IO", "0.3"))
    assert made == Attend((Node(Head(0, 1), S2),), (Target(S1, 0.7), Target(Position("IO"), 0.3)), text="as written")
    assert reported == []


def test_attention_is_spelled_with_its_shares_unless_one_has_all():
    def spelled(*targets: t.Target) -> str:
        return Attend.spelled((t.Place("S2"), *targets), lambda part: getattr(part, "text", None) or part.name)

    assert spelled(to("S1", WHOLE)) == "from S2 to S1 evenly"
    assert spelled(to("S1", "99.9%")) == "from S2 to S1 by 99.9%"
    assert spelled(to("S1", "70%"), to("IO", "0.3")) == "from S2 to S1 by 70%, IO by 0.3"


@pytest.mark.parametrize(
    ("targets", "found", "code"),
    [
        ((to("S1", "0"),), (HEAD,), "C606"),
        ((to("S1", "-10%"),), (HEAD,), "C606"),
        ((to("S1", "70"), to("IO", "30%")), (HEAD,), "C606"),
        ((to("S1", "70%"),), (HEAD,), "C607"),
        ((to("S1", "70%"), to("IO", "40%")), (HEAD,), "C607"),
        ((to("S1", "70%"), to("S1", "30%")), (HEAD,), "C608"),
        ((to("S1", WHOLE),), BOTH, "C517"),
    ],
)
def test_attention_that_cannot_be(targets: tuple[t.Target, ...], found: tuple[Node, ...], code: str):
    made, reported = attend(*targets, found=found)
    assert made is None
    assert [found for found, _ in reported] == [code]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6))
def test_shares_add_up_to_one_however_they_are_rounded(parts: list[int]):
    shares = [part / sum(parts) for part in parts]
    made, _ = attend(*(to(f"P{number}", f"{share:.5f}") for number, share in enumerate(shares)))
    assert isinstance(made, Attend)
    assert sum(target.share for target in made.targets) == pytest.approx(1, abs=1e-12)
    assert [target.share for target in made.targets] == pytest.approx(shares, abs=1e-4)
    assert made.keys == tuple(Position(f"P{number}") for number in range(len(parts)))


# --- what they write -------------------------------------------------------------------------------


class Run:
    """Two prompts of three tokens: S1 is the first, S2 the second and third, END the last."""

    geometry = Geometry("small", 1, 2, 2, 4, 2, 8, 10, 16)

    def outputs(self, nodes: Iterable[Node]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for node in nodes:
            name, mask = node.component.output, self.mask(node.position)[..., None]
            found[name] = found[name] | mask if name in found else mask
        return found

    def patterns(self, nodes: Iterable[Node]) -> dict[str, Tensor]:
        assert all(isinstance(node.component, Head) for node in nodes)
        return {"pattern": torch.ones(2, 2, 3, 1, dtype=torch.bool)}

    def mask(self, position: Position) -> Tensor:
        first, last = [True, False, False], [False, False, True]
        tokens = {"S1": first, "MIDDLE": [False, True, False], "S2": [False, True, True], "END": last}
        return torch.tensor([tokens[position.name]] * 2)

    def taken(self, names: Iterable[str]) -> dict[str, Tensor]:
        return {name: torch.full((2, 3, 4), 7.0) for name in names}

    def require_causal(self, query: Position, key: Position) -> None:
        if (query, key) == (S1, S2):
            self.refuse("later")

    def refuse(self, reason: str) -> NoReturn:
        raise CannotMeasure(reason)


def written(action: Action) -> dict[str, Tensor]:
    """What passes each hook point after the action, of 1, 2, 3, ... before it."""
    before = torch.arange(1.0, 25.0).reshape(2, 3, 4)
    return {write.hook_point: torch.where(write.mask, write.new(before), before) for write in action.writes(Run())}


@pytest.mark.parametrize("action", [Ablate(BOTH), Patch(BOTH, "abc"), Freeze(BOTH)], ids=lambda action: action.word)
def test_outputs_become_what_the_action_takes(action: Action):
    done = written(action)
    assert set(done) == {HEAD.component.output, MLP.component.output}
    for values in done.values():
        assert (values[:, 2] == 7).all()
        assert (values[:, :2] == torch.arange(1.0, 25.0).reshape(2, 3, 4)[:, :2]).all()


def test_outputs_are_scaled_where_the_nodes_stand():
    (values,) = written(Scale((MLP,), -0.5)).values()
    assert values[0].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [-4.5, -5, -5.5, -6]]


def test_outputs_change_places():
    (values,) = written(Swap((MLP, Node(Mlp(0), S1)), (END, S1))).values()
    assert values[0].tolist() == [[9, 10, 11, 12], [5, 6, 7, 8], [1, 2, 3, 4]]
    assert values[1].tolist() == [[21, 22, 23, 24], [17, 18, 19, 20], [13, 14, 15, 16]]


def test_a_position_of_two_tokens_is_not_swapped():
    with pytest.raises(CannotMeasure, match="S2 is not one on every prompt"):
        written(Swap((MLP, Node(Mlp(0), S2)), (END, S2)))


def swapping(other: Position, key: Position) -> SwapAttention:
    return SwapAttention((HEAD, Node(Head(0, 1), other)), (END, other), key)


def test_shares_of_attention_change_places_and_rows_add_up_to_one():
    (write,) = swapping(Position("MIDDLE"), S1).writes(Run())
    patterns = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.6, 0.2]]).expand(2, 2, 3, 3)
    new = write.new(patterns)
    assert torch.allclose(new[1, 1], torch.tensor([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0], [0.5, 0.375, 0.125]]))
    assert torch.allclose(new.sum(-1), torch.ones(2, 2, 3))
    assert torch.allclose(write.new(new), patterns)


def test_a_first_token_has_nothing_to_swap():
    with pytest.raises(CannotMeasure, match="S1 is the first token of a prompt, which attends to itself alone"):
        swapping(S1, S1).writes(Run())


def test_attention_to_a_later_token_is_not_swapped():
    with pytest.raises(CannotMeasure, match="later"):
        swapping(S1, S2).writes(Run())


def test_rows_of_attention_become_the_shares_spread_over_tokens():
    (write,) = Attend((HEAD,), (Target(S1, 0.4), Target(S2, 0.6))).writes(Run())
    row = write.new(torch.zeros(2, 2, 3, 3))
    assert row.shape == (2, 1, 1, 3)
    assert torch.allclose(row, torch.tensor([0.4, 0.3, 0.3]).expand(2, 1, 1, 3))


def test_a_token_of_two_targets_has_the_sum():
    (write,) = Attend((HEAD,), (Target(S2, 0.5), Target(END, 0.5))).writes(Run())
    assert torch.allclose(write.new(torch.zeros(2, 2, 3, 3)), torch.tensor([0.0, 0.25, 0.75]).expand(2, 1, 1, 3))


def test_attention_to_what_comes_later_or_to_nothing_is_refused():
    with pytest.raises(CannotMeasure, match="later"):
        Attend((Node(Head(0, 1), S1),), (Target(S2),)).writes(Run())
    with pytest.raises(CannotMeasure, match="`attend x` does not say what to attend to"):
        Attend((HEAD,), (), text="attend x").writes(Run())
