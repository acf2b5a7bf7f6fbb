"""``python -m benchmarks.refine``: does a refinement repair a damaged specification, and leave a true one alone?

Random planted models (``benchmarks.truth.relay``) have true specifications: a role for the heads of every stage that
carry at least the floor, the edges from stage to stage, and the last one's into the logits. Each is damaged in one of
five ways, and refined. A repair is exact if what comes out states the roles and the edges of the true one. What else is
proposed, of a true specification anything, is counted apart.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from benchmarks.draft import FLOOR
from benchmarks.truth.counts import exact_limits
from benchmarks.truth.relay import Relay, random_relay
from circuitdsl.components import Head, Position
from circuitdsl.language.resolve import load_with_warnings

DAMAGES = ("none", "a head missing", "an idle head", "an edge missing", "a false edge", "a role at a wrong place")


@dataclass(frozen=True)
class Stated:
    """A specification of a relay: the place and the heads of every role, and edges."""

    roles: Mapping[str, tuple[Position, tuple[Head, ...]]]
    edges: tuple[str, ...]

    def text(self, prompts: int) -> str:
        lines = ["circuit relay {", "model relay", 'task file("relay.jsonl")', f"method {{ prompts {prompts} }}"]
        for name, (place, heads) in self.roles.items():
            lines.append(f"role {name} at {place} {{ {' '.join(map(str, heads))} }}")
        return "\n".join([*lines, *self.edges, "expect accuracy >= 10%", "}", ""])

    def meaning(self) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
        """What is compared: the nodes of every role, and the edges without what they claim."""
        nodes = {n: frozenset(f"{h} at {place}" for h in heads) for n, (place, heads) in self.roles.items()}
        return nodes, frozenset(edge.split(" : ")[0] for edge in self.edges)


@dataclass
class Results:
    """By damage: how many were tried, repaired exactly, and came with other proposals; examples of what was not so."""

    tried: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DAMAGES, 0))
    repaired: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DAMAGES, 0))
    others: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DAMAGES, 0))
    withheld: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list[str])


def main(arguments: Sequence[str] | None = None) -> Results:
    """Damage and refine so many models, and print what was counted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refine", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", type=int, default=20, help="random planted models; default: 20")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first; default: 0")
    parser.add_argument("--prompts", type=int, default=100, help="prompts of either half; default: 100")
    parser.add_argument("--verbose", action="store_true", help="say what was not repaired, and what else was proposed")
    asked = parser.parse_args(arguments)
    results = Results()
    for seed in range(asked.first, asked.first + asked.models):
        with tempfile.TemporaryDirectory() as folder:
            count_one(seed, asked.prompts, Path(folder), results)
        print(f"seed {seed}, {results.seconds:.0f} CPU s", end="\r", file=sys.stderr, flush=True)
    print("\n".join(_page(results)))
    if asked.verbose:
        print("\n".join(results.examples))
    return results


def count_one(seed: int, prompts: int, folder: Path, results: Results, damages: Sequence[str] = DAMAGES) -> None:
    """Damage the specification of a random relay in every way that it can be, refine, and count."""
    import torch

    import circuitdsl as cd

    torch.set_num_threads(1)
    started = time.process_time()
    relay = random_relay(seed)
    bridge = relay.build()
    true = true_specification(relay)
    (folder / "relay.jsonl").write_text(relay.prompts(2 * prompts, seed), encoding="utf-8")
    store = cd.Store.in_folder(folder / "store")
    for damage in damages:
        wrong = damaged(true, damage, relay, random.Random(f"{damage} {seed}"))
        if wrong is None:
            continue
        file = folder / "relay.circuit"
        file.write_text(cd.format(wrong.text(prompts)), encoding="utf-8")
        report = cd.refine(file, model=bridge, store=store)
        if report.withheld:
            results.withheld += 1
            break
        file.write_text(report.text, encoding="utf-8")
        environment = replace(cd.environment(), geometry=lambda _: relay.geometry)
        (found,) = load_with_warnings([str(file)], environment).document.circuits
        roles = {role.name: frozenset(map(str, role.nodes)) for role in found.roles}
        edges = frozenset(claim.text.split(" : ")[0] for claim in found.edge_claims())
        exact = (roles, edges) == true.meaning()
        needed = 0 if damage == "none" else 1
        results.tried[damage] += 1
        results.repaired[damage] += exact
        results.others[damage] += max(0, len(report.proposals) - needed)
        if not exact or len(report.proposals) != needed:
            said = "; ".join(
                f"{each.kind}: {each.text}{' (withheld)' * bool(each.withheld)}" for each in report.proposals
            )
            results.examples.append(f"model {seed}, {damage}: {said or 'nothing proposed'}")
    results.seconds += time.process_time() - started


def true_specification(relay: Relay) -> Stated:
    """The heads that carry the floor, by stage, and their wires: each stage reads the values of the one before."""
    roles: dict[str, tuple[Position, tuple[Head, ...]]] = {}
    for number, stage in enumerate(relay.stages):
        heads = tuple(sorted(head for head in stage.heads if relay.lost({head}) >= FLOOR))
        roles[f"stage{number}"] = (stage.place, heads)
    names = list(roles)
    between = (f"edge {ours} -> {theirs}.v : raises" for ours, theirs in pairwise(names))
    return Stated(roles, (*between, f"edge {names[-1]} -> logits : raises"))


def damaged(true: Stated, damage: str, relay: Relay, rng: random.Random) -> Stated | None:
    """The specification with something wrong in it; None where this cannot be done to it."""
    names = list(true.roles)
    match damage:
        case "a head missing":
            # Twice the floor: what carries less may be missed by chance.
            sure = [(n, h) for n, (_, heads) in true.roles.items() for h in heads if relay.lost({h}) >= 2 * FLOOR]
            able = [(name, head) for name, head in sure if len(true.roles[name][1]) > 1]
            if not able:
                return None
            name, gone = rng.choice(able)
            place, heads = true.roles[name]
            return replace(true, roles={**true.roles, name: (place, tuple(head for head in heads if head != gone))})
        case "an idle head":
            if not relay.others:
                return None
            name, more = rng.choice(names), rng.choice(sorted(relay.others))
            place, heads = true.roles[name]
            return replace(true, roles={**true.roles, name: (place, (*heads, more))})
        case "an edge missing":
            gone_edge = rng.choice(true.edges)
            return replace(true, edges=tuple(edge for edge in true.edges if edge != gone_edge))
        case "a false edge":
            # Where a head looks is settled by distance: its keys carry nothing.
            able_edges = [edge for edge in true.edges if ".v" in edge]
            false = rng.choice(able_edges).replace(".v", ".k")
            return replace(true, edges=(*true.edges, false))
        case "a role at a wrong place":
            name = rng.choice(names)
            place, heads = true.roles[name]
            others = [other for other, _ in true.roles.values() if other != place]
            return replace(true, roles={**true.roles, name: (rng.choice(others), heads)})
        case _:
            return true


def _page(results: Results) -> Iterator[str]:
    withheld = f", {results.withheld} of which do not do their task" if results.withheld else ""
    yield f"refinements of damaged specifications{withheld}; {results.seconds:.0f} s of one processor"
    for damage in DAMAGES:
        number, of = results.repaired[damage], results.tried[damage]
        low, high = exact_limits(number, of)
        share = f"{number} of {of} ({100 * number / max(1, of):.0f}% [{100 * low:.0f}, {100 * high:.0f}])"
        yield f"{damage}: {share} come out as the true one; other proposals: {results.others[damage]}"


if __name__ == "__main__":
    main()
