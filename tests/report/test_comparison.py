"""The page of two circuits in the terminal: what a reader without the manual finds there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import LEFT, RIGHT, structure
from rich.cells import cell_len

import circuitdsl as cd
from circuitdsl.compare.versions import Difference, changes
from circuitdsl.language.circuit import Bound, Circuit
from circuitdsl.report.output import View, to_text
from circuitdsl.report.pages.comparison import draw_comparison
from circuitdsl.report.pictures.comparison import comparison_svg
from samples import circuit, geometry

SPECS = Path(__file__).parents[2] / "specs"


def page(left: Circuit, right: Circuit, width: int = 100, became: Sequence[Difference] | None = None) -> str:
    return to_text(draw_comparison(left, right, cd.compare(left, right), width, became), width)


def circuits(*paths: str) -> list[Circuit]:
    return [cd.load(SPECS / f"{path}.circuit").circuits[0] for path in paths]


def block(text: str, title: str) -> str:
    """A page's part from a title to the next empty line."""
    (found,) = (part for part in re.split(r"\n\s*\n", text) if part.startswith(title))
    return found


def test_side_by_side_and_below_each_other_where_it_is_narrow():
    wide, narrow = (to_text(draw_comparison(LEFT, RIGHT, structure(), width), width) for width in (100, 44))
    titles = [line for line in wide.splitlines() if re.fullmatch(r" +left +right", line)]
    assert len(titles) == 1
    assert not any(re.fullmatch(r" +left +right", line) for line in narrow.splitlines())
    assert max(map(cell_len, narrow.splitlines())) <= 44
    ioi, colors = circuits("gpt2-medium/ioi", "gpt2-medium/colored_objects")
    for width in (80, 100):
        assert max(map(cell_len, page(ioi, colors, width).splitlines())) <= width


def test_each_cell_of_the_grids_says_whose_it_is():
    grid = block(page(LEFT, RIGHT), "Where the heads are").splitlines()
    rows = {line.split()[0]: re.split(r" {3,}", line.strip()) for line in grid[3:]}
    cells = {layer: [side.split()[-12:] for side in sides] for layer, sides in rows.items() if len(sides) == 2}
    assert set(cells) == {"11", "10", "9", "8", "1-7", "0"}  # neighbours without heads are one row
    assert [side[-4:] for side in cells["1-7"]] == [["no", "heads", "of", "either"]] * 2
    assert [side[6] for side in cells["9"]] == ["■", "■"]
    assert [side[9] for side in cells["9"]] == ["◆", "○"]
    assert [side[1] for side in cells["8"]] == ["○", "▲"]
    assert [side[0] for side in cells["9"]] == ["·", "·"]


def test_the_graphs_are_laid_over_each_other():
    graph = block(page(LEFT, RIGHT), "The two graphs laid over each other").splitlines()[1:]
    assert [re.sub(r" {2,}", "  ", line) for line in graph] == [
        "■ logits",
        "  ◀════ mover  in both",
        "▲ late  ▲ 11.10  at END",
        "■ mover  ■ 9.6  ◆ 9.9  ▲ 8.1  at END",
        "  ◀─q── early  only left",
        "◆ early  ◆ 0.1  at S2",
    ]


def test_moved_heads_are_starred_and_explained():
    left = circuit("one", {"negative": "3.7", "mover": "2.0"}, shape=geometry(4, 8))
    right = circuit("two", {"mover": "2.0 3.7"}, shape=geometry(4, 8))
    text = page(left, right)
    graph = block(text, "The two graphs")
    assert re.search(r"◆ negative +◆ 3\.7\*", graph)
    assert re.search(r"■ mover +■ 2\.0 +▲ 3\.7\*", graph)
    assert "another role" in graph
    assert "3.7: negative in one, mover in two" in block(text, "Heads that both have, in roles")
    assert "*" not in page(LEFT, RIGHT)


def test_it_says_what_the_figures_come_to():
    shape = geometry(4, 8)
    one = circuit("one", {"a": "0.0 0.1 0.2 1.0 1.1 1.2"}, shape=shape)
    more = page(one, circuit("two", {"a": "0.0 0.1 0.2 1.0 1.1 3.0"}, shape=shape))
    assert "5 heads shared of 6 and 6: 83% of the smaller circuit." in more
    assert re.search(r"this is\s+more than chance gives \(p = 0\.0019\)", more)
    some = page(one, circuit("two", {"a": "0.0 0.5 0.6 1.0 1.5 3.0"}, shape=shape))
    assert re.search(r"this is\s+what chance gives \(p = 0\.\d+ for as many or more\)", some)
    fewer = page(one, circuit("two", {"a": "0.3 0.4 0.5 0.6 1.3 1.4 1.5 1.6"}, shape=shape))
    assert re.search(r"this is\s+less than chance gives \(p = 0\.0051 for as few or fewer\)", fewer)
    nothing = page(one, circuit("two", {"a": ""}, shape=shape))
    assert "names no heads: there is nothing to share" in nothing


