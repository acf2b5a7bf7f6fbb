"""Two circuits side by side in the terminal: the page that ``diff`` prints, and its part in the report of ``check``.

The page is for a reader who does not have the manual: it says first what the figures come to and under each table what
its columns are. Whose a thing is shows in its colour and in its mark: ■ and a double line for both, ◆ and a single line
for the left circuit, ▲ and a broken line for the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from circuitdsl.compare.chance import Chance
from circuitdsl.compare.cites import Cited, cited
from circuitdsl.compare.edges import inputs_text
from circuitdsl.compare.graph import Graph, Link, Vertex, Whose
from circuitdsl.compare.overlap import Overlap
from circuitdsl.compare.structure import RolePair, Structure, chance_share
from circuitdsl.compare.versions import Difference
from circuitdsl.components import Head
from circuitdsl.language.circuit import Circuit, Comparison
from circuitdsl.outcome import CircuitDiff
from circuitdsl.report.pages.conclusions import (
    conclusion,
    contradictions,
    moved_heads,
    opposites,
    role_pair,
    told_apart,
)
from circuitdsl.report.pages.function import functional_summary
from circuitdsl.report.pages.layers import runs
from circuitdsl.report.palette import LEFT, RIGHT, SHARED
from circuitdsl.report.text import Text, stacked
from circuitdsl.report.words import number, p_value

COLOURS: Mapping[Whose, str] = {"both": SHARED, "left": LEFT, "right": RIGHT}
MARKS: Mapping[Whose, str] = {"both": "■", "left": "◆", "right": "▲"}
LINES: Mapping[Whose, str] = {"both": "═", "left": "─", "right": "╌"}

Names = tuple[str, str]


def draw_diff(diff: CircuitDiff, width: int, verbose: bool = False) -> RenderableType:
    """The page of two circuits, and below it what was measured of them in function."""
    draw = draw_comparison if verbose else draw_in_short
    page = draw(diff.left, diff.right, diff.structure, width, diff.changes, diff.block)
    return Group(page, functional_summary(diff.functional) if diff.functional is not None else Group())


def draw_comparison(
    left: Circuit,
    right: Circuit,
    structure: Structure,
    width: int,
    changes: Sequence[Difference] | None = None,
    block: Comparison | None = None,
) -> RenderableType:
    """Two circuits: what they share, both as layer by head grids, their graphs as one, and every figure.

    ``width`` is the columns there are: the grids stand side by side where they fit. ``changes`` are shown where the
    two describe the same thing. ``block`` is the compare block that names the two, if one does.
    """
    names = told_apart(left.name, right.name)
    heads = structure.heads
    return Group(
        Text.assemble((names[0], f"bold {LEFT}"), " and ", (names[1], f"bold {RIGHT}")),
        _about((left, right), names, block),
        Text(),
        *map(Text, conclusion(structure)),
        Text("This compares what the two files say; no model was run for it.", style="dim"),
        Text(),
        *([draw_changes(changes), Text()] if changes is not None else []),
        Text("Where the heads are: layers upwards, heads from left to right", style="bold"),
        _grids(left, right, names, width),
        Text(),
        Text("The two graphs laid over each other: each role, and below it what it reads", style="bold"),
        _overlay(structure.graph, names),
        Text(),
        Text("How much is shared", style="bold"),
        structure_summary(structure),
        Text(),
        *_listed("Heads", zip(_sides(names), (heads.shared, heads.left_only, heads.right_only), strict=True)),
        *_paragraphs("Heads that both have, in roles that are not counterparts", moved_heads(structure)),
        *_paragraphs("Contradictions", (*contradictions(structure), *opposites(structure))),
        *_paragraphs("Sources, as the files give them", _sources(cited(left, right, block), names)),
    )


def draw_in_short(
    left: Circuit,
    right: Circuit,
    structure: Structure,
    width: int,
    changes: Sequence[Difference] | None = None,
    block: Comparison | None = None,
) -> RenderableType:
    """Two circuits on half a screen: what they share, their grids, and where they disagree."""
    names = told_apart(left.name, right.name)
    more = "-v shows the two graphs laid over each other, every figure, the heads by name and the sources"
    return Group(
        Text.assemble((names[0], f"bold {LEFT}"), " and ", (names[1], f"bold {RIGHT}")),
        *map(Text, conclusion(structure)),
        Text("This compares what the two files say; no model was run for it.", style="dim"),
        *([draw_changes(changes), Text()] if changes is not None else []),
        Text(),
        _about((left, right), names, block),
        Text(),
        _grids(left, right, names, width),
        Text(),
        *_paragraphs("Heads that both have, in roles that are not counterparts", moved_heads(structure)),
        *_paragraphs("Contradictions", (*contradictions(structure), *opposites(structure))),
        Text(more, style="dim"),
    )


def _about(circuits: tuple[Circuit, Circuit], names: Names, block: Comparison | None) -> RenderableType:
    table = _plain_table()
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, style="dim", overflow="fold")
    for side, circuit, name, colour in zip(("left", "right"), circuits, names, (LEFT, RIGHT), strict=True):
        what = f"{circuit.about}; " if circuit.about else ""
        said = f"{what}task {circuit.task}, model {circuit.model}, {circuit.file}"
        table.add_row(Text(f"{side}: {name}", style=colour), said)
    if block is not None:
        table.add_row("compared in", f"{block.about}; {block.file}" if block.about else block.file)
    return table


def _paragraphs(title: str, lines: Iterable[str]) -> Iterator[RenderableType]:
    found = list(lines)
    if found:
        yield Text(title, style="bold")
        yield from (Padding(Text(line), (0, 0, 0, 2)) for line in found)
        yield Text()


def _sources(sources: Iterable[Cited], names: Names) -> Iterator[str]:
    called = {"compare": "the comparison", "left": names[0], "right": names[1]}
    for source in sources:
        places = (f"{each.role} in {called[each.block]}" if each.role else called[each.block] for each in source.by)
        yield f"{', '.join(places)}: {source.text}"


def _sides(names: Names) -> tuple[str, str, str]:
    return "in both", f"only {names[0]}", f"only {names[1]}"


def _listed(title: str, rows: Iterable[tuple[str, Sequence[str]]]) -> Iterator[RenderableType]:
    found = [(side, elements) for side, elements in rows if elements]
    if found:
        table = _plain_table()
        table.add_column(style="dim")
        table.add_column(ratio=1)
        for side, elements in found:
            table.add_row(f"  {side}", "   ".join(elements))
        yield from (Text(title, style="bold"), table, Text())


# --- grids -----------------------------------------------------------------------------------------


def _grids(left: Circuit, right: Circuit, names: Names, width: int) -> RenderableType:
    grids = [_grid(left, right, names[0], "left"), _grid(right, left, names[1], "right")]
    key = Text("   ").join(
        [
            *(
                Text.assemble((MARKS[whose], COLOURS[whose]), f" {side}")
                for whose, side in zip(MARKS, _sides(names), strict=True)
            ),
            Text.assemble(("○", "dim"), " only in the other"),
            Text.assemble(("·", "dim"), " in neither"),
        ]
    )
    needed = 4 + sum(5 + max(2 * circuit.geometry.n_heads, len(circuit.name)) for circuit in (left, right))
    if needed > width:
        return Group(grids[0], Text(), grids[1], Text(), key)
    side_by_side = _plain_table(padding=(0, 4, 0, 0))
    side_by_side.add_row(*grids)
    return Group(side_by_side, Text(), key)


def _grid(circuit: Circuit, other: Circuit, name: str, whose: Whose) -> Group:
    ours, theirs = set(circuit.heads), set(other.heads)
    shape = circuit.geometry
    lines = [Text("     " + "".join(f" {digit}" for digit in digits), style="dim") for digits in _ruler(shape.n_heads)]
    named = {head.layer for head in ours | theirs}
    for first, last in runs(shape.n_layers, named):
        if last > first:
            lines.append(Text(f"{f'{first}-{last}':>4}  no heads of either", style="dim"))
            continue
        layer = first
        line = Text(f"{layer:>4} ", style="dim")
        for index in range(shape.n_heads):
            mark, style = _cell(Head(layer, index), ours, theirs, whose)
            line.append(f" {mark}", style=style)
        lines.append(line)
    return Group(Text(f"     {name}", style=f"bold {COLOURS[whose]}"), *lines)


def _ruler(n_heads: int) -> Iterator[str]:
    """Head numbers above the columns, written downwards where they have two digits."""
    if n_heads > 10:
        yield "".join(str(index // 10) if index >= 10 else " " for index in range(n_heads))
    yield "".join(str(index % 10) for index in range(n_heads))


def _cell(head: Head, ours: set[Head], theirs: set[Head], whose: Whose) -> tuple[str, str]:
    match (head in ours, head in theirs):
        case (True, True):
            return MARKS["both"], COLOURS["both"]
        case (True, False):
            return MARKS[whose], COLOURS[whose]
        case (False, True):
            return "○", "dim"
        case _:
            return "·", "dim"


# --- the graphs as one -----------------------------------------------------------------------------


def _overlay(graph: Graph, names: Names) -> RenderableType:
    """Every vertex from the logits down, and below it the edges that lead to it."""
    sides = dict(zip(MARKS, _sides(names), strict=True))
    table = _plain_table()
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for vertex in reversed(graph.vertices):
        table.add_row(
            Text(f"{MARKS[vertex.whose]} {vertex.name}", style=f"bold {COLOURS[vertex.whose]}"), _inside(vertex)
        )
        for links in _incoming(graph, vertex):
            whose, sender = links[0].whose, links[0].sender
            arrow = inputs_text(link.input for link in links).center(2, LINES[whose])
            said = [sides[whose], *filter(None, map(_contradiction, links))]
            table.add_row(
                Text(f"    ◀{LINES[whose]}{arrow}{LINES[whose]} {sender}", style=COLOURS[whose]),
                Text(", ".join(said), style="dim"),
            )
    star = "  * the other circuit has this head in another role, see below"
    moved = [Text(star, style="dim")] if any(vertex.moved for vertex in graph.vertices) else []
    return Group(table, *moved)


def _contradiction(link: Link) -> str:
    """What the other circuit says against an edge, if it does."""
    if link.opposed:
        other = "lowers" if link.opposed == "raises" else "raises"
        return f"{link.input or 'it'} {link.opposed} the metric, in the other circuit it {other} it"
    return f"contradicted for {link.input or 'it'}" if link.denied else ""


def _incoming(graph: Graph, vertex: Vertex) -> Iterator[list[Link]]:
    """The links to a vertex, those of one sender and one side together."""
    found: dict[tuple[str, Whose], list[Link]] = {}
    for link in graph.links:
        if link.receiver == vertex.name:
            found.setdefault((link.sender, link.whose), []).append(link)
    yield from found.values()


def _inside(vertex: Vertex) -> RenderableType:
    """The components of a role by side, with a star at those that moved, and where it stands."""
    if vertex.kind != "role":
        return Text()
    moved = {each.component for each in vertex.moved}
    components = vertex.components
    groups = [
        Text(" ".join((MARKS[whose], *(f"{c}*" if c in moved else c for c in some))), style=COLOURS[whose])
        for whose, some in zip(MARKS, (components.shared, components.left_only, components.right_only), strict=True)
        if some
    ]
    places = dict.fromkeys(filter(None, (", ".join(vertex.left_positions), ", ".join(vertex.right_positions))))
    return Text("   ").join([*groups, *([Text(f"at {' | '.join(places)}", style="dim")] if places else [])])


# --- figures ---------------------------------------------------------------------------------------


def structure_summary(structure: Structure) -> RenderableType:
    """What two circuits share, a line for each kind of element and each role."""
    table = Table(box=None, show_header=True, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", overflow="fold")
    shares = (stacked("of", whose) for whose in ("left", "right", "smaller"))
    for name in ("both", "left", "right", *shares, "Jaccard", "chance", "p"):
        table.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    table.add_row("heads", *_shares(structure.heads), *_by_chance(structure.heads, structure.heads_chance))
    table.add_row("nodes", *_shares(structure.nodes), *_by_chance(structure.nodes, structure.nodes_chance))
    table.add_row("edges", *_shares(structure.edges))
    table.add_row("edges by head", *_shares(structure.head_edges))
    matched = [pair for pair in structure.roles if pair.rule is not None]
    for pair in matched:
        table.add_row(f"  {role_pair(pair)}", *_shares(pair.heads), *_by_chance(pair.heads, pair.chance))
    return Group(table, *(Text(line, style="dim") for line in _structure_notes(structure, matched)))


def _shares(overlap: Overlap) -> Iterator[str]:
    yield from map(str, (len(overlap.shared), overlap.left, overlap.right))
    for share in (overlap.of_left, overlap.of_right, overlap.of_smaller, overlap.jaccard):
        yield number(share, "share", 0)


def _by_chance(overlap: Overlap, by_chance: Chance | None) -> Iterator[str]:
    yield number(chance_share(by_chance, overlap), "share", 0)
    yield p_value(by_chance.p_value if by_chance is not None else None)


def _structure_notes(structure: Structure, matched: Sequence[RolePair]) -> Iterator[str]:
    """What the columns are, why roles are taken for counterparts, which have none, and what limits the figures."""
    names = told_apart(structure.left, structure.right)
    yield f"left is {names[0]}, right is {names[1]}; nodes are heads at positions, edges lead from role to role"
    yield "of left, right, smaller: what both have as a share of one circuit's; Jaccard: of what either has"
    if chance_share(structure.heads_chance, structure.heads) is not None:
        yield "chance: that share if each circuit had as many heads in each layer, but these were drawn at random"
        yield "p: how likely such random circuits are to share as many as was found, or more"
    for rule, words in _RULES.items():
        pairs = [role_pair(pair) for pair in matched if pair.rule == rule]
        if pairs:
            yield f"counterparts by {words}: {', '.join(pairs)}"
    alone = [pair for pair in structure.roles if pair.rule is None]
    for other, roles in zip(names[::-1], ([p.left for p in alone], [p.right for p in alone]), strict=True):
        if named := [role for role in roles if role is not None]:
            yield f"without a counterpart in {other}: {', '.join(named)}"
    for note in structure.notes:
        yield f"note: {note}"


_RULES = {
    "align": "`align`",
    "name": "the same name",
    "heads": "the most shared heads, as nothing says which they are (`align` does)",
}


# --- versions --------------------------------------------------------------------------------------


def draw_changes(changes: Sequence[Difference]) -> RenderableType:
    """What became of a circuit from one version to the next: what went in red, what came in green."""
    title = Text("What the two say differently (- left, + right)", style="bold")
    if not changes:
        return Group(title, Text("both say the same of roles, method and claims", style="dim"))
    lines = []
    for change in changes:
        lines.append(Text(f"  {change.kind} {change.what}".rstrip(), style="dim"))
        lines += [
            Padding(Text(f"{sign} {said}", style=style), (0, 0, 0, 4))
            for said, sign, style in ((change.before, "-", "red"), (change.after, "+", "green"))
            if said
        ]
    return Group(title, *lines)


def _plain_table(padding: tuple[int, int, int, int] = (0, 2, 0, 0)) -> Table:
    return Table(box=None, show_header=False, padding=padding, pad_edge=False)
