"""A second, independent computation of Llama with grouped queries: numpy in float64 over a Hugging Face state dict.

No hooks, no TransformerLens, one prompt at a time without padding. Keys and values are repeated for every head before
anything can be done to them: ``edit(name, value)`` sees "k 1" and "v 1" [length, heads, d_head] as each head reads
them, before rotation, and may return others; so it does "q 1", "z 1", "pattern 1", "mlp 1", "scale ln1 1" and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Edit = Callable[[str, np.ndarray], np.ndarray]


def unchanged(name: str, value: np.ndarray) -> np.ndarray:
    return value


@dataclass
class Llama:
    weights: dict[str, np.ndarray]
    layers: int
    heads: int
    groups: int
    epsilon: float
    theta: float
    seen: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> Llama:
        """From a transformers LlamaForCausalLM without biases."""
        weights = {name: w.detach().numpy().astype(np.float64) for name, w in model.state_dict().items()}
        c = model.config
        theta = c.rope_parameters["rope_theta"]
        return cls(weights, c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads, c.rms_norm_eps, theta)

    def __call__(self, tokens, edit: Edit = unchanged) -> np.ndarray:
        """Logits at the last token: [vocabulary]. ``seen`` holds every activation of the last call."""
        self.seen = {}

        def see(name: str, value: np.ndarray) -> np.ndarray:
            self.seen[name] = edit(name, value)
            return self.seen[name]

        w, length = self.weights, len(tokens)
        residual = w["model.embed_tokens.weight"][list(tokens)]
        for layer in range(self.layers):
            block = f"model.layers.{layer}."
            normed = self._norm(residual, block + "input_layernorm.weight", f"ln1 {layer}", see)
            columns = {"q": self.heads, "k": self.groups, "v": self.groups}
            read = {
                n: (normed @ w[f"{block}self_attn.{n}_proj.weight"].T).reshape(length, m, -1)
                for n, m in columns.items()
            }
            q, k, v = (see(f"{n} {layer}", np.repeat(x, self.heads // x.shape[1], axis=1)) for n, x in read.items())
            scores = np.einsum("qhd,khd->hqk", self._rotated(q), self._rotated(k)) / np.sqrt(q.shape[-1])
            scores[:, ~np.tri(length, dtype=bool)] = -np.inf
            pattern = np.exp(scores - scores.max(-1, keepdims=True))
            pattern = see(f"pattern {layer}", pattern / pattern.sum(-1, keepdims=True))
            z = see(f"z {layer}", np.einsum("hqk,khd->qhd", pattern, v))
            residual = residual + z.reshape(length, -1) @ w[block + "self_attn.o_proj.weight"].T
            normed = self._norm(residual, block + "post_attention_layernorm.weight", f"ln2 {layer}", see)
            gate = normed @ w[block + "mlp.gate_proj.weight"].T
            hidden = gate / (1 + np.exp(-gate)) * (normed @ w[block + "mlp.up_proj.weight"].T)
            residual = residual + see(f"mlp {layer}", hidden @ w[block + "mlp.down_proj.weight"].T)
        return self._norm(residual, "model.norm.weight", "ln_f", see)[-1] @ w["lm_head.weight"].T

    def _norm(self, x: np.ndarray, name: str, label: str, see: Edit) -> np.ndarray:
        scale = see(f"scale {label}", np.sqrt((x**2).mean(-1, keepdims=True) + self.epsilon))
        return x / scale * self.weights[name]

    def _rotated(self, x: np.ndarray) -> np.ndarray:
        """Each coordinate turned with the one half a head away, the slower the later in the half."""
        half = x.shape[-1] // 2
        angle = np.outer(np.arange(len(x)), self.theta ** (-np.arange(half) / half))[:, None]
        first, second = x[..., :half], x[..., half:]
        cos, sin = np.cos(angle), np.sin(angle)
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)
