"""A circuit drawn in the terminal: layers from the logits down to the embedding, and the edges between its roles."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.compare.edges import role_edges
from circuitdsl.components import Component, Dictionary
from circuitdsl.language.circuit import Circuit
from circuitdsl.report.pages.layers import runs
from circuitdsl.report.palette import role_colours
from circuitdsl.report.text import Text
from circuitdsl.report.words import plural
from circuitdsl.visible import shown_fingerprint


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
        *(Text(_dictionary(each), style="dim") for each in circuit.dictionaries),
        Text(),
        _layers(circuit, colours),
        Text(),
        _legend(circuit, colours),
        *_edges(circuit, colours),
    )


def _dictionary(dictionary: Dictionary) -> str:
    kind = "a transcoder" if dictionary.transcoder else "an autoencoder"
    features = plural(dictionary.n_features, "feature")
    return f"{dictionary}: {kind} of {features}, {shown_fingerprint(dictionary.fingerprint)}, in {dictionary.folder}"


def _layers(circuit: Circuit, colours: dict[str, str]) -> Table:
    table = _plain_table()
    table.add_column(justify="right", style="dim")
    table.add_column(style="dim")
    table.add_column(ratio=1)
    senders = [edge.sender for edge in role_edges(circuit) if edge.receiver == "logits"]
    table.add_row("logits", "▲", _joined((name, colours.get(name, "")) for name in senders))
    drawn = {node.component.layer for node in circuit.nodes}
    for first, last in runs(circuit.geometry.n_layers, drawn):
        name = str(first) if first == last else f"{first}-{last}"
        table.add_row(name, "│", _layer(circuit, first, colours))
    roles = [role.name for role in circuit.roles if any(_layer_of(n.component) is None for n in role.nodes)]
    table.add_row("embed", "│", _joined((name, colours[name]) for name in roles))
    return table


def _layer(circuit: Circuit, layer: int, colours: dict[str, str]) -> RenderableType:
    groups = []
    for role in circuit.roles:
        components = dict.fromkeys(node.component for node in role.nodes if _layer_of(node.component) == layer)
        if components:
            groups.append((f"{role.name} {' '.join(map(str, components))}", colours[role.name]))
    return _joined(groups) if groups else Text("·", style="dim")


def _layer_of(component: Component) -> int | None:
    """A component's layer; None for the embeddings."""
    return component.layer if component.layer >= 0 else None


def _joined(parts) -> RenderableType:
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


def _plain_table() -> Table:
    return Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
