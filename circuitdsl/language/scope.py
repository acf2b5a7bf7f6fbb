"""What the words of a block mean: components, positions, roles and groups of them, looked up and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from circuitdsl.components import (
    ALL,
    END,
    Absent,
    Component,
    Dictionary,
    Geometry,
    Node,
    OfDictionary,
    Position,
    kinds,
)
from circuitdsl.errors import listed
from circuitdsl.language import tree as t
from circuitdsl.language.budget import Budget
from circuitdsl.language.circuit import Members, Nodes, Role
from circuitdsl.language.diagnostics import Collector, nearest, suggestion
from circuitdsl.language.environment import BOS, Environment, TaskInfo
from circuitdsl.language.format import at_text, component_text, item_text
from circuitdsl.language.methods import read_at
from circuitdsl.language.notations import remedy_for
from circuitdsl.language.places import Places
from circuitdsl.language.source import Span

Dictionaries = Mapping[str, Dictionary | None]
"""The dictionaries of a circuit by name; None for one of which something is wrong, which has been reported."""


@dataclass(frozen=True)
class Scope:
    """What resolving a block knows. ``geometry`` or ``task`` is None if unknown; what depends on it goes unchecked."""

    environment: Environment
    collector: Collector
    geometry: Geometry | None
    task: TaskInfo | None
    roles: Mapping[str, Role]
    floor: float
    members: Members = "minimality"
    budget: Budget = field(default_factory=Budget)
    bos: bool = False
    places: Places = field(default_factory=Places)
    read: Position = END  # after which token the output is read
    dictionaries: Dictionaries = field(default_factory=dict[str, Dictionary | None])

    def report(self, code: str, message: str, span: Span, remedy: str = "", *notes: str) -> None:
        self.collector.add(code, message, span, remedy, *notes)

    # --- positions ---------------------------------------------------------------------------------

    @cached_property
    def position_names(self) -> tuple[str, ...]:
        """The task's positions, with END, ``all`` and where there is one BOS; () if the task is unknown."""
        if self.task is None:
            return ()
        own = (info.name for info in self.task.positions)
        return tuple(dict.fromkeys([*own, "END", *((BOS,) if self.bos else ()), "all"]))

    def is_position(self, name: str) -> bool:
        return name in self.position_names

    def position(self, place: t.Place) -> Position | None:
        """The position, or None after saying what is wrong with it."""
        if self.task is not None and not self.is_position(place.name):
            if place.name in self.roles:
                message = f"`{place.name}` is a role, and a position is needed here"
                self.report("C502", message, place.span, suggestion("", self.position_names, "position"))
                return None
            if place.name == BOS:
                message = "prompts have no BOS token here"
                self.report("C405", message, place.span, "write `bos yes` in the circuit's `method { ... }`")
                return None
            message = f"task {self.task.name} has no position `{place.name}`"
            self.report("C401", message, place.span, suggestion(place.name, self.position_names, "position"))
            return None
        if place.name == "all" and place.offset:
            self.report("C403", "`all` cannot be moved by an offset", place.span, "name a single position")
            return None
        if place.name == "END" and place.offset > 0:
            message = "nothing comes after END, the last token of a prompt"
            self.report("C403", message, place.span, "END-1 is the token before it")
            return None
        if place.name == BOS and self.bos and place.offset < 0:
            self.report("C403", "nothing comes before BOS, the first token of a prompt", place.span, "write `BOS`")
            return None
        position = Position(place.name, place.offset)
        fault = self.places.fault(position)
        if fault:
            remedy = "name another place, or give the position on every line of a file of prompts"
            self.report("C493", f"{fault}, so that nothing can be measured there", place.span, remedy)
        return position

    def read_at(self, place: t.Place) -> str | None:
        """The position after which the output is to be read, or None after saying that no answer is known there."""
        return read_at(place, self.task, self.collector)

    def looks_at(self, query: Position, key: Position, span: Span) -> None:
        """Warn where the key that a query is to look at comes later in every prompt."""
        if self.task is not None and self.places.always_later(query, key):
            message = f"{key} comes after {query} in every prompt, and heads look at no later token"
            self.report("C492", message, span, f"the other way round it is `{key} -> {query}`")

    def reaches(self, nodes: Nodes, read: Position, span: Span) -> bool:
        """Whether what is read after a token can depend on some nodes; warns if all come later in every prompt."""
        if self.task is None or not nodes.nodes:
            return True
        places = {node.position for node in nodes.nodes}
        if not all(place != ALL and self.places.always_later(read, place) for place in places):
            return True
        where = " and ".join(sorted(map(str, places)))
        message = f"{nodes.label} stands at {where}, after {read}, at which the output is read"
        self.report("C497", message, span, "nothing later can change it: read it elsewhere, or name other positions")
        return False

    # --- components --------------------------------------------------------------------------------

    def components(self, written: t.Component) -> tuple[Component, ...]:
        """The components that the model, or a dictionary, has of those written; says so if it has not all."""
        kind = kinds()[written.rule]
        try:
            if not issubclass(kind, OfDictionary):
                return kind.members(written.numbers, self.geometry)
            dictionary = self._dictionary(written)
            return () if dictionary is None else kind.of(dictionary, written.numbers)
        except Absent as absent:
            self.report(absent.code, absent.message, written.span, absent.remedy)
            return ()

    def _dictionary(self, written: t.Component) -> Dictionary | None:
        """The dictionary that a component is a part of, or None after saying that there is none."""
        if written.of in self.dictionaries:
            return self.dictionaries[written.of]
        if written.of in self.roles:
            message = f"`{written.of}` is a role, and features are those of a dictionary"
        else:
            message = f"the circuit declares no dictionary `{written.of}`"
        self.report("C221", message, written.span, self._known_dictionaries(written))
        return None

    def _known_dictionaries(self, written: t.Component) -> str:
        if self.dictionaries:
            known = listed([f"`{name}`" for name in self.dictionaries], 8)
            near = nearest(written.of, self.dictionaries)
            remedies = [*([f"did you mean `{near}`?"] if near else []), f"it declares {known}"]
        else:
            remedies = [f'declare it: `dictionary {written.of} at attn_out 1 from "folder"`']
        other = remedy_for(component_text(written))
        return "; ".join([*remedies, *([other] if other else [])]).replace("?; ", "? ")

    # --- roles and groups --------------------------------------------------------------------------

    def role(self, name: t.Name) -> Role | None:
        """The role, or None after saying that there is none."""
        if name.text in self.roles:
            return self.roles[name.text]
        if self.is_position(name.text):
            message = f"`{name.text}` is a position, and a role or a head is needed here"
            self.report("C502", message, name.span, self._known_roles(name.text))
            return None
        self.report("C203", f"there is no role `{name.text}`", name.span, self._known_roles(name.text))
        return None

    def _known_roles(self, name: str) -> str:
        written = remedy_for(name)
        if written:
            return written
        if not self.roles:
            return f"the circuit has no roles: list heads in one, `role {name} at END {{ 9.6 }}`"
        return suggestion(name, self.roles, "role")

    @cached_property
    def _listed(self) -> Mapping[Component, tuple[Position, ...]]:
        found: dict[Component, dict[Position, None]] = {}
        for node in (node for role in self.roles.values() for node in role.nodes):
            found.setdefault(node.component, {})[node.position] = None
        return {component: tuple(positions) for component, positions in found.items()}

    def listed_at(self, component: Component) -> tuple[Position, ...]:
        """The positions at which roles list a component."""
        return self._listed.get(component, ())

    def group(self, group: t.Group, unlisted: Position | None) -> tuple[Nodes, ...] | None:
        """The nodes of each item of a group, under the item's name; None after saying what is wrong.

        A position after the whole group goes before the roles' own. A component without a position has that of
        the roles that list it; ``unlisted`` if none does, and if that is None it has to be written.
        """
        place = self.position(group.at) if group.at else None
        if group.at and place is None:
            return None
        found = [self._item(item, place, unlisted) for item in group.items]
        if any(nodes is None for nodes in found):
            return None
        self._repeats(group.items)
        nodes = tuple(each for each in found if each is not None)
        if not group.at and len(nodes) > 1:
            self._warn_of_last(group.items[-1], group.items[:-1], nodes[:-1])
        return nodes

    def _warn_of_last(self, last: t.Item, others: Sequence[t.Item], nodes: Sequence[Nodes]) -> None:
        """Warn of ``{0.3 0.5 at S2}`` where 0.3 stands elsewhere: `at` is said of 0.5 alone."""
        if isinstance(last, t.Name) or not last.at or any(isinstance(item, t.Member) and item.at for item in others):
            return
        found = [node.position for each in nodes for node in each.nodes if not node.component.everywhere]
        where = f"after the braces, `{{ ... }}{at_text(last.at)}`, it is said of all of them"
        self.said_of_last(last, found, where)

    def said_of_last(self, last: t.Member, others: Iterable[Position], remedy: str) -> None:
        """Warn of an `at` that only the last component of a list has, where the others stand at other positions."""
        assert last.at
        own = Position(last.at.name, last.at.offset)
        what = f"`{at_text(last.at).strip()}` is said of `{item_text(replace(last, at=None))}` alone"
        elsewhere = sorted({str(position) for position in others if position != own})
        if elsewhere:
            where = "all positions" if elsewhere == ["all"] else " and ".join(elsewhere)
            self.report("C491", f"{what}: the others stand at {where}", last.span, remedy)

    def _item(self, item: t.Item, place: Position | None, unlisted: Position | None) -> Nodes | None:
        if isinstance(item, t.Name):
            role = self.role(item)
            if role is None:
                return None
            return Nodes(role.name, role.nodes if place is None else moved(role.nodes, place))
        if item.at:
            place = self.position(item.at)
            if place is None:
                return None
        components = self.components(item.component)
        nodes: list[Node] = []
        for component in components:
            position = place or self._borrowed(component, item, unlisted)
            if position is None:
                return None
            nodes.append(Node(component, position))
        return Nodes(item_text(replace(item, at=None)), tuple(nodes)) if nodes else None

    def _borrowed(self, component: Component, item: t.Item, unlisted: Position | None) -> Position | None:
        listed = self.listed_at(component)
        if len(listed) == 1:
            return listed[0]
        if not listed and component.everywhere:
            return ALL
        if not listed and unlisted is not None:
            return unlisted
        if listed:
            why = f"`{component}` is listed at {' and '.join(map(str, listed))}"
        else:
            why = f"no role lists `{component}`, so its position is unknown"
        example = listed[0] if listed else END
        self.report("C402", why, item.span, f"write the position: `{component} at {example}`")
        return None

    def _repeats(self, items: Iterable[t.Item]) -> None:
        seen: dict[t.Item, t.Item] = {}
        for item in items:
            if item in seen:
                message = f"`{item_text(item)}` stands twice in this group"
                self.report("C516", message, item.span, "leave one out", f"the first is at {seen[item].span}")
            seen.setdefault(item, item)


def moved(nodes: Iterable[Node], position: Position) -> tuple[Node, ...]:
    """The same components, all at ``position``, each once."""
    return tuple(dict.fromkeys(Node(node.component, position) for node in nodes))
