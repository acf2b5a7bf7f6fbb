"""``circuit name { ... }`` -> Circuit: its roles, and every statement as claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import assert_never

from circuitdsl.components import ALL, Geometry, Head, Node, Position, kinds
from circuitdsl.language import tree as t
from circuitdsl.language.bounds import directed, resolve_bound
from circuitdsl.language.budget import Budget
from circuitdsl.language.circuit import Bound, Circuit, Mattering, Nodes, OnTask, Role, Term, member_claim
from circuitdsl.language.claims import Draft, Reader, identified, label_text, patched_from
from circuitdsl.language.diagnostics import Collector, nearest
from circuitdsl.language.dictionaries import resolve_dictionaries
from circuitdsl.language.environment import Environment, MeasureInfo, TaskInfo, TaskRef, UnknownName
from circuitdsl.language.format import at_text, claim_text, subject_text
from circuitdsl.language.methods import resolve_method
from circuitdsl.language.needs import Needs
from circuitdsl.language.paths import resolve_paths
from circuitdsl.language.places import Places
from circuitdsl.language.repeats import unrolled
from circuitdsl.language.scope import Scope
from circuitdsl.language.source import Span
from circuitdsl.language.statements import (
    RESERVED,
    Placed,
    about_text,
    check_labels,
    check_name,
    check_repeats,
    cite_texts,
    every,
    only,
)

Mentions = Mapping[Node, tuple[str, t.Member]]
"""Every node that a role lists, with the role's name and where it stands."""


def resolve_circuit(
    block: t.Circuit, file: str, environment: Environment, collector: Collector, budget: Budget
) -> Circuit | None:
    """The circuit, or None after reporting all that is wrong with it. ``budget`` is that of its file."""
    errors = _error_count(collector)
    block = unrolled(block, collector)
    check_name(block.name, collector)
    subject = f"circuit {block.name.text}"
    about = about_text(block.body, subject, collector)
    model = only(block.body, t.Model, subject, collector)
    task = only(block.body, t.Task, subject, collector)
    only(block.body, t.Method, subject, collector)
    model_name = None if model is None else environment.model(model.name.text, str(PurePath(file).parent))
    geometry = _geometry(model, model_name, block, environment, collector)
    reference = _reference(task, file)
    task_info = _task(task, reference, block, environment, collector)
    method = resolve_method(every(block.body, t.Method), task_info, collector)
    places = Places.of(environment, reference, method.bos) if reference and task_info else Places()
    dictionaries = resolve_dictionaries(block, file, environment, geometry, collector)
    scope = Scope(
        environment,
        collector,
        geometry,
        task_info,
        {},
        method.floor,
        method.members,
        budget,
        bos=method.bos,
        places=places,
        read=Position(method.at),
        dictionaries=dictionaries,
    )
    roles, mentions = _roles(block, scope)
    scope = replace(scope, roles={role.name: role for role in roles})
    drafts = list(_drafts(block, scope, mentions, file, reference))
    check_repeats(drafts, collector, method.against)
    check_labels(block.body, collector)
    _check_wholes(block, drafts, scope)
    if task and task_info:
        Needs(environment, task_info, method, task.span).report(drafts, collector)
    if not drafts and _error_count(collector) == errors:
        remedy = "list heads in a role, or write `edge` or `expect`"
        collector.add("C590", f"circuit {block.name.text} claims nothing", block.name.span, remedy)
    if geometry is None or task_info is None or reference is None or model_name is None:
        return None
    return Circuit(
        name=block.name.text,
        file=file,
        model=model_name,
        geometry=geometry,
        task=reference,
        task_info=task_info,
        method=method,
        roles=roles,
        claims=identified(block.name.text, [draft.claim for draft in drafts]),
        about=about,
        cites=cite_texts(block.body),
        line=block.span.line,
        dictionaries=tuple(dictionary for dictionary in dictionaries.values() if dictionary),
    )


def _error_count(collector: Collector) -> int:
    return sum(diagnostic.severity == "error" for diagnostic in collector.found)


def _geometry(
    model: t.Model | None, name: str | None, block: t.Circuit, environment: Environment, collector: Collector
) -> Geometry | None:
    if model is None or name is None:
        message = f"circuit {block.name.text} does not say which model it is about"
        collector.add("C211", message, block.name.span, "add a line such as `model gpt2`")
        return None
    try:
        return environment.geometry(name)
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
        if error.faults:
            _unusable(task, error, collector)
        else:
            _unknown("C202", task.name, error, collector)
        return None


def _unusable(task: t.Task, error: UnknownName, collector: Collector) -> None:
    """Report every line of a task's file that cannot be used, at its place."""
    note = f"{task.name.span} names the file"
    if error.usable:
        note += f"; `skip: yes` after its name leaves {len(error.faults):,} lines out and uses {error.usable:,}"
    for fault in error.faults:
        span = Span(fault.file, fault.line, 1, fault.line, 1)
        notes = (note,) if fault is error.faults[0] else ()
        collector.add("C231", f"line {fault.line}: {fault.message}", span, fault.remedy, *notes)


