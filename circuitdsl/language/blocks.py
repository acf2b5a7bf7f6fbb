"""Blocks of the syntax tree -> circuits, comparisons and interventions, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TypeVar

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import (
    ALL,
    Action,
    Bound,
    Circuit,
    Comparison,
    Embed,
    Head,
    Intervention,
    LogitsReceiver,
    Node,
    Nodes,
    Path,
    PosEmbed,
    Position,
    Role,
    Term,
)
from circuitdsl.language.claims import Draft, Reader, directed, identified, resolve_bound
from circuitdsl.language.diagnostics import Collector, nearest, suggestion
from circuitdsl.language.environment import Environment, Geometry, MeasureInfo, TaskInfo, TaskRef, UnknownName
from circuitdsl.language.format import at_text, statement_text
from circuitdsl.language.methods import ABLATIONS, counterfactual, resolve_method
from circuitdsl.language.paths import resolve_paths
from circuitdsl.language.scope import Scope
from circuitdsl.language.source import Span

MOST_CLAIMS = 10_000
RESERVED = frozenset({"all", "answer", "baseline", "END"})

S = TypeVar("S", bound=t.Syntax)


# --- circuit ---------------------------------------------------------------------------------------


def resolve_circuit(block: t.Circuit, file: str, environment: Environment, collector: Collector) -> Circuit | None:
    """The circuit, or None after reporting all that is wrong with it."""
    errors = _error_count(collector)
    _check_name(block.name, collector)
    about = _only(block, t.About, collector)
    model = _only(block, t.Model, collector)
    task = _only(block, t.Task, collector)
    _only(block, t.Method, collector)
    geometry = _geometry(model, block, environment, collector)
    reference = _reference(task, file)
    task_info = _task(task, reference, block, environment, collector)
    method = resolve_method(_every(block, t.Method), task_info, collector)
    scope = Scope(environment, collector, geometry, task_info, {}, method.floor)
    roles = _roles(block, scope)
    scope = replace(scope, roles={role.name: role for role in roles})
    drafts = list(_drafts(block, scope))
    _check_repeats(drafts, collector, file)
    if not drafts and _error_count(collector) == errors:
        remedy = "list heads in a role, or write `edge` or `expect`"
        collector.add("C590", f"circuit {block.name.text} claims nothing", block.name.span, remedy)
    if len(drafts) > MOST_CLAIMS:
        message = f"circuit {block.name.text} makes {len(drafts)} claims"
        collector.add("C515", message, block.name.span, f"at most {MOST_CLAIMS} can be checked: split it")
    if geometry is None or task_info is None or reference is None or model is None:
        return None
    return Circuit(
        name=block.name.text,
        file=file,
        model=model.name.text,
        geometry=geometry,
        task=reference,
        task_info=task_info,
        method=method,
        roles=roles,
        claims=identified(block.name.text, [draft.claim for draft in drafts[:MOST_CLAIMS]]),
        about=about.text.value if about else "",
        cites=tuple(cite.text.value for cite in _every(block, t.Cite)),
        line=block.span.line,
    )


def _error_count(collector: Collector) -> int:
    return sum(diagnostic.severity == "error" for diagnostic in collector.found)


def _every(block: t.Circuit, kind: type[S]) -> list[S]:
    return [statement for statement in block.body if isinstance(statement, kind)]


def _only(block: t.Circuit, kind: type[S], collector: Collector) -> S | None:
    """The one statement of a kind, None if there is none; others are reported."""
    first, *others = _every(block, kind) or [None]
    for other in others:
        if first is not None and other is not None:
            word = kind.__name__.lower()
            message = f"circuit {block.name.text} has two `{word}` statements"
            collector.add("C208", message, other.span, "leave one out", f"the first is at {first.span}")
    return first


def _check_name(name: t.Name, collector: Collector) -> None:
    if name.text in RESERVED:
        message = f"`{name.text}` has a meaning of its own and cannot be a name"
        collector.add("C209", message, name.span, "choose another name")


def _geometry(
    model: t.Model | None, block: t.Circuit, environment: Environment, collector: Collector
) -> Geometry | None:
    if model is None:
        message = f"circuit {block.name.text} does not say which model it is about"
        collector.add("C211", message, block.name.span, "add a line such as `model gpt2`")
        return None
    try:
        return environment.geometry(model.name.text)
    except UnknownName as error:
        _unknown("C201", model.name, error, collector)
        return None


def _task(
    task: t.Task | None,
    reference: TaskRef | None,
    block: t.Circuit,
    environment: Environment,
    collector: Collector,
) -> TaskInfo | None:
    if task is None or reference is None:
        message = f"circuit {block.name.text} does not say which task it is about"
        collector.add("C212", message, block.name.span, "add a line such as `task ioi`")
        return None
    try:
        return environment.task(reference)
    except UnknownName as error:
        _unknown("C202", task.name, error, collector)
        return None


def _unknown(code: str, name: t.Name, error: UnknownName, collector: Collector) -> None:
    near = nearest(name.text, error.known)
    meant = f"did you mean `{near}`? " if near and near != name.text else ""
    known = f"known: {', '.join(f'`{known}`' for known in error.known[:12])}" if error.known else ""
    remedy = meant + (error.remedy or known)
    collector.add(code, error.message, name.span, remedy.strip())


def _reference(task: t.Task | None, file: str) -> TaskRef | None:
    if task is None:
        return None

    def value(given: t.Text | t.Number | t.Name) -> str | float:
        if isinstance(given, t.Number):
            return int(given.value) if given.value.is_integer() else given.value
        return given.value if isinstance(given, t.Text) else given.text

    arguments = tuple((given.key.text if given.key else "", value(given.value)) for given in task.arguments)
    return TaskRef(task.name.text, arguments, str(PurePath(file).parent))


# --- roles -----------------------------------------------------------------------------------------


def _roles(block: t.Circuit, scope: Scope) -> tuple[Role, ...]:
    """All roles, with the nodes that the model has; a node counts at its first mention."""
    firsts: dict[str, t.Role] = {}
    mentions: dict[Node, tuple[str, t.Member]] = {}
    roles = []
    for written in _every(block, t.Role):
        name = written.name
        _check_name(name, scope.collector)
        if name.text in firsts:
            note = f"the first is at {firsts[name.text].name.span}"
            scope.report("C207", f"there already is a role `{name.text}`", name.span, "rename one, or join them", note)
            continue
        if name.text not in RESERVED and scope.task and name.text in {info.name for info in scope.task.positions}:
            message = f"`{name.text}` is a position of task {scope.task.name}"
            scope.report("C217", message, name.span, "choose another name for the role")
        firsts[name.text] = written
        members = [item for item in written.body if isinstance(item, t.Member)]
        if not members:
            remedy = f"list its nodes: `role {name.text}{at_text(written.at)} {{ 9.6 }}`"
            scope.report("C216", f"role {name.text} lists no nodes", name.span, remedy)
        nodes = _members(written, members, scope, mentions)
        cites = tuple(item.text.value for item in written.body if isinstance(item, t.Cite))
        roles.append(Role(name.text, nodes, cites, written.span.line))
    return tuple(roles)


def _members(
    written: t.Role,
    members: Sequence[t.Member],
    scope: Scope,
    mentions: dict[Node, tuple[str, t.Member]],
) -> tuple[Node, ...]:
    role_position: Position | None = ALL
    if written.at:
        role_position = scope.position(written.at)
    nodes = []
    for member in members:
        components = scope.components(member.component)
        position = scope.position(member.at) if member.at else role_position
        if position is None:
            continue
        for component in components:
            node = Node(component, position)
            if node in mentions:
                _report_repeat(node, written, member, mentions[node], scope)
                break
            mentions[node] = (written.name.text, member)
            nodes.append(node)
    return tuple(nodes)


def _report_repeat(node: Node, written: t.Role, member: t.Member, first: tuple[str, t.Member], scope: Scope) -> None:
    role, mention = first
    note = f"the first is at {mention.span}"
    if role == written.name.text:
        message = f"`{node.component}` stands twice in role {role}"
        scope.report("C210", message, member.span, "leave one out", note)
        return
    message = f"`{node.component}` already is in role {role}, at the same position"
    remedy = f"leave it out of one role, or write another position: `{node.component} at ...`"
    scope.report("C210", message, member.span, remedy, note)


# --- claims of a circuit ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Placed:
    """A draft with the span of the statement that makes it."""

    claim: Draft
    span: Span


def _drafts(block: t.Circuit, scope: Scope) -> Iterator[_Placed]:
    """Every claim, in the order of the text."""
    reader = Reader(scope, "circuit")
    seen: set[str] = set()
    for statement in block.body:
        if isinstance(statement, t.Role) and statement.name.text not in seen:
            seen.add(statement.name.text)
            yield from _role_drafts(statement, scope.roles[statement.name.text], scope, reader)
        elif isinstance(statement, t.Edge):
            for draft in _edge_drafts(statement, scope):
                yield _Placed(draft, statement.span)
        elif isinstance(statement, t.Expect):
            draft = reader.expect(statement)
            if draft:
                yield _Placed(draft, statement.span)


def _role_drafts(written: t.Role, role: Role, scope: Scope, reader: Reader) -> Iterator[_Placed]:
    lines = _lines_of(written, role, scope)
    for node in role.nodes:
        if not isinstance(node.component, Embed | PosEmbed):
            span = lines.get(node, written.span)
            yield _Placed(_member_draft(node, role, written, span.line, scope.floor), span)
    for item in written.body:
        draft = reader.expect(item, role) if isinstance(item, t.Expect) else None
        if draft:
            yield _Placed(draft, item.span)


def _lines_of(written: t.Role, role: Role, scope: Scope) -> dict[Node, Span]:
    """Where each node of a role is listed."""
    spans: dict[Node, Span] = {}
    quiet = replace(scope, collector=Collector())  # what is wrong has been reported
    for item in written.body:
        if isinstance(item, t.Member):
            place = item.at or written.at
            position = quiet.position(place) if place else ALL
            for component in quiet.components(item.component) if position else ():
                spans.setdefault(Node(component, position or ALL), item.span)
    return spans


def _member_draft(node: Node, role: Role, written: t.Role, line: int, floor: float) -> Draft:
    place = f" at {node.position}" if node.position != ALL or written.at else ""
    label = str(node.component)
    term = Term("minimality", (("heads", Nodes(label, (node,))),))
    text = f"role {role.name}{place}: {label} matters"
    return Draft(line, text, "member", term, Bound(">=", low=floor), role.name, label.replace(" ", ""))


def _edge_drafts(written: t.Edge, scope: Scope) -> Iterator[Draft]:
    paths = resolve_paths(scope, written.senders, written.receiver, written.absent)
    bound = _edge_bound(written, scope)
    if paths is None or bound is None:
        return
    for path in paths:
        kind = "no edge" if written.absent else "edge"
        text = statement_text(written) if len(paths) == 1 else _pair_text(written, path)
        yield Draft(written.span.line, text, kind, Term("effect", (("path", path),)), bound)


def _edge_bound(written: t.Edge, scope: Scope) -> Bound | None:
    floor, judgement = scope.floor, written.judgement
    match judgement:
        case None:
            return Bound("inside" if written.absent else "outside", -floor, floor)
        case t.Direction():
            return directed(judgement, floor)
        case t.Against():
            message = "an edge is compared with a bound, not with a control"
            scope.report("C505", message, judgement.span, "write `expect effect(...)` for that, or a bound here")
            return None
    measure = scope.environment.measures.get("effect", MeasureInfo("effect", "share", "", ""))
    return resolve_bound(scope, judgement, "effect", measure.unit, measure.limits)


def _pair_text(written: t.Edge, path: Path) -> str:
    """The statement of one pair of an edge between groups."""
    receiver = written.receiver
    if isinstance(receiver, t.Group):
        name = t.Words((path.receivers.label,))
        one: t.Group | t.Logits = replace(receiver, items=(t.Name(name.text),))
    else:
        one = receiver
    senders = replace(written.senders, items=(t.Name(path.senders.label),))
    return statement_text(replace(written, senders=senders, receiver=one))


def _check_repeats(drafts: Sequence[_Placed], collector: Collector, file: str) -> None:
    """Report claims that are made twice: an edge between the same nodes, or the very same expectation."""
    firsts: dict[object, _Placed] = {}
    for placed in drafts:
        claim = placed.claim
        if claim.kind == "member":
            continue
        key = _path_key(claim.term) if claim.kind != "expect" else (claim.term, claim.bound)
        if key in firsts:
            first = firsts[key]
            note = f"the first is at {first.span}"
            does = "repeats" if first.claim.kind == claim.kind else "contradicts"
            if first.span != placed.span:  # within a statement the group repeats itself, which has been reported
                collector.add("C215", f"`{claim.text}` {does} a claim", placed.span, "leave one out", note)
        firsts.setdefault(key, placed)


def _path_key(term: Term) -> object:
    path = dict(term.arguments)["path"]
    assert isinstance(path, Path)
    receivers = path.receivers
    target = () if isinstance(receivers, LogitsReceiver) else (frozenset(receivers.nodes), receivers.inputs)
    return frozenset(path.senders.nodes), target


# --- compare ---------------------------------------------------------------------------------------


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
    known = [_known(name, circuits, collector) for name in (block.left, block.right)]
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
    drafts = [reader.expect(item) for item in block.body if isinstance(item, t.Expect)]
    placed = [
        _Placed(draft, item.span)
        for draft, item in zip(drafts, (i for i in block.body if isinstance(i, t.Expect)), strict=True)
        if draft
    ]
    _check_repeats(placed, collector, file)
    if not drafts:
        span = block.left.span.to(block.right.span)
        collector.add(
            "C590", "this comparison claims nothing", span, "add a line such as `expect overlap(heads) >= 70%`"
        )
    claims = identified("~".join(pair), [item.claim for item in placed])
    return Comparison(*pair, file, aligned, claims, block.span.line)


def _known(name: t.Name, circuits: Mapping[str, Circuit | None], collector: Collector) -> bool:
    if name.text in circuits:
        return True
    remedy = suggestion(name.text, circuits, "circuit") + '; make others known with `use "file.circuit"`'
    collector.add("C204", f"there is no circuit `{name.text}`", name.span, remedy)
    return False


def _role_names(circuit: Circuit | None) -> tuple[str, ...] | None:
    return None if circuit is None else tuple(role.name for role in circuit.roles)


def _aligned(
    block: t.Comparison,
    pair: tuple[str, str],
    sides: Sequence[tuple[str, ...] | None],
    collector: Collector,
) -> tuple[tuple[str, str], ...]:
    firsts: dict[tuple[int, str], t.Name] = {}
    aligned = []
    for names in [names for item in block.body if isinstance(item, t.Align) for names in item.pairs]:
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


# --- intervention ----------------------------------------------------------------------------------


def resolve_intervention(
    block: t.Intervention,
    file: str,
    circuits: Mapping[str, Circuit | None],
    environment: Environment,
    collector: Collector,
) -> Intervention | None:
    """The intervention, or None after reporting that its circuit is not known, or is wrong itself."""
    _check_name(block.name, collector)
    if not _known(block.on, circuits, collector):
        return None
    circuit = circuits[block.on.text]
    if circuit is None:
        return None
    roles = {role.name: role for role in circuit.roles}
    scope = Scope(environment, collector, circuit.geometry, circuit.task_info, roles, circuit.method.floor)
    reader = Reader(scope, "intervention")
    written = [item for item in block.body if not isinstance(item, t.Expect)]
    actions = [(item, _action(item, scope)) for item in written]
    _check_actions(actions, scope)
    if not written:
        message = f"intervention {block.name.text} does nothing"
        remedy = "add an action: `attend`, `ablate`, `patch`, `scale` or `freeze`"
        collector.add("C604", message, block.name.span, remedy)
    expects = [item for item in block.body if isinstance(item, t.Expect)]
    placed = [_Placed(draft, item.span) for item in expects if (draft := reader.expect(item))]
    _check_repeats(placed, collector, file)
    if not expects:
        remedy = "add a line such as `expect accuracy - baseline >= 30%`"
        collector.add("C590", f"intervention {block.name.text} claims nothing", block.name.span, remedy)
    claims = identified(block.name.text, [item.claim for item in placed])
    made = tuple(action for _, action in actions if action)
    return Intervention(block.name.text, block.on.text, file, made, claims, block.span.line)


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
