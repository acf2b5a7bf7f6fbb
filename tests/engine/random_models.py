"""Small random models of many architectures, and random prompts, worlds and readings to run on them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MptConfig,
    MptForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
)

from circuitdsl.actions import Ablate, Action, Attend, Freeze, Patch, Scale, Swap, Target
from circuitdsl.components import (
    ALL,
    Component,
    Dictionary,
    Embed,
    ErrorTerm,
    Feature,
    Geometry,
    Head,
    Mlp,
    Neuron,
    Node,
    OfDictionary,
    Point,
    PosEmbed,
    Position,
    Residual,
)
from circuitdsl.language.circuit import FromTo, Reads, Token
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import (
    Ablated,
    Attention,
    AttentionTo,
    Clean,
    Copying,
    Corrupted,
    Data,
    Divergence,
    FromCounterfactual,
    HeadScore,
    Hit,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
    Predicted,
    Reading,
    Resample,
    Source,
    TokenProbability,
    World,
    Zero,
)
from circuitdsl.measures.kept import by_features
from circuitdsl.models import Model, open_model
from circuitdsl.models.planted.vocabulary import Vocabulary, word_tokenizer
from circuitdsl.tasks.prompts import Prompt, numbered
from written_dictionaries import random_dictionary

LAYERS, HEADS, VOCABULARY = 3, 4, 24
DATA = Data(TaskRef("none"), 0, False)

# --- models ----------------------------------------------------------------------------------------


def _tokenizer():
    return word_tokenizer(Vocabulary(("[PAD]", "[BOS]", "[UNK]", *(f"w{i}" for i in range(3, VOCABULARY))), ()), "r")


def _shaken(model: Any) -> Any:
    """Random weights and biases, with norms' weights near one."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(0.35 * noise + (1.0 if parameter.dim() == 1 and "weight" in name else 0.0))
    return model


# Removed with everything in it when the tests end.
_FOLDERS = tempfile.TemporaryDirectory(prefix="circuitdsl-test-")


def folder(model: PreTrainedModel) -> str:
    """A Hugging Face folder of the model with random weights and a tokenizer of words."""
    path = tempfile.mkdtemp(dir=_FOLDERS.name)
    _shaken(model).save_pretrained(path)
    _tokenizer().save_pretrained(path)
    return path


SHAPE: dict[str, Any] = {
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "hidden_size": 16,
    "intermediate_size": 20,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 32,
}
IDS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}  # within so small a vocabulary


def _llama(**settings: Any) -> str:
    return folder(LlamaForCausalLM(LlamaConfig(**SHAPE, **settings)))


def _neox(**settings: Any) -> str:
    return folder(GPTNeoXForCausalLM(GPTNeoXConfig(**SHAPE, **settings)))


def _gemma() -> str:
    return folder(GemmaForCausalLM(GemmaConfig(**SHAPE, **IDS, num_key_value_heads=1, head_dim=4)))


def _phi() -> str:
    settings: dict[str, Any] = SHAPE | IDS | {"partial_rotary_factor": 0.5}
    return folder(PhiForCausalLM(PhiConfig(**settings)))


def _gpt2() -> str:
    return folder(
        GPT2LMHeadModel(GPT2Config(n_layer=LAYERS, n_head=HEADS, n_embd=16, vocab_size=VOCABULARY, n_positions=32))
    )


def _bloom() -> str:
    shape = {"n_layer": LAYERS, "n_head": HEADS, "hidden_size": 16, "vocab_size": VOCABULARY, "seq_length": 32}
    settings: dict[str, Any] = IDS | shape
    return folder(BloomForCausalLM(BloomConfig(**settings)))


def _mpt() -> str:
    """Its own scale of scores too, as its configuration allows."""
    own_scale: dict[str, Any] = {"attn_config": {"softmax_scale": 0.4}}
    return folder(
        MptForCausalLM(
            MptConfig(
                n_layers=LAYERS, n_heads=HEADS, d_model=16, vocab_size=VOCABULARY, max_seq_len=32, **IDS, **own_scale
            )
        )
    )


