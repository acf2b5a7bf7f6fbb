"""``intervention name on circuit { ... }`` -> Intervention: what it does, and what it claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from circuitdsl.actions import Action, actions
from circuitdsl.components import ALL, Node, Position
from circuitdsl.language import tree as t
from circuitdsl.language.budget import Budget
from circuitdsl.language.circuit import Circuit, Intervention
from circuitdsl.language.claims import Reader, identified
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.environment import Environment
from circuitdsl.language.format import statement_text
from circuitdsl.language.grammar import grammar
from circuitdsl.language.methods import counterfactual
from circuitdsl.language.needs import Needs
from circuitdsl.language.places import Places
from circuitdsl.language.scope import Scope
from circuitdsl.language.source import Span
from circuitdsl.language.statements import (
    Placed,
    about_text,
    check_labels,
    check_name,
    check_repeats,
    cite_texts,
    every,
    is_known,
)
from circuitdsl.language.wording import either


def resolve_intervention(
    block: t.Intervention,
    file: str,
    circuits: Mapping[str, Circuit | None],
    environment: Environment,
    collector: Collector,
    budget: Budget,
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
    scope = Scope(
        environment,
        collector,
        circuit.geometry,
        circuit.task_info,
        roles,
        circuit.method.floor,
        budget=budget,
        bos=circuit.method.bos,
        places=Places.of(environment, circuit.task, circuit.method.bos),
        read=Position(circuit.method.at),
        dictionaries={dictionary.name: dictionary for dictionary in circuit.dictionaries},
    )
    reader = Reader(scope, "intervention")
    written = [item for item in block.body if isinstance(item, t.Action)]
    done = [(item, _action(item, scope)) for item in written]
    _check_actions(done, scope)
    if not written:
        message = f"intervention {block.name.text} does nothing"
        remedy = f"add an action: {either(f'`{word}`' for word in grammar().actions)}"
        collector.add("C604", message, block.name.span, remedy)
    expects = every(block.body, t.Expect)
    placed = [Placed(draft, item.span) for item in expects if (draft := reader.expect(item))]
    check_repeats(placed, collector, circuit.method.against)
    Needs(environment, circuit.task_info, circuit.method, block.name.span).report_each(placed, collector)
    check_labels(block.body, collector)
    if not expects:
        remedy = "add a line such as `expect accuracy - baseline >= 30%`"
        collector.add("C590", f"intervention {block.name.text} claims nothing", block.name.span, remedy)
    claims = identified(block.name.text, [item.claim for item in placed])
    made = tuple(action for _, action in done if action)
    name, on = block.name.text, block.on.text
    return Intervention(name, on, file, made, claims, about, cite_texts(block.body), block.span.line)


@dataclass(frozen=True)
class _Reading:
    """What the checks of actions are given (``actions.base.Reading``)."""

    scope: Scope

    def nodes(self, group: t.Group) -> tuple[Node, ...] | None:
        items = self.scope.group(group, ALL)
        return None if items is None else tuple(dict.fromkeys(node for item in items for node in item.nodes))

    def position(self, place: t.Place) -> Position | None:
        return self.scope.position(place)

    def counterfactual(self, name: t.Name) -> str | None:
        return counterfactual(name, self.scope.task, self.scope.collector)

    def is_many(self, position: Position) -> bool:
        known = self.scope.task.positions if self.scope.task else ()
        return position == ALL or any(info.many for info in known if info.name == position.name)

    def report(self, code: str, message: str, span: Span, remedy: str = "", *notes: str) -> None:
        self.scope.report(code, message, span, remedy, *notes)

    def unknown(self, code: str, message: str, part: t.Words, known: Iterable[str], what: str) -> None:
        self.scope.report(code, message, part.span, suggestion(part.text, known, what))


def _action(item: t.Action, scope: Scope) -> Action | None:
    action = actions()[item.word].read(item, _Reading(scope), statement_text(item))
    for node, key in product(action.nodes, action.keys) if action else ():
        scope.looks_at(node.position, key, item.span)
    return action


def _check_actions(done: Sequence[tuple[t.Action, Action | None]], scope: Scope) -> None:
    """Report two actions on one output: attending is an action on a pattern, all others on outputs."""
    firsts: dict[tuple[bool, Node], t.Action] = {}
    for written, action in done:
        if action is None:
            continue
        for node in action.nodes:
            key = (action.of_pattern, node)
            if key in firsts:
                note = f"the first is at {firsts[key].span}"
                message = f"`{node}` is already changed by another action"
                scope.report("C605", message, written.span, "leave one out", note)
                break
            firsts[key] = written
