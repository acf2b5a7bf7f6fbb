"""The members of roles: those that do nothing go or move, and what acts and is not listed joins the role that it is
like, or makes a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from circuitdsl.components import ALL, Component, Node
from circuitdsl.draft.places import Places
from circuitdsl.draft.refine.amendments import Amendment, evidence, kept_back, proposal
from circuitdsl.draft.refine.editing import Specification
from circuitdsl.draft.refine.inquiry import Answer, Inquiry
from circuitdsl.draft.refine.joining import joined
from circuitdsl.draft.refine.outside import Acting, Lookout, acting, located, lookout
from circuitdsl.draft.refine.superfluous import superfluous, together, unneeded
from circuitdsl.draft.roles import named
from circuitdsl.language.circuit import Role

ADDS = "what it adds to the circuit"

Idle = Mapping[Node, Answer]
Moves = Mapping[Node, tuple[Node, ...]]
"""Nodes that do nothing, with those as which their components act."""


def member_amendments(inquiry: Inquiry, places: Places, unlisted: bool, far: str) -> tuple[Amendment, ...]:
    """Changes of roles. ``unlisted`` looks for heads that no role lists; ``far`` is why nothing can be said of what
    listed ones add, if it cannot."""
    where = lookout(places, inquiry)
    idle = unneeded(where.gaps, inquiry) if far else superfluous(inquiry)
    acts = _acting(idle, unlisted, where, inquiry)
    moves = _moves(idle, acts)
    idle = {node: answer for node, answer in idle.items() if node in moves or not far}
    gone = together(sorted(idle, key=lambda node: idle[node].found.estimate.value or 0), inquiry)
    moved = {node for nodes in moves.values() for node in nodes}
    more = {node: acts[node] for node in acts if node not in moved}
    return (
        *_of_idle(idle, gone, moves, acts, inquiry),
        *_of_acting(more, places, inquiry),
    )


def _acting(idle: Idle, unlisted: bool, where: Lookout, inquiry: Inquiry) -> Acting:
    """Nodes that act and are not listed; of one component no two that stand at one token on any prompt."""
    found = acting(idle, unlisted, where, inquiry)
    heads = {node: each for node, each in found.items() if node.position == ALL}
    acts = {node: each for node, each in found.items() if node.position != ALL}
    apart: list[Node] = []
    for component, nodes in _by_component(acts).items():
        apart += [Node(component, place) for place in where.apart([node.position for node in nodes])]
    return {node: acts[node] for node in apart} | dict(located(heads, where, inquiry) if heads else {})


def _by_component(nodes: Iterable[Node]) -> dict[Component, list[Node]]:
    found: dict[Component, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.component, []).append(node)
    return found


def _moves(idle: Idle, acts: Acting) -> Moves:
    """Where components act that do nothing where they are listed, told of the first of their nodes."""
    elsewhere = _by_component(acts)
    first = {node.component: node for node in reversed(list(idle))}
    return {node: tuple(elsewhere[component]) for component, node in first.items() if component in elsewhere}


# --- what does nothing ---------------------------------------------------------------------------------


def _of_idle(idle: Idle, gone: Sequence[Node], moves: Moves, acts: Acting, inquiry: Inquiry) -> Iterator[Amendment]:
    """``gone`` are those that can be left out all at once."""
    for role in inquiry.finding.roles:
        nodes = [node for node in role.nodes if node in idle]
        if whole := _whole_role(role, nodes, moves):
            (to,) = moves[whole]
            knockout, answer = acts[to]
            text = f"role {role.name} stands at {to.position}, not at {whole.position}"
            said = proposal("move", text, role.line, str(knockout), answer)
            edit = partial(Specification.role_moved, role=role.name, place=to.position)
            yield Amendment(said, edit, role.name, f"moved by {knockout}, {evidence(answer)}")
        elif nodes and len(nodes) == len(role.nodes) and not any(node in moves for node in nodes):
            yield _role_goes(role, idle, all(node in gone for node in nodes))
        else:
            yield from (_goes(role, node, idle[node], node in gone, moves, acts) for node in nodes)


def _whole_role(role: Role, idle: Sequence[Node], moves: Moves) -> Node | None:
    """The first node of a role all of whose nodes move from one place to one other place."""
    if len(idle) != len(role.nodes) or any(len(moves.get(node, ())) != 1 for node in idle):
        return None
    ways = {(node.position, moves[node][0].position) for node in idle}
    return idle[0] if len(ways) == 1 else None


def _role_goes(role: Role, idle: Idle, together: bool) -> Amendment:
    answer = max((idle[node] for node in role.nodes), key=lambda each: each.p_adjusted or 0)
    said = proposal("drop", f"role {role.name}: none of its nodes does anything", role.line, ADDS, answer)
    return Amendment(said, partial(_without_role, role=role.name) if together else kept_back(_NEEDED))


_NEEDED = "left out together with the others that are proposed it changes the circuit"


def _without_role(specification: Specification, role: str) -> Specification | str:
    if specification.names(role):
        return "claims name it, and would be about nothing"
    return specification.without_role(role)


def _goes(role: Role, node: Node, answer: Answer, together: bool, moves: Moves, acts: Acting) -> Amendment:
    """A single node moves, or is dropped."""
    if node in moves:
        to = moves[node]
        knockout, best = acts[to[0]]
        places = " and ".join(str(each.position) for each in to)
        said = proposal("move", f"{node} stands at {places} in role {role.name}", role.line, str(knockout), best)
        edit = partial(Specification.moved, role=role.name, node=node, places=[each.position for each in to])
        return Amendment(said, edit, role.name, f"moved by {knockout}, {evidence(best)}")
    said = proposal("drop", f"{node} from role {role.name}", role.line, ADDS, answer)
    edit = partial(Specification.without, role=role.name, nodes=(node,)) if together else kept_back(_NEEDED)
    return Amendment(said, edit, role.name, f"less {node.component}, which adds {evidence(answer)}")


# --- what acts -----------------------------------------------------------------------------------------


def _of_acting(more: Acting, places: Places, inquiry: Inquiry) -> Iterator[Amendment]:
    """Nodes join the roles that they are like, or make new ones."""
    circuit = inquiry.finding
    groups = joined(tuple(more), circuit, places, inquiry.bench)
    for name, nodes in groups.known.items():
        for node in nodes:
            knockout, answer = more[node]
            said = proposal("add", f"{node} to role {name}", circuit.role(name).line, str(knockout), answer)
            edit = partial(Specification.with_node, role=name, node=node)
            yield Amendment(said, edit, name, f"{node.component} by knockout{knockout.where}, {evidence(answer)}")
    taken = [*(role.name for role in circuit.roles), *(each.name for each in circuit.task_info.positions)]
    for alike, nodes in groups.new.items():
        role = named(alike, nodes, 0, taken, circuit, inquiry.bench).role
        taken.append(role.name)
        about = (*role.about, *(f"{more[node][0]}: {evidence(more[node][1])}" for node in role.nodes))
        edit = partial(Specification.with_role, name=role.name, nodes=role.nodes, about="; ".join(about))
        knockout, answer = max((more[node] for node in role.nodes), key=lambda each: each[1].p_adjusted or 0)
        text = f"role {role.name}, like no other: {', '.join(map(str, role.nodes))}"
        yield Amendment(proposal("add", text, 0, str(knockout), answer), edit)