def _native(**settings: Any) -> Any:
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources.native import boot

    config = {
        "d_model": 16,
        "d_head": 4,
        "n_layers": LAYERS,
        "n_ctx": 32,
        "n_heads": HEADS,
        "d_vocab": VOCABULARY,
        "act_fn": "gelu_new",
        "architecture": "TransformerLensNative",
        "seed": 0,
        "model_name": "native",
    }
    bridge = boot(TransformerBridgeConfig(**(config | settings)), tokenizer=_tokenizer())
    return _shaken(bridge)


def _without_positions() -> Any:
    """A rotary model whose queries and keys nothing rotates any more."""
    bridge = _native(positional_embedding_type="rotary")
    for block in bridge.blocks:
        block.attn.original_component.rotary = None
    bridge.cfg.positional_embedding_type = "none"
    return bridge


ARCHITECTURES: dict[str, Callable[[], Model]] = {
    "gpt2": lambda: open_model(_gpt2()),
    "gpt2 folded": lambda: open_model(_gpt2(), "fold"),
    "llama, grouped queries": lambda: open_model(_llama(num_key_value_heads=2)),
    "llama folded": lambda: open_model(_llama(num_key_value_heads=2), "fold"),
    "llama, biased": lambda: open_model(_llama(attention_bias=True, mlp_bias=True)),
    "neox, parallel, partial rotary": lambda: open_model(_neox(rotary_pct=0.5)),
    "neox, sequential": lambda: open_model(_neox(use_parallel_residual=False, rotary_pct=1.0)),
    "gemma, scaled embeddings, one key-value head": lambda: open_model(_gemma()),
    "phi, parallel with one norm": lambda: open_model(_phi()),
    "bloom, ALiBi": lambda: open_model(_bloom()),
    "bloom folded": lambda: open_model(_bloom(), "fold"),
    "mpt, ALiBi": lambda: open_model(_mpt()),
    "no positions": lambda: open_model(_without_positions()),
    "attention only, no norm": lambda: open_model(_native(attn_only=True, normalization_type=None)),
    "attention only, normed": lambda: open_model(_native(attn_only=True, normalization_type="LN")),
    "no norm": lambda: open_model(_native(normalization_type=None, act_fn="relu")),
    "rms, rotary pairs, grouped": lambda: open_model(
        _native(normalization_type="RMS", positional_embedding_type="rotary", rotary_dim=2, n_key_value_heads=2)
    ),
    "norms without weights, gated": lambda: open_model(
        _native(normalization_type="RMSPre", gated_mlp=True, act_fn="silu")
    ),
}


@cache
def architecture(name: str) -> Model:
    """A model of the named architecture, opened once."""
    return ARCHITECTURES[name]()


# --- dictionaries ----------------------------------------------------------------------------------

DICTIONARIES: tuple[tuple[str, Point, int], ...] = (
    ("standard", "attn_out", 0),
    ("topk", "attn_out", 1),
    ("jumprelu", "attn_out", 1),
    ("standard, b_dec first", "resid_pre", 0),
    ("topk of SAELens 5", "resid_pre", 2),
    ("jumprelu", "mlp_out", 0),
    ("transcoder", "mlp_out", 1),
    ("standard", "mlp_out", 1),
    ("jumprelu_transcoder", "mlp_out", 2),
)
"""Every architecture and point, in the first and the last layer too, and two at one point."""


@cache
def dictionaries() -> tuple[Dictionary, ...]:
    """Of random weights; those of MLPs come last."""
    return tuple(
        random_dictionary(Path(_FOLDERS.name) / f"d{index}", kind, point, layer, name=f"d{index}")[0]
        for index, (kind, point, layer) in enumerate(DICTIONARIES)
    )


# --- prompts ---------------------------------------------------------------------------------------

POSITIONS = ("A", "B", "S", "END")
LENGTHS = (6, 7, 9)
ATTENDS = {  # a query and what never comes after it; END-1 may be a token of S, and A-1 that of B
    "END": (Position("A"), Position("S"), Position("END"), Position("END", -1)),
    "S": (Position("A"), Position("B"), Position("A", -1)),
    "A": (Position("A"), Position("B"), Position("A", -1)),
}


