"""Dictionaries of features: sparse autoencoders and transcoders, as a circuit declares them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Point = Literal["attn_out", "mlp_out", "resid_pre"]
"""Where a dictionary stands: what a layer's heads write together, after W_O and its bias; what its MLP writes; or the
residual stream before the layer."""


@dataclass(frozen=True, order=True)
class Dictionary:
    """``dictionary a1 at attn_out 1 from "saes/mini/attn1"``.

    A dictionary writes what stands at its point as f W_dec + b_dec and an error, where the ``n_features`` values f are
    computed from what stands there or, by a ``transcoder``, from what the MLP of its layer reads. ``fingerprint`` is a
    hash of all that f, W_dec and b_dec depend on: two dictionaries are equal where it, the point and the layer are,
    whatever a circuit calls them and wherever they lie. ``folder`` is where they do.
    """

    point: Point
    layer: int
    n_features: int
    fingerprint: str
    transcoder: bool = False
    name: str = field(default="", compare=False)
    folder: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name} at {self.point} {self.layer}"

    def to_dict(self) -> dict[str, object]:
        """Its place in the JSON report."""
        return {
            "name": self.name,
            "point": self.point,
            "layer": self.layer,
            "kind": "transcoder" if self.transcoder else "autoencoder",
            "features": self.n_features,
            "fingerprint": self.fingerprint,
            "folder": self.folder,
        }

    @property
    def reads(self) -> str:
        """The hook point of what its features are computed from."""
        return f"blocks.{self.layer}.mlp.hook_in" if self.transcoder else self.stands_at

    @property
    def stands_at(self) -> str:
        """The hook point of what it writes as features and an error."""
        return f"blocks.{self.layer}.hook_{self.point}"

    @property
    def features(self) -> str:
        """The hook point of its features, [prompts, length, n_features], which engines add to those of the model."""
        return f"{self.stands_at}.dictionary.{self.fingerprint[:16]}.hook_features"

    @property
    def error(self) -> str:
        """The hook point of its error, [prompts, length, d_model], which engines add to those of the model."""
        return f"{self.stands_at}.dictionary.{self.fingerprint[:16]}.hook_error"

    @property
    def read_as(self) -> str:
        """The hook point of what its features are computed from, and nothing else: what is written there reaches the
        model through them alone."""
        return f"{self.stands_at}.dictionary.{self.fingerprint[:16]}.hook_in"

    @property
    def hook_points(self) -> tuple[str, ...]:
        """Those that engines add to the model's."""
        return self.read_as, self.features, self.error

    @property
    def summed(self) -> str:
        """The hook point of what is added up at its point: the outputs of heads, or of the MLP; "" for the stream."""
        if self.point == "attn_out":
            return f"blocks.{self.layer}.attn.hook_z"
        return f"blocks.{self.layer}.hook_mlp_out" if self.point == "mlp_out" else ""
