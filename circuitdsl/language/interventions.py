"""``intervention name on circuit { ... }`` -> Intervention: what it does, and what it claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import ALL, Action, Circuit, Head, Intervention, Node
from circuitdsl.language.claims import Reader, identified
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.environment import Environment
from circuitdsl.language.format import statement_text
from circuitdsl.language.methods import ABLATIONS, counterfactual
from circuitdsl.language.scope import Scope
from circuitdsl.language.statements import Placed, about_text, check_name, check_repeats, cite_texts, every, is_known


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
    query, target = scope.position(item.query), scope.position(item.target)
    nodes = _nodes(item.nodes, scope)
    if query is None or target is None or nodes is None:
        return None
    others = [node for node in nodes if not isinstance(node.component, Head)]
    if others:
        message = f"`{others[0].component}` attends to nothing: it is no head"
        scope.report("C517", message, item.nodes.span, "name heads only")
        return None
    rows = tuple(dict.fromkeys(Node(node.component, query) for node in nodes))
    return Action("attend", rows, target=target, text=text)


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
