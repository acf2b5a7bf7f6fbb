"""Circuits drawn in the terminal: layers from the logits down to the embedding, and two circuits as two grids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from circuitdsl.compare.edges import role_edges
from circuitdsl.compare.structure import Overlap, Structure
from circuitdsl.compare.versions import Change
from circuitdsl.language.circuit import Circuit, Component, Head, Mlp
from circuitdsl.report.palette import LEFT, RIGHT, SHARED, role_colours
from circuitdsl.report.terminal import structure_summary
from circuitdsl.report.words import number, p_said, plural


def draw_circuit(circuit: Circuit) -> RenderableType:
    """The circuit as layers, its roles with their positions, and its edges."""
    colours = role_colours(circuit)
    shape = circuit.geometry
    about = [Text(circuit.about)] if circuit.about else []
    size = (
        f"{plural(len(circuit.heads), 'head')} in {plural(len(circuit.roles), 'role')}; "
        f"{circuit.model} has {plural(shape.n_layers, 'layer')} of {plural(shape.n_heads, 'head')}; task {circuit.task}"
    )
    return Group(
        Text.assemble((circuit.name, "bold"), (f"  {circuit.file}", "dim")),
        *about,
        Text(size, style="dim"),
        Text(),
        _layers(circuit, colours),
        Text(),
        _legend(circuit, colours),
        *_edges(circuit, colours),
    )


def _layers(circuit: Circuit, colours: dict[str, str]) -> Table:
    table = _plain_table()
    table.add_column(justify="right", style="dim")
    table.add_column(style="dim")
    table.add_column(ratio=1)
    senders = [edge.sender for edge in role_edges(circuit) if edge.receiver == "logits"]
    table.add_row("logits", "▲", _joined((name, colours.get(name, "")) for name in senders))
    for layer in reversed(range(circuit.geometry.n_layers)):
        table.add_row(str(layer), "│", _layer(circuit, layer, colours))
    roles = [role.name for role in circuit.roles if any(_layer_of(n.component) is None for n in role.nodes)]
    table.add_row("embed", "│", _joined((name, colours[name]) for name in roles))
    return table


def _layer(circuit: Circuit, layer: int, colours: dict[str, str]) -> Text:
    groups = []
    for role in circuit.roles:
        components = dict.fromkeys(node.component for node in role.nodes if _layer_of(node.component) == layer)
        if components:
            groups.append((f"{role.name} {' '.join(map(str, components))}", colours[role.name]))
    return _joined(groups) if groups else Text("·", style="dim")


def _layer_of(component: Component) -> int | None:
    """The layer of a head or an MLP; None for the embeddings."""
    return component.layer if isinstance(component, Head | Mlp) else None


def _joined(parts) -> Text:
    return Text("   ").join(Text(text, style=style) for text, style in parts)


def _legend(circuit: Circuit, colours: dict[str, str]) -> Table:
    table = _plain_table()
    for role in circuit.roles:
        positions = dict.fromkeys(str(node.position) for node in role.nodes)
        table.add_row(
            Text(f"■ {role.name}", style=colours[role.name]),
            Text("at " + ", ".join(positions) if positions else "empty", style="dim"),
            Text(plural(len(role.nodes), "node"), style="dim"),
        )
    return table


def _edges(circuit: Circuit, colours: dict[str, str]) -> Iterator[RenderableType]:
    edges = role_edges(circuit)
    refused = [claim.text for claim in circuit.claims if claim.kind == "no edge"]
    if edges:
        yield Text()
    table = _plain_table()
    for edge in edges:
        arrow = f"─{edge.input}─▶" if edge.input else "───▶"
        table.add_row(
            Text(edge.sender, style=colours.get(edge.sender, ""), justify="right"),
            arrow,
            Text(edge.receiver, style=colours.get(edge.receiver, "bold")),
        )
    yield table
    for text in refused:
        yield Text(text, style="dim")


# --- two circuits ----------------------------------------------------------------------------------


def draw_comparison(left: Circuit, right: Circuit, structure: Structure, width: int) -> RenderableType:
    """Two circuits: the headline, both as layer by head grids, what moved, and every figure.

    ``width`` is the columns there are: the grids stand side by side where they fit.
    """
    return Group(
        Text.assemble((f"{left.name}", f"bold {LEFT}"), " and ", (f"{right.name}", f"bold {RIGHT}")),
        _headline(structure),
        Text(),
        _grids(left, right, width),
        Text(),
        *_differences(structure),
        Text(),
        structure_summary(structure.to_dict()),
    )


def _headline(structure: Structure) -> Text:
    heads = structure.heads
    if heads.of_smaller is None:
        return Text("one of the two names no heads: there is nothing to share")
    said = (
        f"{plural(len(heads.shared), 'head')} shared of {heads.left} and {heads.right}: "
        f"{number(heads.of_smaller, 'share', 0)} of the smaller circuit"
    )
    chance = structure.heads_chance
    if chance is None:
        return Text(said)
    by_chance = number(chance.expected / min(heads.left, heads.right), "share", 0)
    return Text(f"{said}; {by_chance} would be by chance ({p_said(chance.p_value)})")


def _grids(left: Circuit, right: Circuit, width: int) -> RenderableType:
    grids = [_grid(left, right, LEFT), _grid(right, left, RIGHT)]
    key = Text.assemble(
        ("■", SHARED), " in both   ", ("◆", LEFT), f" only {left.name}   ", ("◆", RIGHT), f" only {right.name}   ",
        ("○", "dim"), " only in the other   ", ("·", "dim"), " in neither",
    )  # fmt: skip
    needed = 4 + sum(5 + 2 * circuit.geometry.n_heads for circuit in (left, right))
    if needed > width:
        return Group(grids[0], Text(), grids[1], Text(), key)
    side_by_side = _plain_table(padding=(0, 4, 0, 0))
    side_by_side.add_row(*grids)
    return Group(side_by_side, Text(), key)


def _grid(circuit: Circuit, other: Circuit, colour: str) -> Group:
    ours, theirs = set(circuit.heads), set(other.heads)
    shape = circuit.geometry
    lines = [Text("     " + "".join(f" {digit}" for digit in digits), style="dim") for digits in _ruler(shape.n_heads)]
    for layer in reversed(range(shape.n_layers)):
        line = Text(f"{layer:>4} ", style="dim")
        for index in range(shape.n_heads):
            mark, style = _cell(Head(layer, index), ours, theirs, colour)
            line.append(f" {mark}", style=style)
        lines.append(line)
    return Group(Text(f"     {circuit.name}", style=f"bold {colour}"), *lines)


def _ruler(n_heads: int) -> Iterator[str]:
    """Head numbers above the columns, written downwards where they have two digits."""
    if n_heads > 10:
        yield "".join(str(index // 10) if index >= 10 else " " for index in range(n_heads))
    yield "".join(str(index % 10) for index in range(n_heads))


def _cell(head: Head, ours: set[Head], theirs: set[Head], colour: str) -> tuple[str, str]:
    match (head in ours, head in theirs):
        case (True, True):
            return "■", SHARED
        case (True, False):
            return "◆", colour
        case (False, True):
            return "○", "dim"
        case _:
            return "·", "dim"


def _differences(structure: Structure) -> Iterator[RenderableType]:
    """Heads and edges by side, and heads that changed their role."""
    table = _plain_table()
    table.add_column(style="dim")
    table.add_column(ratio=1)
    for name, overlap in (("heads", structure.heads), ("edges", structure.edges)):
        for side, elements in _sides(structure, overlap):
            if elements:
                separator = "   " if name == "heads" else "\n"
                table.add_row(f"{name} {side}", separator.join(elements))
    for moved in structure.moved:
        table.add_row("moved", f"{moved.head} from {' + '.join(moved.left)} to {' + '.join(moved.right)}")
    yield table


def _sides(structure: Structure, overlap: Overlap) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "in both", overlap.shared
    yield f"only {structure.left}", overlap.left_only
    yield f"only {structure.right}", overlap.right_only


def draw_changes(changes: Sequence[Change]) -> RenderableType:
    """What became of a circuit from one version to the next: what went in red, what came in green."""
    if not changes:
        return Text("both say the same of roles, method and claims", style="dim")
    table = _plain_table()
    for change in changes:
        table.add_row(f"{change.kind} {change.what}".rstrip(), Text(f"- {change.before}", style="red"))
        table.add_row("", Text(f"+ {change.after}", style="green"))
    return Group(Text("from the first to the second", style="dim"), table)


def _plain_table(padding: tuple[int, int, int, int] = (0, 2, 0, 0)) -> Table:
    return Table(box=None, show_header=False, padding=padding, pad_edge=False)