def _unknown(code: str, name: t.Name, error: UnknownName, collector: Collector) -> None:
    near = nearest(name.text, error.known)
    meant = f"did you mean `{near}`? " if near and near != name.text else ""
    known = f"known: {', '.join(f'`{known}`' for known in error.known[:12])}" if error.known else ""
    remedy = meant + (error.remedy or known)
    collector.add(code, error.message, name.span, remedy.strip(), *error.notes)


def _reference(task: t.Task | None, file: str) -> TaskRef | None:
    if task is None:
        return None

    def value(given: t.Text | t.Number | t.Name) -> str | float:
        if isinstance(given, t.Number):
            return int(given.value) if given.value.is_integer() else given.value
        return given.value if isinstance(given, t.Text) else given.text

    arguments = tuple((given.key.text if given.key else "", value(given.value)) for given in task.arguments)
    if not any(isinstance(given, str) for _, given in arguments):
        return TaskRef(task.name.text, arguments)  # equal wherever it is written, so that nothing is measured twice
    return TaskRef(task.name.text, arguments, str(PurePath(file).parent))


# --- roles -----------------------------------------------------------------------------------------


def _roles(block: t.Circuit, scope: Scope) -> tuple[tuple[Role, ...], Mentions]:
    """All roles, with the nodes that the model has; a node counts at its first mention."""
    firsts: dict[str, t.Role] = {}
    mentions: dict[Node, tuple[str, t.Member]] = {}
    roles: list[Role] = []
    for written in every(block.body, t.Role):
        name = written.name
        check_name(name, scope.collector)
        if name.text in firsts:
            note = f"the first is at {firsts[name.text].name.span}"
            scope.report("C207", f"there already is a role `{name.text}`", name.span, "rename one, or join them", note)
            continue
        if name.text not in RESERVED and scope.task and name.text in scope.position_names:
            message = f"`{name.text}` is a position of task {scope.task.name}"
            scope.report("C217", message, name.span, "choose another name for the role")
        firsts[name.text] = written
        members = [item for item in written.body if isinstance(item, t.Member)]
        if not members:
            remedy = f"list its nodes: `role {name.text}{at_text(written.at)} {{ 9.6 }}`"
            scope.report("C216", f"role {name.text} lists no nodes", name.span, remedy)
        nodes = _members(written, members, scope, mentions)
        roles.append(Role(name.text, nodes, cite_texts(written.body), written.span.line))
    return tuple(roles), mentions


def _members(
    written: t.Role,
    members: Sequence[t.Member],
    scope: Scope,
    mentions: dict[Node, tuple[str, t.Member]],
) -> tuple[Node, ...]:
    role_position: Position | None = ALL
    if written.at:
        role_position = scope.position(written.at)
    nodes: list[Node] = []
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
    if not written.at and members and members[-1].at and not any(member.at for member in members[:-1]):
        others = (node.position for node in nodes if mentions[node][1] is not members[-1])
        remedy = f"before the braces, `role {written.name.text}{at_text(members[-1].at)} {{ ... }}`, it is said of all"
        scope.said_of_last(members[-1], others, remedy)
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


# --- claims ---------------------------------------------------------------------------------------


def _drafts(block: t.Circuit, scope: Scope, mentions: Mentions, file: str, own: TaskRef | None) -> Iterator[Placed]:
    """Every claim, in the order of the text. ``own`` is the circuit's task."""
    reader = Reader(scope, "circuit")
    seen: set[str] = set()
    for statement in block.body:
        match statement:
            case t.Role(name):
                if name.text not in seen:
                    yield from _role_drafts(statement, scope.roles[name.text], mentions, reader)
                seen.add(name.text)
            case t.Edge():
                yield from (Placed(draft, statement.span) for draft in _edge_drafts(statement, scope))
            case t.Expect():
                if draft := reader.expect(statement):
                    yield Placed(draft, statement.span)
            case t.ControlTask():
                if draft := _control_draft(statement, scope, file, own):
                    yield Placed(draft, statement.span)
            case t.About() | t.Cite() | t.Model() | t.Task() | t.Dictionary() | t.Method():
                pass  # says nothing that can be false
            case t.Repeat():
                raise AssertionError("the repeats of a circuit are written out before it is resolved")
            case _:
                assert_never(statement)