def prompts(count: int, seed: int, reads: Sequence[str] = ("END",)) -> tuple[Prompt, ...]:
    """Prompts of several lengths, one template a length; S has two tokens, the others one.

    They are asked for the answer after one and the next of the positions ``reads``.
    """
    rng = random.Random(seed)
    drawn = (_prompt(rng, rng.choice(LENGTHS)) for _ in range(count))
    return numbered(replace(prompt, read=reads[i % len(reads)]) for i, prompt in enumerate(drawn))


def _prompt(rng: random.Random, length: int) -> Prompt:
    def row() -> tuple[int, ...]:
        return tuple(rng.randrange(3, VOCABULARY // 2) for _ in range(length))

    answer, also, *wrong = rng.sample(range(3, VOCABULARY), 5)
    a, b, s1, s2 = sorted(rng.sample(range(length - 1), 4))
    tokens = row()
    return Prompt(
        text=" ".join(map(str, tokens)),
        tokens=tokens,
        answer=answer,
        wrong=tuple(wrong[: rng.choice((1, 2))]),
        right=rng.choice(((), (answer, also))),
        options=(answer, *wrong),
        positions={"A": (b,), "B": (a,), "S": (s1, s2), "END": (length - 1,)},
        counterfactuals={"x": row(), "y": row()},
        template=f"t{length}",
        predicted={"V": wrong[-1]},
    )


# --- worlds and readings ---------------------------------------------------------------------------


class Draw:
    """Random worlds and readings for one geometry."""

    def __init__(self, geometry: Geometry, seed: int):
        self.geometry, self.rng = geometry, random.Random(seed)

    def experiments(self, count: int) -> list[tuple[World, Reading]]:
        return [(world, self.reading(world)) for world in (self.world() for _ in range(count))]

    def position(self) -> Position:
        return self.rng.choice([ALL, *(Position(name) for name in POSITIONS), Position("A", 1), Position("END", -1)])

    def head(self) -> Head:
        return Head(self.rng.randrange(LAYERS), self.rng.randrange(HEADS))

    def component(self) -> Component:
        kinds: list[Component] = [self.head(), self.head(), self.head()]
        if self.geometry.d_mlp:
            kinds += [Mlp(self.rng.randrange(LAYERS)), self.neuron()]
        kinds.append(self.rng.choice([Embed(), PosEmbed(), Residual(self.rng.randrange(LAYERS))]))
        kinds += [self.part(), self.part()]
        return self.rng.choice(kinds)

    def part(self) -> OfDictionary:
        there = [each for each in dictionaries() if self.geometry.d_mlp or each.point != "mlp_out"]
        dictionary = self.rng.choice(there)
        if self.rng.random() < 0.3:
            return ErrorTerm(dictionary)
        return Feature(dictionary, self.rng.randrange(dictionary.n_features))

    def neuron(self) -> Neuron:
        return Neuron(self.rng.randrange(LAYERS), self.rng.randrange(self.geometry.d_mlp))

    def node(self) -> Node:
        return Node(self.component(), self.position())

    def nodes(self, most: int = 4) -> frozenset[Node]:
        return frozenset(self.node() for _ in range(self.rng.randint(1, most)))

    def source(self) -> Source:
        name = self.rng.choice("xy")
        return self.rng.choice(
            [
                Zero(),
                Mean(name, 3, by_template=True),
                Mean("", 3, by_template=True),
                Mean(name, 3, by_template=False),
                Resample(name, 3, 3),
                FromCounterfactual(name),
            ]
        )

    def receivers(self) -> frozenset[tuple[Node, str]]:
        if self.rng.random() < 0.3:
            return frozenset()
        found = set()
        for _ in range(self.rng.randint(1, 3)):
            if self.rng.random() < 0.4:
                found.add((Node(self.reader(), self.position()), ""))
            elif self.geometry.d_mlp and self.rng.random() < 0.3:
                reader = self.rng.choice([Mlp(self.rng.randrange(LAYERS)), self.neuron()])
                found.add((Node(reader, self.position()), ""))
            else:
                found.add((Node(self.head(), self.position()), self.rng.choice("qkv")))
        return frozenset(found)

    def reader(self) -> Component:
        return self.rng.choice([self.part(), self.part(), Residual(self.rng.randrange(LAYERS))])

    def isolated(self) -> Isolated:
        kept = [node for node in self.nodes(8) if not isinstance(node.component, Residual)]
        kept = kept if self.rng.random() < 0.9 else []
        mlps = bool(self.geometry.d_mlp) and self.rng.random() < 0.4
        listed = [node.component for node in kept] + ([self.head()] if self.rng.random() < 0.5 else [])
        features = by_features(listed, self.geometry, errors=self.rng.random() < 0.5)
        return Isolated(frozenset(kept), self.source(), mlps, features)

    def action(self) -> tuple[Action, Source | None]:
        kind = self.rng.choice(["attend", "ablate", "patch", "scale", "freeze", "swap"])
        if kind == "attend":
            query, keys = self.rng.choice(list(ATTENDS.items()))
            heads = tuple(Node(self.head(), Position(query)) for _ in range(2))
            return Attend(heads, self.targets(keys), text="attend"), None
        nodes = tuple(sorted(self.nodes(2), key=str))
        if kind == "swap":
            here, there = self.rng.sample(tuple(map(Position, ("A", "B", "END"))), 2)
            both = (replace(node, position=position) for node in nodes for position in (here, there))
            return Swap(tuple(dict.fromkeys(both)), (here, there), text="swap"), None
        source = self.source() if kind in ("ablate", "patch") else None
        factor = self.rng.choice((0.0, 0.5, 2.0, -1.0))
        made: dict[str, Action] = {
            "ablate": Ablate(nodes, text="ablate"),
            "patch": Patch(nodes, "x", text="patch"),
            "scale": Scale(nodes, factor, text="scale"),
            "freeze": Freeze(nodes, text="freeze"),
        }
        return made[kind], source

    def targets(self, keys: tuple[Position, ...]) -> tuple[Target, ...]:
        some = self.rng.sample(keys, self.rng.choice((1, 2, 3)))
        shares = [self.rng.uniform(0.1, 1) for _ in some]
        return tuple(Target(position, share / sum(shares)) for position, share in zip(some, shares, strict=True))

    def intervened(self) -> Intervened:
        actions, sources = zip(*(self.action() for _ in range(self.rng.randint(1, 3))), strict=True)
        return Intervened(actions, sources)

    def world(self) -> World:
        match self.rng.randrange(10):
            case 0:
                return Clean()
            case 1:
                return Corrupted(self.rng.choice("xy"))
            case 2 | 3 | 4:
                return Ablated(self.nodes(), self.source())
            case 5:
                return self.isolated()
            case 6 | 7:
                under = self.intervened() if self.rng.random() < 0.5 else None
                strict = self.rng.random() < 0.4
                return Patched(self.nodes(), self.receivers(), self.rng.choice("xy"), strict, under)
            case _:
                return self.intervened()

    def reading(self, world: World) -> Reading:
        logits: list[Reading] = [
            Metric("logit_diff"),
            Metric("logit_diff"),
            Metric("accuracy"),
            Metric("accuracy among options"),
            Metric("chance among options"),
            Metric("probability"),
            Metric("probability_diff"),
            Metric("logit_diff against max"),
            Metric("log_prob"),
            Metric("reciprocal_rank"),
            Hit(self.rng.choice((1, 3, 10))),
            Predicted("V"),
            Divergence(),
            TokenProbability(Token(Position("A"))),
            TokenProbability(Token(None)),
        ]
        inside: list[Reading] = [
            self.attention(),
            HeadScore(self.head(), self.rng.choice(("previous_token", "duplicate_token", "induction"))),
            Copying(self.head(), Reads(Position("A"), Token(Position("A"))), negated=self.rng.random() < 0.5),
        ]
        return self.rng.choice(logits + inside)

    def attention(self) -> Reading:
        """Of a head to a position; of every other head to one token."""
        head, where = self.head(), FromTo(*map(Position, self.rng.choice([("END", "S"), ("S", "A"), ("A", "B")])))
        return Attention(head, where) if head.index % 2 else AttentionTo(head, where.query, 2 * head.layer)
