"""Whatever a file holds, reading it gives a graph or an error that a user can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graphs import SMALL, TOY
from hypothesis import given, settings
from hypothesis import strategies as st

import circuitdsl as cd
from circuitdsl.errors import InputError

FORMATS = cd.exchange.formats()
VALID = json.loads(cd.exchange.write(SMALL, "eap").data)
FILES = Path(__file__).parent / "files"

NAMES = st.sampled_from(["cfg", "nodes", "edges", "heads", "mlps", "a0.h1", "m0->logits", "A0.1", "position", "layer"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.just(10**400), st.floats(), st.text(max_size=5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("untrusted")


def graph_or_error(file: Path, name: str) -> None:
    try:
        assert cd.exchange.read(file, TOY, name).geometry == TOY
    except InputError as error:
        assert str(file) in error.message and error.remedy


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.encoding == "json"])
def test_any_json(name: str, folder: Path):
    @settings(max_examples=60)
    @given(VALUES)
    def check(value: Any):
        (folder / "a.json").write_text(json.dumps(value), encoding="utf-8")
        graph_or_error(folder / "a.json", name)
        graph_or_error(folder / "a.json", "")

    check()


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values inside a value of JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inside for place in places(each, (*at, key)))]


@settings(max_examples=100)
@given(st.sampled_from([place for place in places(VALID) if place]), VALUES)
def test_a_file_with_one_value_changed(folder: Path, place: tuple[Any, ...], value: Any):
    content = json.loads(json.dumps(VALID))
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (folder / "b.json").write_text(json.dumps(content), encoding="utf-8")
    graph_or_error(folder / "b.json", "eap")


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.encoding == "text"])
def test_any_text(name: str, folder: Path):
    pieces = st.sampled_from(
        ["->", "\n", '"<a0.1>"', "embed", "digraph {", "A0.0", "[:, :, 1]", "blocks.0.hook_mlp_in"]
    )

    @settings(max_examples=60)
    @given(st.lists(pieces | st.text(max_size=4), max_size=12).map("".join))
    def check(text: str):
        (folder / "a.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
        graph_or_error(folder / "a.txt", name)
        graph_or_error(folder / "a.txt", "")

    check()


@settings(max_examples=60)
@given(st.data())
def test_any_bytes_of_a_pt_file(folder: Path, data: st.DataObject):
    """A file that is right but for some bytes, or cut."""
    whole = bytearray(cd.exchange.write(SMALL, "eap-pt").data)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a.pt").write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    graph_or_error(folder / "a.pt", "")
    graph_or_error(folder / "a.pt", "acdc-pth")