def _check_wholes(block: t.Circuit, drafts: Sequence[Placed], scope: Scope) -> None:
    """Report measurements of the whole circuit where none of it, or none of its edges, is stated."""
    members = (item for role in every(block.body, t.Role) for item in role.body if isinstance(item, t.Member))
    lists = any(kinds()[member.component.rule].claims_to_matter for member in members)
    states = any(not edge.absent for edge in every(block.body, t.Edge))
    for placed in drafts:
        term, known = placed.claim.term, scope.environment.measures
        if placed.claim.kind != "expect" or not known[term.measure].of_whole or states:
            continue
        name = block.name.text
        if "edges" in term.options:
            message, remedy = f"circuit {name} states no edges", "state some: `edge 9.6 at END -> logits`"
        elif not lists:
            message = (
                f"`{term.measure}` is a figure of the whole circuit, and {name} lists no heads and states no edges"
            )
            remedy = "list heads in a role, `role mover at END { 9.6 }`, or state edges"
        else:
            continue
        scope.report("C519", message, placed.span, remedy)


def _role_drafts(written: t.Role, role: Role, mentions: Mentions, reader: Reader) -> Iterator[Placed]:
    claimed = reader.scope.members
    for node in role.nodes:
        if claimed != "none" and node.component.claims_to_matter:
            _, member = mentions[node]
            draft = _member_draft(node, claimed, role, written, member.span.line, reader.scope)
            yield Placed(draft, member.span)
    for item in written.body:
        draft = reader.expect(item, role) if isinstance(item, t.Expect) else None
        if draft:
            yield Placed(draft, item.span)


def _member_draft(node: Node, claimed: Mattering, role: Role, written: t.Role, line: int, scope: Scope) -> Draft:
    place = f" at {node.position}" if node.position != ALL or written.at else ""
    label = str(node.component)
    term, bound = member_claim(claimed, (("heads", Nodes(label, (node,))),), scope.floor)
    text = f"role {role.name}{place}: {label} matters"
    at = "" if node.position == ALL else f" at {node.position}"
    return Draft(line, text, f"member {label}{at}", "member", term, bound, role.name)


def _edge_drafts(written: t.Edge, scope: Scope) -> Iterator[Draft]:
    paths = resolve_paths(scope, written.senders, written.receiver, written.absent)
    bound = _edge_bound(written, scope)
    against = patched_from(scope, written.against)
    if paths is None or bound is None or against is None:
        return
    for one, path in zip(_pairs(written), paths, strict=True):
        kind = "no edge" if written.absent else "edge"
        term = Term("effect", (("path", path), *against), ("strict",) if written.strict else ())
        text = claim_text(one)
        subject = text if one.judgement is None else subject_text(one)
        yield Draft(written.span.line, text, subject, kind, term, bound, label=label_text(written))


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
        case t.AtLeast() | t.Between() | t.Outside():
            measure = scope.environment.measures.get("effect", MeasureInfo("effect", "share", "", ""))
            return resolve_bound(scope, judgement, "effect", measure.unit, measure.limits)
        case _:
            assert_never(judgement)


def _pairs(written: t.Edge) -> Iterator[t.Edge]:
    """The statements of an edge between groups, one a pair, in the order of its paths."""
    receiver = written.receiver
    receivers = [replace(receiver, items=(item,)) for item in receiver.items] if isinstance(receiver, t.Group) else []
    for item in written.senders.items:
        senders = replace(written.senders, items=(item,))
        yield from (replace(written, senders=senders, receiver=one) for one in receivers or [receiver])


# --- control tasks ---------------------------------------------------------------------------------


def _control_draft(written: t.ControlTask, scope: Scope, file: str, own: TaskRef | None) -> Draft | None:
    """That the circuit's heads, knocked out on another task, change its metric by less than the floor."""
    reference = _reference(written.task, file)
    assert reference is not None
    if reference == own:
        message = f"{reference} is the circuit's own task, for which its heads should matter"
        scope.report("C521", message, written.task.span, "name a task for which they should not")
        return None
    try:
        info = scope.environment.task(reference)
    except UnknownName as error:
        _unknown("C202", written.task.name, error, scope.collector)
        return None
    components = (node.component for role in scope.roles.values() for node in role.nodes)
    heads = sorted({component for component in components if isinstance(component, Head)})
    if not heads:
        message = "a control task is one for which the circuit's heads do not matter, and it lists none"
        scope.report("C522", message, written.span, "list heads in a role, or leave the control task out")
        return None
    bound = _control_bound(written, scope)
    if bound is None:
        return None
    nodes = Nodes("the circuit's heads", tuple(Node(head, ALL) for head in heads))
    term = Term("knockout", (("heads", nodes), ("task", OnTask(reference, info))))
    texts = claim_text(written), subject_text(written)
    return Draft(written.span.line, *texts, "control task", term, bound, label=label_text(written))


def _control_bound(written: t.ControlTask, scope: Scope) -> Bound | None:
    if written.judgement is None:
        return Bound("inside", -scope.floor, scope.floor)
    measure = scope.environment.measures.get("knockout", MeasureInfo("knockout", "share", "", ""))
    return resolve_bound(scope, written.judgement, "control task", measure.unit, measure.limits)
