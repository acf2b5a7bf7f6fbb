"""``python -m benchmarks.draft``: does a draft find what matters, and list what does not?

Drafts random planted models (``benchmarks.truth.relay``), in which the share of the metric that every part carries
follows from the wires. Counted are nodes (heads and MLPs at their places) and edges (a sender into an input of a role):

* recall: of those whose true share is at least twice the floor, how many are listed;
* false: of those that are listed, how many have a true share below the floor.

What lies between the floor and twice of it may be listed or not. Of what entered in a group, as one, the group is to
carry the floor, and each member its share of it (``draft.groups``): a member of another group is false.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.truth.counts import exact_limits
from benchmarks.truth.relay import Relay, random_relay
from circuitdsl.components import Component, Embed, Head, Mlp, Node, Position
from circuitdsl.outcome import DraftReport, DraftRole, Fed

FLOOR = 0.01


@dataclass
class Counted:
    """``matter`` nodes or edges are at least twice the floor, ``found`` of them are listed; of ``listed`` ones
    ``false`` are below the floor. ``beyond`` are above the floor itself, ``met`` of them listed."""

    matter: int = 0
    found: int = 0
    listed: int = 0
    false: int = 0
    beyond: int = 0
    met: int = 0
    examples: list[str] = field(default_factory=list[str])

    def __add__(self, other: Counted) -> Counted:
        return Counted(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def add(self, truth: dict[object, float], listed: set[object], of_groups: set[object], what: str) -> None:
        """Count things with their true shares; what is listed and has none there is false, but for members of true
        groups."""
        for thing, share in truth.items():
            if share >= 2 * FLOOR:
                self.matter += 1
                self.found += thing in listed
                if thing not in listed:
                    self.examples.append(f"{what}: missed {_said(thing)}, {100 * share:.1f}%")
            if share > FLOOR:
                self.beyond += 1
                self.met += thing in listed
        for thing in listed:
            self.listed += 1
            if truth.get(thing, 0.0) < FLOOR and thing not in of_groups:
                self.false += 1
                self.examples.append(f"{what}: listed {_said(thing)}, {100 * truth.get(thing, 0.0):.1f}%")


@dataclass
class Results:
    """Over all models. ``named`` roles of heads look where their stage does, of ``roles`` whose heads are of one."""

    nodes: Counted = field(default_factory=Counted)
    edges: Counted = field(default_factory=Counted)
    models: int = 0
    withheld: int = 0
    green: int = 0
    claims: int = 0
    refused: int = 0
    roles: int = 0
    named: int = 0
    seconds: float = 0.0

    def __add__(self, other: Results) -> Results:
        return Results(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


def main(arguments: Sequence[str] | None = None) -> Results:
    """Draft so many models, and print what was counted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.draft", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", type=int, default=100, help="random planted models; default: 100")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first; default: 0")
    parser.add_argument("--prompts", type=int, default=100, help="prompts of either half; default: 100")
    parser.add_argument("--top", default=None, help="take this share of a stage's senders in place of an error rate")
    parser.add_argument("--no-mlps", action="store_true", help="look for heads alone; MLPs are at work")
    parser.add_argument("--processes", type=int, default=1, help="models drafted side by side; default: 1")
    parser.add_argument("--verbose", action="store_true", help="say what was missed and what is false")
    asked = parser.parse_args(arguments)
    results = Results()
    one = partial(_of_one, prompts=asked.prompts, top=asked.top, mlps=not asked.no_mlps)
    # A process that was started with others' threads running may stop for ever.
    with ProcessPoolExecutor(asked.processes, get_context("spawn")) as pool:
        for each in pool.map(one, range(asked.first, asked.first + asked.models)):
            results = results + each
            print(f"{results.models} models, {results.seconds:.0f} CPU s", end="\r", file=sys.stderr, flush=True)
    print("\n".join(_page(results)))
    if asked.verbose:
        print("\n".join((*results.nodes.examples, *results.edges.examples)))
    return results


