"""What public implementations cost on the same experiments, where the caller has them at hand.

* ``path_patching`` (github.com/callummcdougall/path_patching): path patching by hooked forward passes.
* ``EAP-IG`` (github.com/hannamw/EAP-IG): edge attribution patching with integrated gradients (Hanna et al. 2024,
  arXiv:2403.17806), which approximates the effects of all edges of a model at once from gradients.

Both need ``HookedTransformer``, which TransformerLens had before 4.0. So each runs in a process of its own, with a
Python that has TransformerLens 2 (``peer_process.py``), on the same weights and tokens, and its cost is counted in
plain forward passes of that process. None of their code is kept here.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.cases import CASES, LOGIT_DIFF, experiments
from benchmarks.columns import sample_of
from benchmarks.models import ANSWER, COUNTERFACTUAL, DATA, SHAPES, WRONG, network_of
from benchmarks.sweep import Row, difference
from circuitdsl.components import ALL, Component, Head, Node
from circuitdsl.engine.batch import tokens_at
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.measures.experiments import Ablated, Clean, Experiment, FromCounterfactual, Patched, World
from circuitdsl.measures.measurement import Results
from circuitdsl.measures.ranks import spearman
from circuitdsl.models import Model
from circuitdsl.tasks.prompts import Prompt

PROMPTS = 16  # of the peers' runs: their caches and gradients are large
STEPS = 5  # of the integrated gradients, as EAP-IG's own example has it
EAP_IG = "EAP-IG-inputs"  # their name for it
METHODS = {"EAP": 1, EAP_IG: STEPS}  # plain attribution patching for comparison
EDGE_CASES = ("a", "b", "d", "e")  # whose experiments are edges, which EAP-IG scores all at once


@dataclass(frozen=True)
class Peers:
    """Where the peers are: a Python with TransformerLens 2, and for each peer a folder or a bare git repository."""

    python: Path | None = None
    path_patching: Path | None = None
    eap_ig: Path | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Missing:
    """Why a peer has no figures."""

    reason: str


@dataclass(frozen=True)
class Agreement:
    """How the scores of an attribution method rank some edges beside the edges' exact effects (Spearman)."""

    shape: str
    method: str
    edges: int
    prompts: int
    correlation: float


def with_path_patching(
    rows: Sequence[Row], results: Mapping[str, Results], model: Model, prompts: Sequence[Prompt], peers: Peers
) -> tuple[list[Row], str]:
    """The rows of one shape with path_patching's columns filled in, and what to say of them."""
    prompts = prompts[:PROMPTS]
    asked = {row.case: experiments(CASES[row.case].worlds(model.geometry)) for row in rows}
    samples = {case: sample_of(some) for case, some in asked.items() if all(_is_a_path(each.world) for each in some)}
    order = {"sweeps": {case: [_path(each.world, prompts[0]) for each in some] for case, some in samples.items()}}
    answer = asked_of("path_patching", peers.path_patching, "path_patching.py", rows[0].shape, prompts, order, peers)
    if isinstance(answer, Missing):
        return list(rows), f"path_patching: {answer.reason}"
    filled = []
    for row in rows:
        sweep = answer["sweeps"].get(row.case)
        if sweep is not None:
            theirs = dict(zip(samples[row.case], map(np.array, sweep["figures"]), strict=True))
            row = replace(
                row,
                path_patching=(answer["setup"] + sweep["seconds"] * row.experiments) / answer["forward"],
                path_patching_difference=difference(theirs, results[row.case]),
            )
        filled.append(row)
    return filled, f"path_patching: extrapolated from a sample of paths on {len(prompts)} prompts"


def with_eap_ig(
    rows: Sequence[Row], model: Model, prompts: Sequence[Prompt], peers: Peers
) -> tuple[list[Row], str, list[Agreement]]:
    """The rows of one shape with EAP-IG's column filled in, what to say of it, and how well it ranks case d's edges."""
    prompts = prompts[:PROMPTS]
    edges = _edges(model) if any(row.case == "d" for row in rows) else []
    order = {"methods": METHODS, "edges": [[_place(sender), _place(receiver)] for sender, receiver in edges]}
    answer = asked_of("eap_ig", peers.eap_ig, "src/eap", rows[0].shape, prompts, order, peers)
    if isinstance(answer, Missing):
        return list(rows), f"EAP-IG: {answer.reason}", []
    cost = answer["methods"][EAP_IG]["seconds"] / answer["forward"]
    filled = [replace(row, eap_ig=cost) if row.case in EDGE_CASES else row for row in rows]
    said = f"EAP-IG: approximates the effects of all edges at once, {STEPS} steps, measured on {len(prompts)} prompts"
    if not edges:
        return filled, said, []
    exact = exact_effects(model, prompts, edges)
    agreements = [
        Agreement(rows[0].shape, method, len(edges), len(prompts), float(spearman(np.array(found["scores"]), exact)))
        for method, found in answer["methods"].items()
    ]
    return filled, said, agreements


