"""A second, independent computation of GPT-2: numpy in float64 over the weights of a Hugging Face state dict.

No hooks, no TransformerLens, one prompt at a time without padding. ``edit(name, value)`` sees every activation
("z 3" [length, heads, d_head], "q 3", "k 3", "v 3", "mlp 3", "mlp_in 3", "scale ln1 3", ...) and may return another.
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
class GPT2:
    weights: dict[str, np.ndarray]
    layers: int
    heads: int
    epsilon: float
    seen: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> GPT2:
        """From a transformers GPT2LMHeadModel."""
        weights = {name: w.detach().numpy().astype(np.float64) for name, w in model.state_dict().items()}
        config = model.config
        return cls(weights, config.n_layer, config.n_head, config.layer_norm_epsilon)

    def __call__(self, tokens, edit: Edit = unchanged) -> np.ndarray:
        """Logits at the last token: [vocabulary]. ``seen`` holds every activation of the last call."""
        self.seen = {}

        def see(name: str, value: np.ndarray) -> np.ndarray:
            self.seen[name] = edit(name, value)
            return self.seen[name]

        w = self.weights
        length = len(tokens)
        residual = see("embed", w["transformer.wte.weight"][list(tokens)]) + w["transformer.wpe.weight"][:length]
        for layer in range(self.layers):
            block = f"transformer.h.{layer}."
            normed = self._norm(residual, block + "ln_1.", f"ln1 {layer}", see)
            joined = normed @ w[block + "attn.c_attn.weight"] + w[block + "attn.c_attn.bias"]
            q, k, v = (
                see(f"{n} {layer}", part.reshape(length, self.heads, -1))
                for n, part in zip("qkv", np.split(joined, 3, axis=1), strict=True)
            )
            scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
            scores[:, ~np.tri(length, dtype=bool)] = -np.inf
            pattern = np.exp(scores - scores.max(-1, keepdims=True))
            pattern = see(f"pattern {layer}", pattern / pattern.sum(-1, keepdims=True))
            z = see(f"z {layer}", np.einsum("hqk,khd->qhd", pattern, v))
            residual = (
                residual + z.reshape(length, -1) @ w[block + "attn.c_proj.weight"] + w[block + "attn.c_proj.bias"]
            )
            normed = see(f"mlp_in {layer}", self._norm(residual, block + "ln_2.", f"ln2 {layer}", see))
            hidden = normed @ w[block + "mlp.c_fc.weight"] + w[block + "mlp.c_fc.bias"]
            hidden = 0.5 * hidden * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
            residual = residual + see(
                f"mlp {layer}", hidden @ w[block + "mlp.c_proj.weight"] + w[block + "mlp.c_proj.bias"]
            )
        final = self._norm(residual, "transformer.ln_f.", "ln_f", see)
        return final[-1] @ w["lm_head.weight"].T

    def _norm(self, x: np.ndarray, name: str, label: str, see: Edit) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scale = see(f"scale {label}", np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon))
        return centred / scale * self.weights[name + "weight"] + self.weights[name + "bias"]
