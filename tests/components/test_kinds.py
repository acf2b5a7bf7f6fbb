"""Each kind of component: how it is spelled, which a model has, when it is computed, where it is read and replaced."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitdsl.components import (
    ALL,
    END,
    Absent,
    Component,
    Dictionary,
    Embed,
    ErrorTerm,
    Feature,
    Geometry,
    Head,
    Mlp,
    Neuron,
    Node,
    PosEmbed,
    Position,
    Residual,
    all_heads,
    all_mlps,
    can_carry,
    kinds,
)

GPT2 = Geometry("gpt2", 12, 12, 12, 768, 64, 3072, 50257, 1024)
ATTENTION_ONLY = Geometry("attn-only", 2, 8, 8, 512, 64, 0, 48262, 1024)
GROUPED = Geometry("grouped", 2, 6, 2, 48, 8, 96, 100, 64)

geometries = st.builds(
    lambda layers, groups, size, mlp: Geometry("m", layers, groups * size, groups, 8, 4, mlp, 100, 64),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from((0, 16)),
)


# --- spelling --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "numbers", "text"),
    [
        ("HEAD", (9, 6), "9.6"),
        ("HEAD", (9, None), "9.*"),
        ("mlp", (5, None), "mlp 5"),
        ("mlp", (0, 3), "mlp 0 .. 3"),
        ("neuron", (5, 123), "neuron 5.123"),
        ("neuron", (5, None), "neuron 5.*"),
        ("resid", (5,), "resid 5"),
        ("FEATURE", (57,), ".57"),
        ("FEATURE", (None,), ".*"),
        ("ERROR_TERM", (), ".error"),
        ("embed", (), "embed"),
        ("pos_embed", (), "pos_embed"),
    ],
)
def test_a_kind_is_spelled_as_specifications_write_it(rule: str, numbers: tuple[int | None, ...], text: str):
    assert kinds()[rule].spelled(numbers) == text


@pytest.mark.parametrize("component", [Head(9, 6), Mlp(5), Neuron(5, 123), Residual(5), Embed(), PosEmbed()], ids=str)
def test_a_component_is_called_as_its_kind_spells_it(component: Component):
    written = {"HEAD": (9, 6), "mlp": (5, None), "neuron": (5, 123), "resid": (5,)}
    numbers = written.get(component.rule, ())
    assert str(component) == component.spelled(numbers)
    assert component.members(numbers, GPT2) == (component,)


def test_parts_of_a_dictionary_are_called_after_it():
    dictionary = Dictionary("attn_out", 1, 256, "0f" * 32, name="a1")
    assert str(Feature(dictionary, 57)) == "a1" + Feature.spelled((57,))
    assert Feature.of(dictionary, (57,)) == (Feature(dictionary, 57),)
    assert len(Feature.of(dictionary, (None,))) == 256 and ErrorTerm.of(dictionary, ()) == (ErrorTerm(dictionary),)
    assert str(ErrorTerm(dictionary)) == "a1" + ErrorTerm.spelled(())
    with pytest.raises(LookupError, match="part of a dictionary"):
        Feature.members((57,), GPT2)
    with pytest.raises(Absent, match="no feature 256") as absent:
        Feature.of(dictionary, (256,))
    assert (absent.value.code, absent.value.remedy) == ("C306", "it has 256: a1.0 to a1.255")


def test_kinds_are_found_by_the_rules_that_spell_them():
    inside = {"HEAD": Head, "mlp": Mlp, "neuron": Neuron, "resid": Residual}
    parts = {"FEATURE": Feature, "ERROR_TERM": ErrorTerm}
    assert dict(kinds()) == inside | parts | {"embed": Embed, "pos_embed": PosEmbed}


def test_nodes_and_positions_are_called_as_they_are_written():
    assert str(Node(Mlp(5), Position("S1", 1))) == "mlp 5 at S1+1"
    assert str(Position("END", -2)) == "END-2"
    assert (str(ALL), str(END)) == ("all", "END")


# --- members ---------------------------------------------------------------------------------------


@given(geometries)
def test_a_star_stands_for_all_heads_of_a_layer(geometry: Geometry):
    layers = [Head.members((layer, None), geometry) for layer in range(geometry.n_layers)]
    assert tuple(head for layer in layers for head in layer) == all_heads(geometry)
    assert all(Head.members((head.layer, head.index), geometry) == (head,) for head in all_heads(geometry))
    assert list(all_heads(geometry)) == sorted(set(all_heads(geometry)))


@given(geometries, st.data())
def test_a_range_stands_for_each_of_its_mlps(geometry: Geometry, data: st.DataObject):
    first = data.draw(st.integers(0, geometry.n_layers - 1))
    last = data.draw(st.integers(first, geometry.n_layers - 1))
    if geometry.d_mlp:
        assert Mlp.members((first, last), geometry) == all_mlps(geometry)[first : last + 1]
        return
    assert all_mlps(geometry) == ()
    with pytest.raises(Absent, match="attention only"):
        Mlp.members((first, last), geometry)


@pytest.mark.parametrize(
    ("kind", "numbers", "geometry", "code", "message", "remedy"),
    [
        (Head, (12, 0), GPT2, "C301", "gpt2 has no layer 12", "0.0 to 11.11"),
        (Head, (12, None), GPT2, "C301", "gpt2 has no layer 12", "12 layers of 12 heads"),
        (Head, (3, 12), GPT2, "C302", "gpt2 has no head 12 in layer 3", "0.0 to 11.11"),
        (Mlp, (12, None), GPT2, "C301", "gpt2 has no layer 12", "12 layers"),
        (Mlp, (0, 12), GPT2, "C301", "gpt2 has no layer 12", "12 layers"),
        (Mlp, (0, None), ATTENTION_ONLY, "C303", "attn-only has no MLPs: it is attention only", "leave it out"),
        (Neuron, (12, 0), GPT2, "C301", "gpt2 has no layer 12", "12 layers"),
        (Neuron, (3, 3072), GPT2, "C302", "gpt2 has no neuron 3072 in layer 3", "3.0 to 3.3071"),
        (Neuron, (0, None), ATTENTION_ONLY, "C303", "attn-only has no neurons: it is attention only", "leave it out"),
        (Residual, (12,), GPT2, "C301", "gpt2 has no layer 12", "12 layers"),
        (Mlp, (3, 2), GPT2, "C304", "the range `mlp 3 .. 2` ends before it begins", "write `mlp 2 .. 3`"),
        (Mlp, (3, 2), None, "C304", "the range `mlp 3 .. 2` ends before it begins", "write `mlp 2 .. 3`"),
    ],
)
def test_what_a_model_does_not_have(
    kind: type[Component],
    numbers: tuple[int | None, ...],
    geometry: Geometry | None,
    code: str,
    message: str,
    remedy: str,
):
    with pytest.raises(Absent) as absent:
        kind.members(numbers, geometry)
    assert (absent.value.code, absent.value.message, str(absent.value)) == (code, message, message)
    assert remedy in absent.value.remedy


def test_of_an_unknown_model_is_known_what_is_written():
    assert Head.members((99, 98), None) == (Head(99, 98),)
    assert Head.members((99, None), None) == ()
    assert Mlp.members((99, None), None) == (Mlp(99),)
    assert Neuron.members((99, 98), None) == (Neuron(99, 98),)
    assert Neuron.members((99, None), None) == ()
    assert Residual.members((99,), None) == (Residual(99),)
    assert Embed.members((), None) == (Embed(),)


@given(geometries.filter(lambda each: each.d_mlp > 0))
def test_a_star_stands_for_all_neurons_of_a_layer(geometry: Geometry):
    last = geometry.n_layers - 1
    assert Neuron.members((last, None), geometry) == tuple(Neuron(last, i) for i in range(geometry.d_mlp))


# --- order of computation --------------------------------------------------------------------------

SAMPLE: tuple[Component, ...] = (
    *(Embed(), PosEmbed(), Residual(0), Head(0, 0), Head(0, 1), Mlp(0), Neuron(0, 3), Residual(1)),
    *(Head(1, 0), Mlp(1), Neuron(1, 2), Head(2, 1), Residual(2)),
)


def carries(sender: Component, receiver: Component, parallel: bool) -> bool:
    """By the definition of a decoder-only transformer, kind by kind."""
    match sender, receiver:
        case _, Embed() | PosEmbed():
            return False
        case ((Embed() | PosEmbed()), _):
            return True
        case Residual(), Head() | Mlp() | Neuron():
            return sender.layer <= receiver.layer
        case Head(), Mlp() | Neuron():
            return sender.layer < receiver.layer or (sender.layer == receiver.layer and not parallel)
        case _:
            return sender.layer < receiver.layer


@pytest.mark.parametrize("parallel", [False, True], ids=["sequential", "parallel"])
@pytest.mark.parametrize(("sender", "receiver"), list(product(SAMPLE, SAMPLE)), ids=str)
def test_what_can_carry(sender: Component, receiver: Component, parallel: bool):
    assert can_carry(sender, receiver, parallel) == carries(sender, receiver, parallel)


def test_nothing_carries_to_itself_or_in_a_circle():
    for parallel, one, other in product((False, True), SAMPLE, SAMPLE):
        assert not (can_carry(one, other, parallel) and can_carry(other, one, parallel))


def test_a_component_says_what_it_reads():
    assert Head(9, 6).reading == "head 9.6 reads what layers below 9 have written"
    assert Neuron(5, 7).reading == "neuron 5.7 reads what `mlp 5` reads"
    assert Residual(5).reading == "resid 5 is what layers below 5 have written"
    assert Mlp(5).reading == "mlp 5 reads what stands in the residual stream before it"


# --- hook points -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("component", "output"),
    [
        (Head(9, 6), "blocks.9.attn.hook_z"),
        (Mlp(5), "blocks.5.hook_mlp_out"),
        (Neuron(5, 123), "blocks.5.mlp.hook_post"),
        (Residual(5), "blocks.5.hook_resid_pre"),
        (Embed(), "hook_embed"),
        (PosEmbed(), "hook_pos_embed"),
    ],
    ids=str,
)
def test_where_an_output_is_read_and_replaced(component: Component, output: str):
    assert component.output == output


def test_where_inputs_are_read_and_replaced():
    points = {which: Head(9, 6).receives(which) for which in Head.inputs}
    assert points == {which: f"blocks.9.attn.hook_{which}" for which in "qkv"}
    assert Mlp.inputs == ""
    assert Mlp(5).receives("") == "blocks.5.mlp.hook_in"
    assert Head(9, 6).pattern == "blocks.9.attn.hook_pattern"


@pytest.mark.parametrize("embedding", [Embed(), PosEmbed()], ids=str)
def test_an_embedding_has_no_input(embedding: Component):
    assert embedding.inputs == ""
    with pytest.raises(LookupError, match="computed from the tokens alone"):
        embedding.receives("")


def test_heads_have_columns_of_their_own_and_share_those_of_their_group():
    assert [Head(1, index).column("", GROUPED) for index in range(6)] == [(index, 6) for index in range(6)]
    assert [Head(1, index).column("q", GROUPED) for index in range(6)] == [(index, 6) for index in range(6)]
    for which in "kv":
        assert [Head(1, index).column(which, GROUPED) for index in range(6)] == [(index // 3, 2) for index in range(6)]


def test_a_group_is_the_heads_that_share_keys_and_values():
    assert [[head.index for head in Head(1, index).group(GROUPED)] for index in (0, 2, 3, 5)] == [
        [0, 1, 2],
        [0, 1, 2],
        [3, 4, 5],
        [3, 4, 5],
    ]
    assert {head.layer for head in Head(1, 0).group(GROUPED)} == {1}


@given(geometries)
def test_groups_are_the_heads_of_one_column(geometry: Geometry):
    heads = [Head(0, index) for index in range(geometry.n_heads)]
    for head in heads:
        sharing = tuple(each for each in heads if each.column("k", geometry) == head.column("k", geometry))
        assert head.group(geometry) == sharing


@given(geometries, st.sampled_from("qkv"))
def test_every_column_of_an_input_belongs_to_as_many_heads(geometry: Geometry, which: str):
    columns = [Head(0, index).column(which, geometry) for index in range(geometry.n_heads)]
    many = geometry.n_heads if which == "q" else geometry.n_kv_heads
    each = geometry.n_heads // many
    assert columns == [(column, many) for column in range(many) for _ in range(each)]


def test_a_neuron_is_a_number_of_its_own():
    assert [Neuron(1, index).column("", GROUPED) for index in (0, 95)] == [(0, 96), (95, 96)]
    assert {kind.rule for kind in kinds().values() if kind.single} == {"neuron", "FEATURE"}


@pytest.mark.parametrize("component", [Mlp(0), Residual(0), Embed(), PosEmbed()], ids=str)
def test_what_is_no_head_has_a_hook_point_for_itself(component: Component):
    assert component.column("", GROUPED) is None


# --- what the language asks of a kind --------------------------------------------------------------


def test_what_is_inside_layers_matters_and_embeddings_stand_everywhere():
    matter = {"HEAD", "mlp", "neuron", "FEATURE", "ERROR_TERM"}
    assert {kind.rule for kind in kinds().values() if kind.claims_to_matter} == matter
    assert {kind.rule for kind in kinds().values() if kind.everywhere} == {"embed", "pos_embed"}


def test_components_sort_within_their_kind_and_hash_by_value():
    assert sorted([Head(1, 0), Head(0, 11), Head(0, 2)]) == [Head(0, 2), Head(0, 11), Head(1, 0)]
    assert len({Head(1, 0), Head(1, 0), Mlp(1), Mlp(1), Embed(), Embed(), PosEmbed()}) == 4