def exact_effects(model: Model, prompts: Sequence[Prompt], edges: Sequence[tuple[Head, Head]]) -> np.ndarray:
    """What each edge from a head to a later head's queries does to the metric when it carries the counterfactual.

    As EAP-IG defines an edge: at every token, and not through MLPs; norms keep their scale. Means over prompts.
    """
    clean = Experiment(DATA, Clean(), LOGIT_DIFF)
    worlds = [
        Patched(frozenset({Node(sender, ALL)}), frozenset({(Node(receiver, ALL), "q")}), COUNTERFACTUAL, True)
        for sender, receiver in edges
    ]
    asked = experiments(worlds)
    results = FastEngine(model).run(DATA, prompts, 0, len(prompts), [clean, *asked])
    means = {each: np.mean(np.asarray(result)) for each, result in results.items()}
    return np.array([means[each] - means[clean] for each in asked])


# --- what a peer can be asked ------------------------------------------------------------------------


def _is_a_path(world: World) -> bool:
    """Whether path_patching has words for a world: one head at one token, from the counterfactual."""
    match world:
        case Patched(senders=nodes, strict=False) | Ablated(nodes=nodes, source=FromCounterfactual()):
            return len(nodes) == 1 and all(isinstance(node.component, Head) for node in nodes)
        case _:
            return False


def _path(world: World, prompt: Prompt) -> dict[str, Any]:
    """What path_patching is asked for: from one head at one token to queries there, to the logits, or to all after."""
    assert isinstance(world, Patched | Ablated)
    (sender,) = world.senders if isinstance(world, Patched) else world.nodes
    receivers = world.receivers if isinstance(world, Patched) else ()
    (token,) = tokens_at(prompt, sender.position)
    return {
        "sender": _place(sender.component),
        "receivers": [_place(node.component) for node, _ in receivers],
        "token": token,
        "recomputed": isinstance(world, Ablated),
    }


def _edges(model: Model) -> list[tuple[Head, Head]]:
    """The edges of case d, heads only."""
    found: dict[tuple[Head, Head], None] = {}
    for world in CASES["d"].worlds(model.geometry):
        assert isinstance(world, Patched)
        (sender,), ((receiver, _),) = world.senders, world.receivers
        assert isinstance(sender.component, Head)
        assert isinstance(receiver.component, Head)
        found[sender.component, receiver.component] = None
    return list(found)


def _place(head: Component) -> list[int]:
    assert isinstance(head, Head)
    return [head.layer, head.index]


# --- a process of its own ------------------------------------------------------------------------------


def asked_of(
    peer: str,
    source: Path | None,
    inside: str,
    shape: str,
    prompts: Sequence[Prompt],
    order: Mapping[str, Any],
    peers: Peers,
) -> dict[str, Any] | Missing:
    """A peer's answer to an order, or why there is none."""
    if source is None or peers.python is None:
        option = {"evaluate_graph": "eap-ig"}.get(peer, peer.replace("_", "-"))
        return Missing(f"not measured, give --peers-python and --{option}")
    with TemporaryDirectory() as folder:
        into = Path(folder)
        code = _code(source, inside, into / "code")
        if isinstance(code, Missing):
            return code
        with redirect_stderr(StringIO()):  # a progress bar for one file
            network_of(SHAPES[shape]).save_pretrained(into / "weights")
        whole = dict(order) | {
            "peer": peer,
            "code": str(code),
            "weights": str(into / "weights"),
            "tokens": [prompt.tokens for prompt in prompts],
            "counterfactuals": [prompt.counterfactuals[COUNTERFACTUAL] for prompt in prompts],
            "answer": ANSWER,
            "wrong": WRONG,
            "device": peers.device,
        }
        (into / "order.json").write_text(json.dumps(whole), encoding="utf-8")
        script = Path(__file__).with_name("peer_process.py")
        command = [str(peers.python), "-I", "-W", "ignore", str(script), f"{into}/order.json", f"{into}/answer.json"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode:
            return Missing(f"could not run: {(ran.stderr.strip() or 'no message').splitlines()[-1]}")
        return json.loads((into / "answer.json").read_text(encoding="utf-8"))


def _code(source: Path, inside: str, into: Path) -> Path | Missing:
    """The folder to import a peer from: its work tree, or what a bare git repository's newest commit holds."""
    if not (source / inside).exists():
        into.mkdir()
        archive = into / "code.tar"
        command = ["git", "--git-dir", str(source), "archive", "--output", str(archive), "HEAD", inside]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return Missing(f"{source} is neither a folder with {inside} nor a git repository that holds it")
        with tarfile.open(archive) as packed:
            packed.extractall(into, filter="data")
        source = into
    return (source / inside).parent
