"""What a page says of circuits side by side: comparisons of a report, two circuits, and an atlas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from circuitdsl.compare.curve import Curve
from circuitdsl.compare.overlap import Overlap
from circuitdsl.compare.structure import Structure, chance_share
from circuitdsl.compare.versions import Difference
from circuitdsl.language.circuit import Circuit
from circuitdsl.outcome import Atlas, CircuitDiff, ComparisonReport, FunctionalComparison
from circuitdsl.report.charts.curves import curves
from circuitdsl.report.charts.drawing import spec
from circuitdsl.report.charts.matrix import matrices, matrix
from circuitdsl.report.html.blocks import Block, Chart, Facts, Page, Picture, Prose, Row, Section, Subsection, Table
from circuitdsl.report.html.claims import anchored, claims_part, worst
from circuitdsl.report.pages.conclusions import conclusion, contradictions, moved_heads, opposites, role_pair
from circuitdsl.report.pictures.comparison import comparison_svg
from circuitdsl.report.words import CURVE_KINDS, estimate, number, p_value, plural


def comparison_section(report: ComparisonReport, circuits: Sequence[Circuit], anchor: str) -> Section:
    """A compare block; ``circuits`` are those of the report, both of which may be among them."""
    pair = report.comparison
    named = {circuit.name: circuit for circuit in circuits}
    both = (named.get(pair.left), named.get(pair.right))
    parts = (
        *_picture(*both, report.structure),
        *_structure(report.structure),
        *claims_part(anchored(anchor, report.claims)),
    )
    return Section(anchor, f"compare {pair.left} with {pair.right}", parts, pair.about, worst(report.claims))


def diff_page(diff: CircuitDiff) -> Page:
    parts = [*_picture(diff.left, diff.right, diff.structure), *_structure(diff.structure)]
    if diff.changes is not None:
        parts.append(_changes(diff.changes))
    if diff.functional is not None:
        parts += _function(diff.functional)
    about = diff.block.about if diff.block is not None else ""
    section = Section("diff", f"{diff.left.name} and {diff.right.name}", tuple(parts), about)
    said = next(conclusion(diff.structure)).partition(": ")[0]
    return Page(f"circuitdsl: {diff.left.name} and {diff.right.name}", f"{said}.", (section,))


def _changes(found: Sequence[Difference]) -> Subsection:
    """What two descriptions of one thing say differently."""
    title = "What they say differently"
    if not found:
        return Subsection(title, (Prose(("Nothing: both say the same.",)),))
    rows = tuple(Row((each.kind, each.what, each.before, each.after)) for each in found)
    return Subsection(title, (Table(head=("", "what", "before", "after"), rows=rows),))


def _picture(left: Circuit | None, right: Circuit | None, structure: Structure) -> Iterator[Subsection]:
    if left is None or right is None:
        return
    said = (
        f"{left.name} and {right.name} in one picture: heads and edges that both have, and that one of them has alone."
    )
    yield Subsection("Both circuits", (Picture(comparison_svg(left, right, structure), said),))


def _structure(structure: Structure) -> Iterator[Subsection]:
    kinds = {
        "heads": (structure.heads, structure.heads_chance),
        "nodes (head and position)": (structure.nodes, structure.nodes_chance),
        "roles": (structure.matched_roles, None),
        "edges between roles": (structure.edges, None),
        "edges between heads": (structure.head_edges, None),
    }
    rows = tuple(
        Row(
            (
                name,
                *_counts(overlap),
                number(chance_share(chance, overlap), "share", 0) if chance is not None else "",
                p_value(chance.p_value) if chance is not None else "",
            )
        )
        for name, (overlap, chance) in kinds.items()
    )
    head = ("", "both", structure.left, structure.right, "of the smaller", "Jaccard", "by chance", "p")
    said = [*conclusion(structure), *moved_heads(structure), *contradictions(structure), *opposites(structure)]
    blocks: list[Block] = [Prose(tuple(said)), Table(head=head, rows=rows), _roles(structure)]
    if structure.notes:
        blocks.append(Prose(structure.notes, note=True))
    yield Subsection("What they share", tuple(blocks))


def _counts(overlap: Overlap) -> tuple[str, ...]:
    shares = (number(overlap.of_smaller, "share", 0), number(overlap.jaccard, "share", 0))
    return (str(len(overlap.shared)), str(overlap.left), str(overlap.right), *shares)


def _roles(structure: Structure) -> Table:
    rows = tuple(
        Row((role_pair(pair), *(" ".join(some) for some in (heads.shared, heads.left_only, heads.right_only))))
        for pair in structure.roles
        for heads in (pair.heads,)
    )
    head = ("role", "heads of both", f"only {structure.left}", f"only {structure.right}")
    return Table(caption="role by role", head=head, rows=rows, folded=True)


def _function(found: FunctionalComparison) -> Iterator[Subsection]:
    function = found.function
    names = {"left": function.left, "right": function.right}
    rows = tuple(
        Row(
            (
                names.get(cell.part, cell.part),
                str(cell.heads),
                names[cell.task],
                estimate(cell.faithfulness, "share"),
                estimate(cell.knockout, "share"),
                cell.note,
            )
        )
        for cell in function.cells
    )
    head = ("part", "nodes", "on the task of", "kept alone (faithfulness)", "knocked out", "")
    apart = function.dissociation
    facts = Facts(
        (
            (f"{function.left} kept alone on the task of {function.right}", _cell(found, "left", "right")),
            (f"{function.right} kept alone on the task of {function.left}", _cell(found, "right", "left")),
            ("dissociation", f"{apart.kind}: {estimate(apart.interaction, 'share')}"),
        )
    )
    yield Subsection(
        "What they do for each other's task", (facts, Table(head=head, rows=rows), *_notes(function.notes))
    )
    if found.curves:
        said = (
            "Each task takes its strongest heads, as many as the axis says: how many are the same, with the band of "
            "resampled prompts, beside what chance gives and the most that is possible."
        )
        drawn = Chart(spec(curves(found.curves)), said, _curve_table(found.curves))
        yield Subsection("Overlap at every threshold", (drawn, *_notes(found.notes)))


def _curve_table(found: Sequence[Curve]) -> Table:
    columns = ("overlap", "low", "high", "chance", "ceiling")
    rows = tuple(
        Row(
            (
                CURVE_KINDS[curve.kind],
                str(point.count),
                *(number(getattr(point, column), "share", 0) for column in columns),
            )
        )
        for curve in found
        for point in curve.points
    )
    head = ("ranked by", "heads taken", "overlap", "from", "to", "chance", "ceiling")
    return Table(caption="the curves as a table", head=head, rows=rows, folded=True)


def _cell(found: FunctionalComparison, part: str, task: str) -> str:
    cells = (cell for cell in found.function.cells if (cell.part, cell.task) == (part, task))
    return estimate(next(cells).faithfulness, "share")


def _notes(notes: Sequence[str]) -> tuple[Block, ...]:
    return (Prose(tuple(notes), note=True),) if notes else ()


def atlas_page(atlas: Atlas) -> Page:
    parts = [
        Subsection(
            "",
            (
                Table(
                    head=("circuit", "model", "task", "heads", "file"),
                    rows=tuple(Row((c.name, c.model, str(c.task), str(len(c.heads)), c.file)) for c in atlas.circuits),
                ),
                *_notes(atlas.notes),
            ),
        )
    ]
    for each in matrices(atlas):
        rows = tuple(Row((atlas.names[c.row], atlas.names[c.column], c.label, c.said)) for c in each.cells)
        behind = Table(caption="the figures as a table", head=("row", "column", "", "figure"), rows=rows, folded=True)
        parts.append(Subsection(each.title, (Chart(spec(matrix(each, atlas)), each.about, behind),)))
    section = Section("atlas", f"atlas of {plural(len(atlas.circuits), 'circuit')}", tuple(parts))
    return Page(f"circuitdsl: {', '.join(atlas.names)}", "", (section,))