def test_every_column_is_explained_and_every_pair_of_roles_says_why_it_is_one():
    left = circuit("one", {"a": "0.0", "b": "1.0", "c": "2.0"}, shape=geometry(4, 8))
    right = circuit("two", {"a": "0.0", "x": "1.0", "y": "3.0"}, shape=geometry(4, 8))
    shown = block(to_text(draw_comparison(left, right, cd.compare(left, right, [("c", "y")]), 100), 100), "How much")
    for words in ("of left, right, smaller:", "Jaccard:", "chance:", "p: how likely", "left is one, right is two"):
        assert words in shown
    assert "counterparts by the same name: a\n" in shown
    assert "counterparts by `align`: c ~ y\n" in shown
    assert "counterparts by the most shared heads, as nothing says which they are (`align` does): b ~ x" in shown


def test_the_sources_say_that_the_published_list_is_not_whole():
    ioi, colors = circuits("gpt2-medium/ioi", "gpt2-medium/colored_objects")
    text = page(ioi, colors)
    assert "7 heads shared of 11 and 10: 70% of the smaller circuit." in text
    sources = " ".join(block(text, "Sources").split())
    assert "25 of 32" in sources
    assert "78%" in sources
    assert "not published" in sources


def test_two_versions_are_told_apart():
    (one,) = circuits("mini/ioi")
    text = page(one, one, became=changes(one, one))
    assert text.startswith("mini_ioi (first) and mini_ioi (second)\n")
    assert "both say the same of roles, method and claims" in text
    assert "only mini_ioi (second)" in text


def opposites() -> tuple[Circuit, Circuit]:
    """Two circuits that agree on one edge and say the opposite of another."""
    roles = {"look": "1.0 at S2", "fetch": "2.0 at END"}

    def made(name: str, edge: Bound) -> Circuit:
        found = circuit(name, roles, ["look -> fetch.v", "fetch -> logits"], geometry(4, 8))
        first, second = found.claims
        return replace(found, claims=(replace(first, bound=edge), second))

    return made("one", Bound("<=", high=-0.01)), made("two", Bound(">=", low=0.01))


def test_edges_that_say_the_opposite_are_contradictions():
    text = page(*opposites())
    assert "2 edges between roles stated by both, 0 only by one and 0 only by two." in text
    said = "On 1 edge that both state they say the opposite, and do not share it: one that it raises the metric,"
    assert said in " ".join(text.split())
    graph = block(text, "The two graphs")
    assert re.search(r"◀─v── look +only one, v raises the metric, in the other circuit it lowers it\n", graph)
    assert re.search(r"◀╌v╌╌ look +only two, v lowers the metric, in the other circuit it raises it\n", graph)
    assert "look -> fetch.v: raises the metric in one, lowers it in two" in block(text, "Contradictions")
    svg = comparison_svg(*opposites(), cd.compare(*opposites()))
    assert ">v≠<" in svg and "≠ look -&gt; fetch.v: raises the metric in one, lowers it in two" in svg


@pytest.mark.parametrize("name", ["mini", "planted"])
def test_all_edges_and_all_heads_are_in_the_overlay(name: str):
    left, right = circuits(f"{name}/ioi", f"{name}/colored_objects")
    graph = block(page(left, right, 200), "The two graphs")
    found = cd.compare(left, right)
    inputs = re.findall(r"◀[═─╌]([═─╌qkv]+) ", graph)
    assert sum(max(1, len(re.sub("[^qkv]", "", some))) for some in inputs) == len(found.graph.links)
    heads = set(re.findall(r"\b\d+\.\d+", graph))
    assert heads == {*found.heads.shared, *found.heads.left_only, *found.heads.right_only}


def test_the_page_of_two_circuits_fits_a_screen_and_the_rest_is_there_on_request():
    ours, theirs = circuits("mini/ioi", "mini/colored_objects")
    found = cd.diff(ours, theirs)
    brief, full = (cd.show(found, view=View(verbose=verbose)) for verbose in (False, True))
    assert brief.count("\n") <= 30
    assert "13 heads shared of 17 and 23: 76% of the smaller circuit" in brief.splitlines()[1]
    for part in ("Where the heads are", "The two graphs laid over each other", "How much is shared", "Sources"):
        assert part in full and part not in brief
