"""Paths from senders to receivers: ``edge`` statements and the arguments of ``effect``, and whether they can carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from circuitdsl.components import ALL, Component, Geometry, Head, Node, OfDictionary, Position, can_carry
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import ANY_INPUT, LogitsReceiver, Nodes, Path, Receivers
from circuitdsl.language.environment import BOS
from circuitdsl.language.format import argument_text
from circuitdsl.language.scope import Scope
from circuitdsl.language.source import Span


def resolve_path(scope: Scope, left: t.Operand, right: t.Operand) -> Path | None:
    """One path from all senders to all receivers, as an argument; None after saying what is wrong."""
    paths = resolve_paths(scope, left, right)
    if paths is None:
        return None
    if len(paths) == 1:
        return paths[0]
    senders = _joined([path.senders for path in paths], argument_text(left))
    if isinstance(paths[0].receivers, LogitsReceiver):
        return Path(senders, paths[0].receivers)
    targets = [path.receivers for path in paths if isinstance(path.receivers, Receivers)]
    nodes = tuple(dict.fromkeys(node for target in targets for node in target.nodes))
    keys = tuple(dict.fromkeys(node for target in targets for node in target.keys))
    inputs = max((target.inputs for target in targets), key=len)  # of MLPs among heads without an input: ""
    label = argument_text(right).partition("}")[0] + "}" if "}" in argument_text(right) else targets[0].label
    return Path(senders, Receivers(label, nodes, inputs, keys, targets[0].of_group))


def _joined(parts: Sequence[Nodes], label: str) -> Nodes:
    nodes = tuple(dict.fromkeys(node for part in parts for node in part.nodes))
    return Nodes(parts[0].label if len({part.label for part in parts}) == 1 else label, nodes)


def resolve_paths(scope: Scope, left: t.Operand, right: t.Operand, absent: bool = False) -> tuple[Path, ...] | None:
    """A path for every pair of a sender and a receiver; None after saying what is wrong.

    Whether an effect can follow the path at all is checked here; ``absent`` is true of ``no edge``, of which a
    sender that writes where nothing reads is no mistake.
    """
    senders, span = _senders(scope, left), left.span.to(right.span)
    if isinstance(right, t.Logits):
        if senders is None or not _within_budget(scope, senders, (), None, span):
            return None
        paths = [Path(sender, LogitsReceiver()) for sender in senders]
    else:
        target = _grouped(scope, right, "a receiver is `logits`, an MLP, or heads: `name_mover.q`")
        if target is None or senders is None or not _inputs_are_sound(scope, target):
            return None
        receivers = _receivers(scope, target)
        if receivers is None or not _within_budget(scope, senders, receivers, target, span):
            return None
        paths = [path for sender in senders for path in _into(scope, sender, receivers, target)]
    sound = [_can_carry(scope, path, span) for path in paths]
    if not all(sound):
        return None
    if not absent:
        next((path for path in paths if _warned_of_positions(scope, path, span)), None)  # once a statement
    return tuple(paths)


def _within_budget(
    scope: Scope, senders: Sequence[Nodes], receivers: Sequence[Nodes], target: t.Group | None, span: Span
) -> bool:
    """Whether the file may stand for these pairs too; says so if not. Counted without making them."""
    pairs = len(senders) * max(1, len(receivers))
    sent = sum(len(sender.nodes) for sender in senders) * max(1, len(receivers))
    read = sum(len(receiver.nodes) for receiver in receivers)
    places = len(senders) if target is None or target.at else sum(len(_positions(sender)) for sender in senders)
    if scope.budget.allows(len(senders) + len(receivers), pairs, sent + read * places):
        return True
    message = f"the groups of this file stand for too much: with these {pairs:,} paths it is more than can be checked"
    remedy = "name fewer components in this group, or write out the paths that the circuit has"
    scope.report("C515", message, span, remedy)
    return False


def _grouped(scope: Scope, operand: t.Operand, remedy: str) -> t.Group | None:
    match operand:
        case t.Group():
            return operand
        case t.Words():
            return t.Group((t.Name(operand.text, span=operand.span),), span=operand.span)
        case t.Place() | t.Logits():
            scope.report("C502", f"`{argument_text(operand)}` cannot stand here", operand.span, remedy)
            return None
        case _:
            assert_never(operand)


def _senders(scope: Scope, operand: t.Operand) -> tuple[Nodes, ...] | None:
    group = _grouped(scope, operand, "a sender is a role, a head, an MLP or `embed`")
    if group is None:
        return None
    if group.inputs:
        message = "a sender has an output, and its inputs do not matter here"
        scope.report("C510", message, group.span, f"leave `.{group.inputs}` out")
        return None
    return scope.group(group, None)


# --- receivers -------------------------------------------------------------------------------------


_INPUT_WORDS = {"query": "q", "queries": "q", "key": "k", "keys": "k", "value": "v", "values": "v"}


def _inputs_are_sound(scope: Scope, target: t.Group) -> bool:
    inputs = target.inputs
    if not set(inputs) <= set("qkv"):
        message = f"heads have no input `{inputs}`"
        meant = _INPUT_WORDS.get(inputs.lower(), inputs.lower())
        known = "the inputs are `.q`, `.k`, `.v` and `.kv`"
        scope.report("C512", message, target.span, f"write `.{meant}`" if set(meant) <= set("qkv") else known)
        return False
    if "q" in inputs and len(inputs) > 1:
        message = "queries are read at another position than keys and values"
        whole = argument_text(t.Group(target.items))
        remedy = f"write two edges, into `{whole}.q` and into `{whole}.{inputs[1:]}`"
        if inputs == ANY_INPUT:
            remedy = f"write `{whole}` for all three inputs together"
        scope.report("C511", message, target.span, remedy)
        return False
    return not target.of_group or _heads_share(scope, target)


def _heads_share(scope: Scope, target: t.Group) -> bool:
    """Whether an input is one that several heads of the model share."""
    geometry = scope.geometry
    if "q" in target.inputs:
        message = "the heads of a group share keys and values, and each has queries of its own"
    elif geometry and geometry.n_kv_heads == geometry.n_heads:
        message = f"the heads of {geometry.model} have no groups: each has keys and values of its own"
    else:
        return True
    scope.report("C518", message, target.span, "leave `of group` out")
    return False


def _receivers(scope: Scope, target: t.Group) -> tuple[Nodes, ...] | None:
    """The receivers of a group, each by itself; None after saying what is wrong."""
    own = None if target.inputs in ("", "q") else ALL  # keys and values are read where the sender writes
    receivers = scope.group(target, own)
    if receivers is None or not all(_kinds_fit(scope, receiver, target) for receiver in receivers):
        return None
    return receivers


def _into(scope: Scope, sender: Nodes, receivers: Iterable[Nodes], target: t.Group) -> list[Path]:
    """The paths from one sender to each receiver of a group."""
    inputs = target.inputs
    places = _key_positions(scope, sender, target) if inputs else _positions(sender)
    paths: list[Path] = []
    for receiver in receivers:
        heads = dict.fromkeys(node.component for node in receiver.nodes if node.component.inputs)
        if target.of_group:
            heads = _with_their_groups(heads, scope.geometry)
        keys = tuple(Node(head, place) for head in heads for place in places)
        if not heads or inputs == "q":
            paths.append(Path(sender, Receivers(receiver.label, receiver.nodes, inputs)))
        elif inputs:
            paths.append(Path(sender, Receivers(receiver.label, keys, inputs, of_group=target.of_group)))
        else:
            paths.append(Path(sender, Receivers(receiver.label, receiver.nodes, ANY_INPUT, keys)))
    _say_same_groups(scope, paths, target)
    return paths


def _with_their_groups(components: Iterable[Component], geometry: Geometry | None) -> dict[Component, None]:
    """Heads with those that share their keys and values, each once; as they are where the model is unknown."""
    if geometry is None:
        return dict.fromkeys(components)
    heads = (component for component in components if isinstance(component, Head))
    return dict.fromkeys(sharing for head in heads for sharing in head.group(geometry))


def _say_same_groups(scope: Scope, paths: Iterable[Path], target: t.Group) -> None:
    """Report receivers that are named differently and are the same groups."""
    if not target.of_group:
        return
    firsts: dict[frozenset[Node], str] = {}
    for path in paths:
        label = path.receivers.label
        assert isinstance(path.receivers, Receivers)
        first = firsts.setdefault(frozenset(path.receivers.nodes), label)
        if first != label:
            scope.report("C516", f"`{first}` and `{label}` are of the same group", target.span, "leave one out")


def _key_positions(scope: Scope, sender: Nodes, target: t.Group) -> list[Position]:
    written = scope.position(target.at) if target.at else None
    return [written] if written else _positions(sender)


def _positions(nodes: Nodes) -> list[Position]:
    return list(dict.fromkeys(node.position for node in nodes.nodes))


def _kinds_fit(scope: Scope, receiver: Nodes, target: t.Group) -> bool:
    heads = [node for node in receiver.nodes if node.component.inputs]
    others = [node for node in receiver.nodes if not node.component.inputs]
    if target.inputs and others:
        message = f"`{others[0].component}` has a single input, which is not named"
        mixed = heads or len(target.items) > 1
        remedy = "write an edge into the heads and one into the rest" if mixed else f"leave `.{target.inputs}` out"
        scope.report("C510", message, target.span, remedy)
        return False
    return True


# --- what can carry --------------------------------------------------------------------------------


def _can_carry(scope: Scope, path: Path, span: Span) -> bool:
    nodes = path.senders.nodes
    if nodes and scope.bos and all(node.position == Position(BOS) for node in nodes):
        message = f"{path.senders.label} writes at BOS, the same on every prompt and its counterfactual"
        scope.report("C520", message, span, "name another position: a patch changes nothing before the first change")
        return False
    if nodes and all(node.component.fixed for node in nodes):
        message = f"{path.senders.label} is the same on a prompt and on its counterfactual, which has the same length"
        remedy = "name `embed`, or leave it out; a role `{ embed pos_embed }` sends both together"
        scope.report("C520", message, span, remedy)
        return False
    if isinstance(path.receivers, LogitsReceiver) or not (path.senders.nodes and path.receivers.nodes):
        return True
    parallel = bool(scope.geometry and scope.geometry.parallel_attn_mlp)
    senders = [node.component for node in path.senders.nodes]
    receivers = [node.component for node in path.receivers.nodes]
    if any(can_carry(sender, receiver, parallel) for sender in senders for receiver in receivers):
        return True
    message = f"nothing can flow from {path.senders.label} to {path.receivers.label}"
    back = any(can_carry(receiver, sender, parallel) for sender in senders for receiver in receivers)
    remedy = "turn the edge round, or leave it out" if back else "leave it out"
    scope.report("C305", message, span, remedy, _why(senders[0], receivers[0]))
    return False


def _why(sender: Component, receiver: Component) -> str:
    if sender == receiver:
        return f"what {sender} writes is not what it reads"
    if isinstance(sender, OfDictionary) and isinstance(receiver, OfDictionary) and sender.beside(receiver):
        return f"{sender} and {receiver} are parts of what stands at one point"
    if receiver.reads(parallel=False) is None:
        return f"`{receiver}` is computed from the tokens alone and reads no component"
    return f"{receiver.reading}, and {sender} writes later"


def _warned_of_positions(scope: Scope, path: Path, span: Span) -> bool:
    """Warn, and say so, of a path that ends after the output is read, or reads elsewhere than its senders write."""
    written = {node.position for node in path.senders.nodes}
    receivers = path.receivers
    late = [path.senders] if isinstance(receivers, LogitsReceiver) else [path.senders, _read_nodes(receivers)]
    if not all(scope.reaches(nodes, scope.read, span) for nodes in late):
        return True
    read = {scope.read} if isinstance(receivers, LogitsReceiver) else {node.position for node, _ in receivers.reads()}
    if scope.task is None or not read or not written or ALL in read | written or read & written:
        return False
    if isinstance(receivers, Receivers) and any(node.component.looks_back for node in receivers.nodes):
        return False
    there, here = (" and ".join(map(str, sorted(places))) for places in (written, read))
    reads = "the logits are read" if isinstance(receivers, LogitsReceiver) else f"{receivers.label} reads"
    message = f"{path.senders.label} writes at {there}, and {reads} at {here}"
    remedy = "an effect needs a prompt where these are one token; check the input and the positions"
    scope.report("C490", message, span, remedy)
    return True


def _read_nodes(receivers: Receivers) -> Nodes:
    """The places at which receivers read, under their name."""
    return Nodes(receivers.label, tuple(node for node, _ in receivers.reads()))
