"""Claims about a random relay, true ones and false ones, as a specification; and what is true of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np

from benchmarks.truth.relay import COUNTERFACTUAL, Relay
from circuitdsl import tasks
from circuitdsl.components import Component, Head, Mlp, all_heads
from circuitdsl.judge.estimates import Verdict
from circuitdsl.judge.verdicts import decide
from circuitdsl.language.circuit import Bound, Circuit, Claim, Control, Document, LogitsReceiver, Nodes, Path
from circuitdsl.language.environment import Environment
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.registry import measure_infos

ABLATIONS = ("mean by template", "mean", "zero", "resample")
PROMPTS = "prompts.jsonl"


@dataclass(frozen=True)
class Spec:
    """A specification of a relay. ``listed`` are its true heads, ``extra`` others that it lists as if they worked."""

    relay: Relay
    listed: tuple[tuple[Head, ...], ...]  # by stage
    extra: tuple[Head, ...]
    ablate: str
    prompts: int
    claims: tuple[str, ...]

    @property
    def text(self) -> str:
        lines = [
            f"circuit relay {{ model relay task file({PROMPTS!r}) ".replace("'", '"'),
            f"method {{ against {COUNTERFACTUAL} ablate {self.ablate} prompts {self.prompts} }}",
        ]
        for number, (stage, heads) in enumerate(zip(self.relay.stages, self.listed, strict=True), start=1):
            lines.append(f"role s{number} at {stage.place} {{ {_listed(heads)} }}")
            if stage.mlp is not None:
                lines.append(f"role m{number} at {stage.place} {{ {Mlp(stage.mlp[0])} }}")
        if self.extra:
            lines.append(f"role extra at END {{ {_listed(self.extra)} }}")
        return "\n".join([*lines, *self.claims, "}"])

    def resolved(self, folder: File) -> Document:
        """The document, its prompts in a file of the folder."""
        return resolved(self.relay, self.text, folder)


def resolved(relay: Relay, text: str, folder: File) -> Document:
    """A specification of a relay, its prompts in a file of the folder."""
    known = Environment(geometry=lambda name: relay.geometry, task=tasks.describe, measures=measure_infos())
    return resolve_text(text, str(folder / "relay.circuit"), known)


def random_spec(relay: Relay, seed: int, prompts: int) -> Spec:
    """Claims of all kinds; bounds are put at random on both sides of the truth."""
    rng = np.random.default_rng([seed, 11])
    listed = tuple(tuple(_most_of(rng, sorted(stage.heads))) for stage in relay.stages)
    idle = sorted(relay.others)
    extra = tuple(_some(rng, idle, int(rng.integers(0, 3))))
    claims = tuple(_claims(rng, relay, listed, [head for head in idle if head not in extra]))
    return Spec(relay, listed, extra, str(rng.choice(ABLATIONS)), prompts, claims)


def _claims(
    rng: np.random.Generator, relay: Relay, listed: Sequence[Sequence[Head]], others: Sequence[Head]
) -> Iterator[str]:
    last = len(relay.stages)
    for number in range(1, last):
        yield _stated(rng, f"s{number} -> s{number + 1}.v", working=True)
        if relay.stages[number - 1].mlp is not None:
            yield _stated(rng, f"m{number} -> s{number + 1}.v", working=True)
    yield _stated(rng, f"s{last} -> logits", working=True)
    for head in _some(rng, sorted(relay.stages[-1].heads), 2):
        if listed[-1] != (head,):  # which is the last claim
            yield _stated(rng, f"{head} at END -> logits", working=True)
    other = int(rng.integers(1, last))
    yield _stated(rng, f"s{other} -> s{other + 1}.k", working=False)
    for head in _some(rng, others, 4):
        yield _stated(rng, f"{head} at END -> logits", working=False)
    for number in _some(rng, range(last), 2):
        stage = relay.stages[number]
        for heads in (_some(rng, sorted(stage.heads), 1), sorted(stage.heads)):
            nodes = " ".join(f"{head} at {stage.place}" for head in heads)
            yield f"expect knockout({{ {nodes} }}) {_beside(rng, -relay.lost(set(heads)))}"
    components = {*(head for heads in listed for head in heads), *_mlps(relay)}
    yield f"expect faithfulness {_beside(rng, relay.kept(components, bool(_mlps(relay))))}"
    yield f"expect logit_diff {_beside(rng, relay.metric, share=False)}"
    chosen = " ".join(f"{head} at all" for head in random_heads(rng, relay))
    yield f"expect knockout({{ {chosen} }}) < random heads"


def _stated(rng: np.random.Generator, path: str, working: bool) -> str:
    """A claim of a path: the true one more often than the others."""
    yes = ("edge {} : raises", "edge {}")
    no = ("no edge {}", "edge {} : lowers")
    first, second = (yes, no) if working else (no[:1] * 2, yes)
    among = first if rng.random() < 0.6 else second
    return str(rng.choice(among)).format(path)


def _beside(rng: np.random.Generator, truth: float, share: bool = True) -> str:
    """A bound on either side of the truth, half of a per cent to half of it away."""
    way = rng.choice([-1, 1])
    bound = truth + way * float(np.exp(rng.uniform(np.log(0.005), np.log(0.5)))) * (1 if share else truth)
    return f"{rng.choice(['>=', '<='])} {100 * bound:.4f}%" if share else f"{rng.choice(['>=', '<='])} {bound:.4f}"


def random_heads(rng: np.random.Generator, relay: Relay) -> tuple[Head, ...]:
    """Heads drawn as the control draws them: some of each of one or two layers, whatever they do."""
    geometry = relay.geometry
    layers = _some(rng, range(geometry.n_layers), int(rng.integers(1, 3)))
    numbers = {layer: int(rng.integers(1, geometry.n_heads)) for layer in layers}
    by_layer = {layer: [head for head in all_heads(geometry) if head.layer == layer] for layer in layers}
    return tuple(head for layer in layers for head in _some(rng, by_layer[layer], numbers[layer]))


def _mlps(relay: Relay) -> list[Component]:
    return [Mlp(stage.mlp[0]) for stage in relay.stages if stage.mlp is not None]


def _most_of(rng: np.random.Generator, heads: Sequence[Head]) -> list[Head]:
    """All of them, or all but one, which the search for heads that are not listed should find."""
    if len(heads) < 2 or rng.random() < 0.5:
        return list(heads)
    return _some(rng, heads, len(heads) - 1)


def _some(rng: np.random.Generator, items: Sequence, number: int) -> list:
    return sorted(items[place] for place in rng.choice(len(items), min(number, len(items)), replace=False))


def _listed(heads: Iterable[Head]) -> str:
    return " ".join(map(str, heads))


# --- truth -------------------------------------------------------------------------------------------


def truth_of(claim: Claim, circuit: Circuit, relay: Relay) -> float | None:
    """The figure that a claim is about, by the wires; None for one that is compared with a control."""
    if isinstance(claim.bound, Control):
        return None
    arguments = dict(claim.term.arguments)
    components = {node.component for node in circuit.nodes}
    mlps = any(isinstance(each, Mlp) for each in components)
    match claim.term.measure:
        case "logit_diff":
            return relay.metric
        case "faithfulness":
            return relay.kept(_in_place(circuit, relay), mlps)
        case "minimality":
            (node,) = _nodes(arguments["heads"]).nodes
            return relay.added(node.component, _in_place(circuit, relay), mlps)
        case "knockout":
            nodes = _nodes(arguments["heads"]).nodes
            return -relay.lost_at((node.component, node.position) for node in nodes)
        case "effect":
            path = arguments["path"]
            assert isinstance(path, Path)
            return -_sent(path, relay)
        case other:
            raise ValueError(f"the truth of {other} is not known")


def _nodes(argument: object) -> Nodes:
    assert isinstance(argument, Nodes)
    return argument


def _in_place(circuit: Circuit, relay: Relay) -> set[Component]:
    """Components that the circuit has where they work."""
    return {node.component for node in circuit.nodes if node.position == relay.place_of(node.component)}


def _sent(path: Path, relay: Relay) -> float:
    senders = {n.component for n in path.senders.nodes if n.position == relay.place_of(n.component)}
    if isinstance(path.receivers, LogitsReceiver):
        return relay.sent(senders, None)
    if "v" not in path.receivers.inputs:
        return 0.0  # places are looked for by position alone
    return relay.sent(senders, {node.component for node in path.receivers.nodes})


def is_true(claim: Claim, truth: float, slack: float) -> bool | None:
    """Whether a claim is true; None where the truth is known less exactly than it is near the bound."""
    assert isinstance(claim.bound, Bound)
    verdict = decide(claim.bound, truth - slack, truth + slack)
    return None if verdict is Verdict.UNDECIDED else verdict is Verdict.HOLDS
