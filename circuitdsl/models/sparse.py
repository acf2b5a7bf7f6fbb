"""Dictionaries while they are trained: BatchTopK autoencoders and transcoders, written as SAELens writes them.

1. A coder reads x and is to give y, which is x itself, or by a transcoder what the MLP makes of x.
2. Its features are relu(x W_enc + b_enc). Of those of a whole batch, the tokens times ``active`` largest are kept, all
   others are zero (BatchTopK, Bussmann et al. 2024, arXiv:2412.06410).
3. What it gives is f W_dec + b_dec, with rows of W_dec of length one. The loss is the mean squared error as a share of
   the variance of y. Features that no token used for ``DEAD_AFTER`` steps get a gradient too: those that are largest on
   a token are to give what is left of y (Gao et al. 2024, arXiv:2406.04093).
4. The smallest value that was kept, averaged over steps, is the threshold of the finished dictionary, a JumpReLU.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from circuitdsl.models.dictionaries import SETTINGS, WEIGHTS

Activations = Float[Tensor, "tokens width"]
Features = Float[Tensor, "tokens features"]

DEAD_AFTER = 100  # steps
REVIVED = 32  # dead features a token
REVIVING = 1 / 32  # the share of their loss
FORGETTING = 0.01  # of the threshold, a step


@dataclass(frozen=True)
class Written:
    """What ``cfg.json`` says beside the shapes: where the dictionary reads and stands, and in which model."""

    model: str
    reads: str  # hook points
    stands_at: str

    @property
    def transcoder(self) -> bool:
        return self.reads != self.stands_at


class Coder(nn.Module):
    """A dictionary of ``count`` features, ``active`` of which a token has on average.

    It begins with the means of some ``x`` and ``y``, and with features that read what they write.
    """

    def __init__(self, x: Activations, y: Activations, count: int, active: float, seed: int) -> None:
        super().__init__()
        width = x.shape[1]
        rows = torch.randn(count, width, generator=torch.Generator().manual_seed(seed))
        rows /= rows.norm(dim=1, keepdim=True)
        self.active = active
        self.W_enc = nn.Parameter(rows.T * (y.std() / x.std()))
        self.b_enc = nn.Parameter(-x.mean(0) @ self.W_enc.detach())
        self.W_dec = nn.Parameter(rows.clone())
        self.b_dec = nn.Parameter(y.mean(0))
        self.threshold: Tensor
        self.unused: Tensor
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("unused", torch.zeros(count))  # steps since a token used each feature

    def features(self, x: Activations) -> Features:
        """All of them, before the largest are chosen."""
        return (x @ self.W_enc + self.b_enc).relu()

    def kept(self, features: Features) -> Features:
        """Of a batch those that are among its largest."""
        count = int(self.active * len(features))
        least = features.detach().flatten().topk(count, sorted=False).values.min().clamp(min=1e-6)
        return torch.where(features >= least, features, 0.0)

    def decoded(self, features: Features) -> Activations:
        return features @ self.W_dec + self.b_dec

    def loss(self, x: Activations, y: Activations) -> Tensor:
        """The share of the variance of y that is not explained, and a little for features that are not used."""
        features = self.features(x)
        kept = self.kept(features)
        self._count(kept.detach())
        left = y - self.decoded(kept)
        variance = (y - y.mean(0)).square().sum()
        return (left.square().sum() + REVIVING * self._reviving(x, left.detach())) / variance

    def _count(self, kept: Features) -> None:
        """Note which features were used, and the smallest value that was kept."""
        smallest = kept[kept > 0].min()
        begun = self.threshold > 0
        self.threshold.copy_(torch.lerp(self.threshold, smallest, FORGETTING) if begun else smallest)
        self.unused += 1
        self.unused[(kept > 0).any(0)] = 0

    def _reviving(self, x: Activations, left: Activations) -> Tensor:
        """The squared error of the dead features where they are to give what is ``left``."""
        dead = (self.unused > DEAD_AFTER).nonzero()[:, 0]
        if not len(dead):
            return left.new_zeros(())
        before = x @ self.W_enc[:, dead] + self.b_enc[dead]
        best = before.topk(min(REVIVED, len(dead)), dim=1)
        features = torch.zeros_like(before).scatter(1, best.indices, best.values.relu())
        return (left - features @ self.W_dec[dead]).square().sum()

    @torch.no_grad()
    def normalise(self) -> None:
        """Bring the rows of W_dec back to length one."""
        self.W_dec /= self.W_dec.norm(dim=1, keepdim=True)

    def write(self, folder: Path, written: Written) -> None:
        """Write it as SAELens writes a JumpReLU for inference, in float16."""
        folder.mkdir(parents=True, exist_ok=True)
        width, count = self.W_enc.shape
        settings: dict[str, object] = {
            "architecture": "jumprelu_transcoder" if written.transcoder else "jumprelu",
            "d_in": width,
            "d_sae": count,
            "dtype": "float16",
            "apply_b_dec_to_input": False,
            "normalize_activations": "none",
        }
        settings |= {"d_out": width} if written.transcoder else {}
        hooks = {"hook_name": written.reads, "model_name": written.model}
        hooks |= {"hook_name_out": written.stands_at} if written.transcoder else {}
        (folder / SETTINGS).write_text(json.dumps(settings | {"metadata": hooks}, indent=1) + "\n")
        tensors = {name: getattr(self, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
        tensors["threshold"] = self.threshold.expand(count)
        save_file({name: each.detach().half().contiguous() for name, each in tensors.items()}, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)
