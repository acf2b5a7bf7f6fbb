"""Run by benchmarks/peers.py in a Python that has TransformerLens 2: times a public implementation on one model.

``peer_process.py ORDER ANSWER``: both JSON, as peers.py writes and reads them. The peer's own code is imported from the
folder that the order names, and works on ``HookedTransformer``, which later TransformerLens no longer has.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import GPT2LMHeadModel

Order = dict[str, Any]
Timed = Callable[[Callable[[], Any]], tuple[float, Any]]


def main(order_file: str, answer_file: str) -> None:
    torch.set_num_threads(1)
    order = json.loads(Path(order_file).read_text(encoding="utf-8"))
    sys.path.insert(0, order["code"])
    device = torch.device(order["device"])
    model = opened(order["weights"]).to(device)
    timed = seconds_on_gpu if device.type == "cuda" else cpu_seconds
    tokens, other = (torch.tensor(order[name], device=device) for name in ("tokens", "counterfactuals"))
    with torch.no_grad():
        forward = min(timed(partial(model, tokens))[0] for _ in range(2))
    answer = PEERS[order["peer"]](model, tokens, other, order, timed)
    Path(answer_file).write_text(json.dumps({"forward": forward} | answer), encoding="utf-8")


def cpu_seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    """What an action took of this process's CPU time, and what it gave."""
    started = time.process_time()
    result = action()
    return time.process_time() - started, result


def seconds_on_gpu(action: Callable[[], Any]) -> tuple[float, Any]:
    """The same in elapsed seconds, until the card has done all of it; the second time, when kernels are loaded."""
    action()
    torch.cuda.synchronize()
    started = time.perf_counter()
    result = action()
    torch.cuda.synchronize()
    return time.perf_counter() - started, result


def opened(folder: str) -> HookedTransformer:
    """A HookedTransformer with the weights of a folder, as they are."""
    network = GPT2LMHeadModel.from_pretrained(folder)
    shape = network.config
    config = HookedTransformerConfig(
        n_layers=shape.n_layer,
        n_heads=shape.n_head,
        d_model=shape.n_embd,
        d_head=shape.n_embd // shape.n_head,
        d_mlp=4 * shape.n_embd,
        d_vocab=shape.vocab_size,
        n_ctx=shape.n_positions,
        act_fn="gelu_new",
        normalization_type="LN",
        default_prepend_bos=False,
    )
    model = HookedTransformer(config)
    model.load_state_dict(convert_gpt2_weights(network, config), strict=False)  # masks are no weights
    return model.eval()


def path_patching(
    model: HookedTransformer, tokens: Tensor, other: Tensor, order: Order, timed: Timed
) -> dict[str, Any]:
    """Seconds for the caches, and for each path of each sweep with its figures [prompts]."""
    import path_patching as peer

    def estimates(logits: Tensor) -> Tensor:
        return logits[:, -1, order["answer"]] - logits[:, -1, order["wrong"]]

    def patched(path: dict[str, Any]) -> Tensor:
        layer, head = path["sender"]
        if path["recomputed"]:
            node = peer.Node("z", layer, head=head, seq_pos=path["token"])
            return peer.act_patch(model, tokens, node, estimates, new_cache=new)
        to = [peer.Node("q", layer, head=head) for layer, head in path["receivers"]]
        return peer.path_patch(
            model,
            orig_input=tokens,
            new_input=other,
            sender_nodes=peer.Node("z", layer, head=head),
            receiver_nodes=to or peer.Node("resid_post", model.cfg.n_layers - 1),
            patching_metric=estimates,
            orig_cache=clean,
            new_cache=new,
            seq_pos=path["token"],
        )

    def cached(some: Tensor) -> Any:
        return model.run_with_cache(some, return_type=None, names_filter=peer.relevant_names_filter)[1]

    with torch.no_grad():
        setup, (clean, new) = timed(lambda: (cached(tokens), cached(other)))
        sweeps = {}
        for case, paths in order["sweeps"].items():
            seconds, results = timed(lambda paths=paths: [patched(path).tolist() for path in paths])
            sweeps[case] = {"seconds": seconds / len(paths), "figures": results}
    return {"setup": setup, "sweeps": sweeps}


class OnDevice(TorchFunctionMode):
    """Tensors that the code inside asks a GPU for are made where the model is."""

    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if kwargs.get("device") == "cuda":
            kwargs["device"] = self.device
        return func(*args, **kwargs)


