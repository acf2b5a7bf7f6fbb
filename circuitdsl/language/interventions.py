"""``intervention name on circuit { ... }`` -> Intervention: what it does, and what it claims."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import ALL, Action, Circuit, Head, Intervention, Node, Position, Target
from circuitdsl.language.claims import Reader, identified
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.environment import Environment
from circuitdsl.language.format import statement_text
from circuitdsl.language.methods import ABLATIONS, counterfactual
from circuitdsl.language.scope import Scope
from circuitdsl.language.statements import Placed, about_text, check_name, check_repeats, cite_texts, every, is_known

ROUNDING = 0.001
"""How far from 1 the shares of a row may add up to, since they are written rounded."""


def resolve_intervention(
    block: t.Intervention,
    file: str,
    circuits: Mapping[str, Circuit | None],
    environment: Environment,
    collector: Collector,
) -> Intervention | None:
    """The intervention, or None after reporting that its circuit is not known, or is wrong itself."""
    check_name(block.name, collector)
    about = about_text(block.body, f"intervention {block.name.text}", collector)
    if not is_known(block.on, circuits, collector):
        return None
    circuit = circuits[block.on.text]
    if circuit is None:
        return None
    roles = {role.name: role for role in circuit.roles}
    scope = Scope(environment, collector, circuit.geometry, circuit.task_info, roles, circuit.method.floor)
    reader = Reader(scope, "intervention")
    written = [item for item in block.body if isinstance(item, t.Action)]
    actions = [(item, _action(item, scope)) for item in written]
    _check_actions(actions, scope)
    if not written:
        message = f"intervention {block.name.text} does nothing"
        remedy = "add an action: `attend`, `ablate`, `patch`, `scale` or `freeze`"
        collector.add("C604", message, block.name.span, remedy)
    expects = every(block.body, t.Expect)
    placed = [Placed(draft, item.span) for item in expects if (draft := reader.expect(item))]
    check_repeats(placed, collector)
    if not expects:
        remedy = "add a line such as `expect accuracy - baseline >= 30%`"
        collector.add("C590", f"intervention {block.name.text} claims nothing", block.name.span, remedy)
    claims = identified(block.name.text, [item.claim for item in placed])
    made = tuple(action for _, action in actions if action)
    name, on = block.name.text, block.on.text
    return Intervention(name, on, file, made, claims, about, cite_texts(block.body), block.span.line)


def _action(item: t.Action, scope: Scope) -> Action | None:
    text = statement_text(item)
    if isinstance(item, t.Attend):
        return _attend(item, scope, text)
    nodes = _nodes(item.nodes, scope)
    if nodes is None:
        return None
    match item:
        case t.Ablate(_, None):
            return Action("ablate", nodes, text=text)
        case t.Ablate(_, words):
            for ablation in ("zero", "mean", "mean by template", "resample"):
                if words and words.text == ablation:
                    return Action("ablate", nodes, ablation=ablation, text=text)
            assert words is not None
            remedy = suggestion(words.text, ABLATIONS, "value")
            scope.report("C213", f"there is no ablation `{words.text}`", words.span, remedy)
            return None
        case t.Patch(_, name):
            found = counterfactual(name, scope.task, scope.collector)
            return Action("patch", nodes, counterfactual=found, text=text) if found else None
        case t.Scale(_, factor):
            if abs(factor.value) > 1e6:
                scope.report("C105", f"`{factor.text}` is beyond any use", factor.span, "write it smaller")
                return None
            return Action("scale", nodes, factor=factor.value, text=text)
    return Action("freeze", nodes, text=text)


def _nodes(group: t.Group, scope: Scope) -> tuple[Node, ...] | None:
    items = scope.group(group, ALL)
    return None if items is None else tuple(dict.fromkeys(node for item in items for node in item.nodes))


def _attend(item: t.Attend, scope: Scope, text: str) -> Action | None:
    query, targets = scope.position(item.query), _targets(item.targets, scope)
    nodes = _nodes(item.nodes, scope)
    if query is None or targets is None or nodes is None:
        return None
    others = [node for node in nodes if not isinstance(node.component, Head)]
    if others:
        message = f"`{others[0].component}` attends to nothing: it is no head"
        scope.report("C517", message, item.nodes.span, "name heads only")
        return None
    rows = tuple(dict.fromkeys(Node(node.component, query) for node in nodes))
    return Action("attend", rows, targets=targets, text=text)


def _targets(written: Sequence[t.Target], scope: Scope) -> tuple[Target, ...] | None:
    """The targets, their shares scaled to add up to 1 where rounding keeps them from it; None if they do not."""
    positions = [scope.position(target.place) for target in written]
    shares = [_share(target, scope) for target in written]
    right = _all_different(written, positions, scope)
    if None in positions or None in shares:
        return None
    total = math.fsum(share for share in shares if share is not None)
    if abs(total - 1) > ROUNDING + 1e-9:
        missing = f"{abs(total - 1) * 100:.6g}%"
        remedy = f"give them {missing} more" if total < 1 else f"take {missing} from them"
        message = f"these shares add up to {total * 100:.6g}%, and a row of attention to 100%"
        scope.report("C607", message, written[0].span.to(written[-1].span), remedy)
        return None
    pairs = zip(positions, shares, strict=True)
    made = tuple(Target(position, share / total) for position, share in pairs if position and share)
    return made if right else None


def _share(target: t.Target, scope: Scope) -> float | None:
    number = target.share
    if 0 < number.value <= 1:
        return number.value
    slip = not number.percent and 1 < number.value <= 100
    remedy = f"write `{number.text}%`" if slip else "a share is more than 0% and at most 100%; leave out what gets none"
    scope.report("C606", f"`{number.text}` is no share of a row of attention", number.span, remedy)
    return None


def _all_different(written: Sequence[t.Target], positions: Sequence[Position | None], scope: Scope) -> bool:
    """Whether no position stands twice; says where one does."""
    firsts: dict[Position, t.Target] = {}
    right = True
    for target, position in zip(written, positions, strict=True):
        if position in firsts:
            note = f"the first is at {firsts[position].span}"
            scope.report("C608", f"`{position}` is given two shares", target.span, "write one: their sum", note)
            right = False
        elif position is not None:
            firsts[position] = target
    return right


def _check_actions(actions: Sequence[tuple[t.Action, Action | None]], scope: Scope) -> None:
    """Report two actions on one output: attending is an action on a pattern, all others on outputs."""
    firsts: dict[tuple[bool, Node], t.Action] = {}
    for written, action in actions:
        for node in action.nodes if action else ():
            key = (isinstance(written, t.Attend), node)
            if key in firsts:
                note = f"the first is at {firsts[key].span}"
                message = f"`{node}` is already changed by another action"
                scope.report("C605", message, written.span, "leave one out", note)
                break
            firsts[key] = written
