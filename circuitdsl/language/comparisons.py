"""``compare left with right { ... }`` -> Comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuitdsl.errors import InputError
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Circuit, Comparison
from circuitdsl.language.claims import Reader, identified
from circuitdsl.language.diagnostics import Collector, SpecError, suggestion
from circuitdsl.language.environment import Environment
from circuitdsl.language.parse import parse
from circuitdsl.language.scope import Scope
from circuitdsl.language.source import Source
from circuitdsl.language.statements import Placed, about_text, check_labels, check_repeats, cite_texts, every, is_known


def resolve_comparison(
    block: t.Comparison,
    file: str,
    circuits: Mapping[str, Circuit | None],
    environment: Environment,
    collector: Collector,
) -> Comparison | None:
    """The comparison, or None after reporting that its circuits are not known.

    ``circuits`` holds None for a circuit in which something is wrong; its roles then go unchecked.
    """
    about = about_text(block.body, "this comparison", collector)
    known = [is_known(name, circuits, collector) for name in (block.left, block.right)]
    if not all(known):
        return None
    if block.left.text == block.right.text:
        message = f"`{block.left.text}` is compared with itself"
        collector.add("C601", message, block.right.span, "name another circuit")
        return None
    pair = (block.left.text, block.right.text)
    sides = tuple(_role_names(circuits[name]) for name in pair)
    scope = Scope(environment, collector, None, None, {}, 0.0)
    reader = Reader(scope, "compare", pair, sides)
    aligned = _aligned(block, pair, sides, collector)
    expects = every(block.body, t.Expect)
    placed = [Placed(draft, item.span) for item in expects if (draft := reader.expect(item))]
    check_repeats(placed, collector, against="")
    check_labels(block.body, collector)
    if not expects:
        span = block.left.span.to(block.right.span)
        remedy = "add a line such as `expect overlap(heads) >= 70%`"
        collector.add("C590", "this comparison claims nothing", span, remedy)
    claims = identified("~".join(pair), [item.claim for item in placed])
    return Comparison(*pair, file, aligned, claims, about, cite_texts(block.body), block.span.line)


def read_align(written: Sequence[str], left: Circuit, right: Circuit, name: str) -> tuple[tuple[str, str], ...]:
    """The pairs of roles that ``align`` lines given outside a file name, each such as ``"a ~ b, c ~ d"``.

    They are read as the lines of a compare block are, so that they have the same spelling and the same errors.
    ``name`` is what these errors call the place.

    Raises:
        SpecError: with all that is wrong in them.
        InputError: if they hold more than pairs of roles.
    """
    lines = "".join(f"  align {' '.join(line.split())}\n" for line in written)
    source = Source(name, f"compare {left.name} with {right.name} {{\n{lines}}}\n")
    blocks = parse(source).blocks
    only = blocks[0] if len(blocks) == 1 else None
    if not isinstance(only, t.Comparison) or [type(item) for item in only.body] != [t.Align] * len(written):
        raise InputError(f"{name} takes pairs of roles and no more", f'write it as {name} "role ~ role, role ~ role"')
    collector = Collector()
    aligned = _aligned(only, (left.name, right.name), (_role_names(left), _role_names(right)), collector)
    if collector.found:
        raise SpecError(collector.found, {source.path: source})
    return aligned


def _role_names(circuit: Circuit | None) -> tuple[str, ...] | None:
    return None if circuit is None else tuple(role.name for role in circuit.roles)


def _aligned(
    block: t.Comparison,
    pair: tuple[str, str],
    sides: Sequence[tuple[str, ...] | None],
    collector: Collector,
) -> tuple[tuple[str, str], ...]:
    firsts: dict[tuple[int, str], t.Name] = {}
    aligned: list[tuple[str, str]] = []
    for names in [names for item in every(block.body, t.Align) for names in item.pairs]:
        for side, name in enumerate(names):
            roles = sides[side]
            if roles is not None and name.text not in roles:
                message = f"circuit {pair[side]} has no role `{name.text}`"
                collector.add("C203", message, name.span, suggestion(name.text, roles, "role"))
            if (side, name.text) in firsts:
                note = f"the first is at {firsts[side, name.text].span}"
                message = f"role `{name.text}` of {pair[side]} is aligned twice"
                collector.add("C603", message, name.span, "a role has one counterpart: leave one out", note)
            firsts.setdefault((side, name.text), name)
        aligned.append((names[0].text, names[1].text))
    return tuple(aligned)