def eap_ig(model: HookedTransformer, tokens: Tensor, other: Tensor, order: Order, timed: Timed) -> dict[str, Any]:
    """For each method: seconds to score all edges, and the scores of those between the heads asked for."""
    from eap import attribute, graph

    def as_they_are(model: HookedTransformer, tokens: Tensor) -> tuple[Tensor, None, Tensor, int]:
        """In place of their tokeniser: these are tokens already, all equally long."""
        return tokens, None, torch.full((len(tokens),), tokens.shape[1], device=tokens.device), tokens.shape[1]

    def estimates(logits: Tensor, *_: Any) -> Tensor:
        return (logits[:, -1, order["answer"]] - logits[:, -1, order["wrong"]]).sum()

    attribute.tokenize_plus = as_they_are
    split(model)
    batches = [(tokens, other, None)]
    methods = {}
    for method, steps in order["methods"].items():
        edges = graph.Graph.from_model(model)
        # Integrated gradients ask for the gradients they need; those of the weights would cost as much again.
        model.requires_grad_(method == "EAP")
        with OnDevice(tokens.device):
            seconds, _ = timed(
                partial(
                    attribute.attribute, model, edges, batches, estimates, method=method, ig_steps=steps, quiet=True
                )
            )
        scores = [float(edges.edges[_edge(*ends)].score) for ends in order["edges"]]
        methods[method] = {"seconds": seconds, "scores": scores}
    return {"methods": methods}


def _edge(sender: list[int], receiver: list[int]) -> str:
    return "a{}.h{}->a{}.h{}<q>".format(*sender, *receiver)


def evaluate_graph(
    model: HookedTransformer, tokens: Tensor, other: Tensor, order: Order, timed: Timed
) -> dict[str, Any]:
    """Seconds to evaluate each circuit, and its figures [circuits, prompts]."""
    from eap import evaluate, graph

    as_they_are = None, torch.full((len(tokens),), tokens.shape[1], device=tokens.device), tokens.shape[1]
    evaluate.tokenize_plus = lambda model, tokens: (tokens, *as_they_are)  # these are tokens already, all equally long
    split(model)

    def estimates(logits: Tensor, *_: Any) -> Tensor:
        return logits[:, -1, order["answer"]] - logits[:, -1, order["wrong"]]

    def made(level: int) -> graph.Graph:
        circuit = graph.Graph.from_model(model)
        for sender, receiver, which, at in order["edges"]:
            if at <= level:
                name = f"{_eap_name(sender)}->{_eap_name(receiver)}" + (f"<{which}>" if which else "")
                circuit.edges[name].in_graph = True
        return circuit

    def evaluated(circuit: graph.Graph) -> list[float]:
        with OnDevice(tokens.device):
            return evaluate.evaluate_graph(model, circuit, [(tokens, other, None)], estimates, quiet=True).tolist()

    circuits = [made(level) for level in range(order["circuits"])]
    seconds, figures = timed(lambda: list(map(evaluated, circuits)))
    return {"seconds": seconds, "figures": figures}


def auto_circuit(model: HookedTransformer, tokens: Tensor, other: Tensor, order: Order, timed: Timed) -> dict[str, Any]:
    """Seconds to run all circuits, which are parts of each other, and their figures [circuits, prompts]."""
    from auto_circuit.data import PromptDataLoader, PromptDataset
    from auto_circuit.prune import run_circuits
    from auto_circuit.types import AblationType, PatchType
    from auto_circuit.utils.graph_utils import patchable_model

    split(model)
    answers = [torch.tensor([order[name]], device=tokens.device) for name in ("answer", "wrong")]
    each = [[answer] * len(tokens) for answer in answers]
    prompts = PromptDataset(list(tokens), list(other), *each)
    loader = PromptDataLoader(prompts, seq_len=None, diverge_idx=0, batch_size=len(tokens), shuffle=False)

    patchable = patchable_model(
        model, factorized=True, slice_output="last_seq", separate_qkv=True, device=tokens.device
    )
    edges = {edge.name: edge for edge in patchable.edges}
    scores = patchable.new_prune_scores()
    levels = [0] * order["circuits"]
    for sender, receiver, which, at in order["edges"]:
        edge = edges[f"{_auto_name(sender, 'Start')}->{_auto_name(receiver, 'End')}{which and '.' + which.upper()}"]
        scores[edge.dest.module_name][edge.patch_idx] = 1 / (1 + at)
        levels[at] += 1
    counts = [sum(levels[: at + 1]) for at in range(len(levels))]

    def ran() -> list[list[float]]:
        found = run_circuits(patchable, loader, counts, scores, PatchType.TREE_PATCH, AblationType.RESAMPLE)
        outputs = [torch.cat(list(found[count].values())) for count in counts]
        return [(out[:, order["answer"]] - out[:, order["wrong"]]).tolist() for out in outputs]

    seconds, figures = timed(ran)
    return {"seconds": seconds, "figures": figures}


def split(model: HookedTransformer) -> None:
    """The inputs of every head's queries, keys and values, and every head's output, by themselves."""
    model.set_use_attn_result(True)
    model.set_use_split_qkv_input(True)
    model.set_use_hook_mlp_in(True)


def _eap_name(node: list[int] | str) -> str:
    if isinstance(node, str):
        return node
    return f"a{node[0]}.h{node[1]}" if len(node) == 2 else f"m{node[0]}"


def _auto_name(node: list[int] | str, end: str) -> str:
    if isinstance(node, str):
        return f"Resid {end}"
    return f"A{node[0]}.{node[1]}" if len(node) == 2 else f"MLP {node[0]}"


PEERS = {
    "path_patching": path_patching,
    "eap_ig": eap_ig,
    "evaluate_graph": evaluate_graph,
    "auto_circuit": auto_circuit,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
