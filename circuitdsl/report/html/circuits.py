"""A circuit's section of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import CircuitReport, HeadOutcome
from circuitdsl.report.charts.drawing import spec
from circuitdsl.report.charts.grid import grid, of_heads
from circuitdsl.report.html.blocks import Block, Chart, Facts, Picture, Prose, Row, Section, Subsection, Table
from circuitdsl.report.html.claims import Anchored, anchored, claims_part, worst
from circuitdsl.report.html.examples import examples_parts
from circuitdsl.report.html.graph import graph_svg
from circuitdsl.report.marks import MARKS
from circuitdsl.report.words import estimate, number, on_prompts, plural
from circuitdsl.visible import shown_fingerprint


def circuit_section(report: CircuitReport, anchor: str) -> Section:
    claims = anchored(anchor, report.claims)
    parts = (
        Subsection("", tuple(_head(report))),
        *_graph(report, claims),
        *claims_part(claims),
        *_heads(report),
        *examples_parts(report),
        *_unexplained(report),
        *_controls(report),
    )
    circuit = report.circuit
    return Section(anchor, f"circuit {circuit.name}", parts, circuit.about, worst(report.claims))


def _head(report: CircuitReport) -> Iterator[Block]:
    circuit, method = report.circuit, report.circuit.method
    processing = f" ({report.processing})" if report.processing else ""
    pairs = [("file", circuit.file), ("model", f"{report.model}{processing}")]
    if report.fingerprint:
        pairs.append(("fingerprint of its weights", shown_fingerprint(report.fingerprint)))
    if report.revision is not None:
        pairs.append(("revision", report.revision))
    pairs += [
        ("task", str(circuit.task)),
        ("prompts", f"all {report.prompts}" if method.prompts_all else str(report.prompts)),
    ]
    if (performance := report.performance) is not None:
        unit = measure_infos()[method.measured.measure].unit
        where = on_prompts(performance.prompts, report.prompts)
        pairs.append((f"{method.metric} without any patch{where}", estimate(performance.metric, unit)))
        pairs.append((f"accuracy without any patch{where}", estimate(performance.accuracy, "share")))
    pairs.append(("patches from", method.against or "nothing"))
    pairs.append(("ablation", method.ablate))
    pairs.append(("confidence", number(method.confidence, "share", 0)))
    yield Facts(tuple(pairs))
    if report.example:
        yield Prose((f"For instance: {report.example!r}",), note=True)
    if report.notes:
        yield Prose(report.notes, note=True)


def _graph(report: CircuitReport, claims: Sequence[Anchored]) -> Iterator[Subsection]:
    if not report.circuit.roles:
        return
    said = (
        "A box a role, by position from left to right, and from the first layers below to the logits above. An arrow "
        "is an edge that is claimed: its colour says whether it holds, its label how much the metric changes when the "
        "path is patched. A dashed one is claimed not to be there. An arrow leads to its claim."
    )
    rows = tuple(
        Row((role.name, ", ".join(sorted({str(n.position) for n in role.nodes})), " ".join(_listed(role.nodes))))
        for role in report.circuit.roles
    )
    behind = Table(caption="the roles as a table", head=("role", "at", "nodes"), rows=rows, folded=True)
    yield Subsection("The circuit", (Picture(graph_svg(report.circuit, claims), said, behind),))


def _listed(nodes: Sequence[object]) -> list[str]:
    return list(dict.fromkeys(str(node).partition(" at ")[0] for node in nodes))


def _heads(report: CircuitReport) -> Iterator[Subsection]:
    if not report.heads:
        return
    metric = report.circuit.method.metric
    drawn = grid(of_heads(report.heads, f"change of {metric}"), report.circuit.geometry)
    where = on_prompts(report.first, report.prompts)
    said = f"Layer by head: how much {metric} changes when a head is knocked out alone, at its place{where}."
    adds = any(head.minimality for head in report.heads)
    head = ("node", "at", "role", "knocked out alone", *(("what it adds inside the circuit",) if adds else ()))
    rows = tuple(_head_row(each, adds) for each in report.heads)
    behind = Table(caption="the figures as a table", head=head, rows=rows, folded=True)
    yield Subsection("Heads", (Chart(spec(drawn), said, behind),))


def _head_row(head: HeadOutcome, adds: bool) -> Row:
    inside = estimate(head.minimality, "share") if head.minimality is not None else ""
    cells = (head.head, head.position, ", ".join(head.roles), estimate(head.estimate, "share"))
    return Row((*cells, inside) if adds else cells)


def _unexplained(report: CircuitReport) -> Iterator[Subsection]:
    if report.unexplained:
        rows = tuple(Row((h.head, h.position, estimate(h.estimate, "share"))) for h in report.unexplained)
        blocks: tuple[Block, ...] = (
            Prose((f"Not in the circuit, yet they matter: {report.unexplained_note}",)),
            Table(head=("node", "at", "knocked out alone"), rows=rows),
        )
        yield Subsection(f"Unexplained: {plural(len(rows), 'head')}", blocks)
    elif report.unexplained_note:
        yield Subsection("Unexplained", (Prose((f"heads outside the circuit: {report.unexplained_note}",), note=True),))


def _controls(report: CircuitReport) -> Iterator[Subsection]:
    if not report.claims:
        return
    rows = tuple(
        Row((f"{MARKS[each.outcome.verdict]}", each.name, each.outcome.claim.text), str(each.outcome.verdict))
        for each in report.controls
    )
    blocks: list[Block] = [Table(head=("", "control", "claim"), rows=rows)] if rows else []
    if report.untried:
        blocks.append(Prose((f"not tried: {', '.join(report.untried)}",), note=True))
    yield Subsection("Controls", tuple(blocks))