def _of_one(seed: int, prompts: int, top: str | None, mlps: bool) -> Results:
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        count_one(seed, prompts, Path(folder), results, top, mlps)
    return results


def count_one(
    seed: int, prompts: int, folder: Path, results: Results, top: str | None = None, mlps: bool = True
) -> DraftReport:
    """Draft a random relay and count."""
    import torch

    import circuitdsl as cd

    torch.set_num_threads(1)
    started = time.process_time()
    relay = random_relay(seed)
    file = folder / "relay.jsonl"
    file.write_text(relay.prompts(2 * prompts, seed), encoding="utf-8")
    output = folder / "draft.circuit"
    report = cd.draft(
        str(file),
        model=relay.build(),
        output=output,
        prompts=prompts,
        top=top,
        mlps=mlps,
        unexplained=False,
        reference=5,
        store=False,
    )
    results.seconds += time.process_time() - started
    count(relay, report, seed, results)
    return report


def count(relay: Relay, report: DraftReport, seed: int, results: Results) -> None:
    """Count what a draft of a relay lists, and what it lacks."""
    results.models += 1
    if report.withheld:
        results.withheld += 1
        return
    results.claims += report.confirmed + len(report.refused)
    results.refused += len(report.refused)
    name = f"model {seed}"
    truth: dict[object, float] = {
        node: share for node, share in nodes_of(relay) if report.mlps or isinstance(node.component, Head)
    }
    roles = {role.name: role for role in report.roles}
    true = [each for each in report.fed if each.together and _is_true(relay, each, report.fed, roles)]
    results.nodes.add(truth, {node for role in report.roles for node in role.nodes}, {e.sender for e in true}, name)
    listed = [each for each in report.fed if not isinstance(each.sender.component, Embed)]
    edges = dict(edges_of(relay, listed, roles, report.mlps))
    results.edges.add(edges, {_key(each, roles) for each in listed}, {_key(each, roles) for each in true}, name)
    _count_names(relay, report.roles, results)


def _is_true(relay: Relay, fed: Fed, found: Sequence[Fed], roles: dict[str, DraftRole]) -> bool:
    """Whether a member of a group carries its share of the floor into the input, and the group the floor. Into an MLP
    none is said to, so that members are counted there by what they carry themselves."""
    layer = fed.sender.component.layer
    alone = [
        each
        for each in found
        if each.into == fed.into
        and not each.together
        and isinstance(each.sender.component, Head)
        and each.sender.component.layer == layer
    ]
    receivers = {node.component for node in roles[fed.into.role].nodes} if fed.into.role else None
    group = {node.component for node in fed.together}
    least = FLOOR / (relay.geometry.n_heads - len(alone))
    return relay.sent({fed.sender.component}, receivers) >= least and relay.sent(group, receivers) >= FLOOR


# --- truth -------------------------------------------------------------------------------------------


def nodes_of(relay: Relay) -> Iterator[tuple[Node, float]]:
    """Every node that works, with the share of the metric that is lost without it."""
    for stage in relay.stages:
        parts: list[Component] = [*stage.heads, *([Mlp(stage.mlp[0])] if stage.mlp else [])]
        for each in parts:
            yield Node(each, stage.place), relay.lost({each})


def edges_of(
    relay: Relay, listed: Sequence[Fed], roles: dict[str, DraftRole], mlps: bool
) -> Iterator[tuple[object, float]]:
    """Every edge from a sender into the values of a role, or into the logits or an MLP, with its true share; without
    ``mlps`` from heads into heads or the logits.

    Into which roles is looked depends on the draft: from every sender there is an edge into each group that was drafted
    of the next stage; into heads of it that no role has, there is one into all of them.
    """
    last = len(relay.stages) - 1
    for number, stage in enumerate(relay.stages):
        senders: list[Component] = [*stage.heads, *([Mlp(stage.mlp[0])] if stage.mlp and mlps else [])]
        for sender in senders:
            node = Node(sender, stage.place)
            if number == last:
                yield (node, "logits"), relay.sent({sender}, None)
                continue
            following = relay.stages[number + 1]
            for group in _groups(following.heads, tuple(roles.values()), following.place):
                heads = {each for each in group if sender.writes < 2 * each.layer}
                yield (node, frozenset(group), "v"), relay.sent({sender}, heads)
            if mlps and stage.mlp is not None and sender in stage.heads:
                yield (node, frozenset({Mlp(stage.mlp[0])}), ""), _through_mlp(relay, number, sender)


def _groups(heads: Collection[Head], roles: Sequence[DraftRole], place: Position) -> list[frozenset[Component]]:
    """The heads of a stage as roles have them, and those that none has as a group of their own."""
    found = [frozenset(node.component for node in role.nodes) for role in roles if role.nodes[0].position == place]
    of_stage = [group for group in found if group & set(heads)]
    rest = frozenset(heads) - frozenset(each for group in of_stage for each in group)
    return [*of_stage, *([rest] if rest else [])]


def _through_mlp(relay: Relay, number: int, sender: Component) -> float:
    """The share of the metric that a head sends through the MLP of its stage."""
    stage = relay.stages[number]
    assert stage.mlp is not None
    return relay.sent({sender}, relay.stages[number + 1].heads) - _sent_past_mlp(relay, number, sender)


def _sent_past_mlp(relay: Relay, number: int, sender: Component) -> float:
    stages = list(relay.stages)
    whole = relay.metric
    stages[number] = replace(stages[number], mlp=None)
    without = Relay(relay.planted, tuple(stages), relay.others, relay.noise)
    return without.sent({sender}, without.stages[number + 1].heads) * without.metric / whole


def _key(each: Fed, roles: dict[str, DraftRole]) -> object:
    if not each.into.role:
        return (each.sender, "logits")
    return (each.sender, frozenset(node.component for node in roles[each.into.role].nodes), each.into.input)


def _count_names(relay: Relay, roles: Sequence[DraftRole], results: Results) -> None:
    """Whether roles of heads are named after the place that their stage reads, where that has a name."""
    for number, stage in enumerate(relay.stages):
        for role in roles:
            if number and {node.component for node in role.nodes} <= set(stage.heads):
                results.roles += 1
                results.named += role.name.startswith(f"reader_of_{relay.stages[number - 1].place}")


# --- page --------------------------------------------------------------------------------------------


def _said(thing: object) -> str:
    match thing:
        case (sender, receivers, letter):
            return f"{sender} -> {{{' '.join(sorted(map(str, receivers)))}}}.{letter}"
        case (sender, receiver):
            return f"{sender} -> {receiver}"
        case _:
            return str(thing)


def _page(results: Results) -> Iterator[str]:
    withheld = f", {results.withheld} of which do not do their task" if results.withheld else ""
    yield f"{results.models} planted models{withheld}; {results.seconds:.0f} s of one processor"
    for name, counted in (("nodes", results.nodes), ("edges", results.edges)):
        yield (
            f"{name}: {_share(counted.found, counted.matter)} of those that carry twice the floor are listed "
            f"({_share(counted.met, counted.beyond)} beyond the floor); "
            f"{_share(counted.false, counted.listed)} of what is listed carries less than the floor"
        )
    yield f"roles named after the place that their stage reads: {_share(results.named, results.roles)}"
    yield f"claims that did not hold on the judging prompts: {_share(results.refused, results.claims)}"


def _share(number: int, of: int) -> str:
    low, high = exact_limits(number, of)
    return f"{number} of {of} ({100 * number / max(1, of):.1f}% [{100 * low:.1f}, {100 * high:.1f}])"


if __name__ == "__main__":
    main()
