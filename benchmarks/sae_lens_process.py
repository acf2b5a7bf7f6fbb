"""Run by benchmarks/dictionaries.py in a Python that has SAELens: saves dictionaries, loads them, and uses them.

``sae_lens_process.py FOLDER``: makes one dictionary of every architecture there with random weights, as SAELens saves
them for inference, and beside each ``inputs.npy`` and what SAELens's own loader makes of it: ``features.npy`` and
``reconstructions.npy``. Folders that hold ``inputs.npy`` already are loaded as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import sae_lens
import torch
from sae_lens import SAE
from sae_lens.saes.sae import SAEMetadata

D_IN, D_SAE, INPUTS = 48, 160, 200
PLACE = {"hook_name": "blocks.1.hook_attn_out"}
MLP = {"hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "blocks.1.hook_mlp_out"}
MADE = {
    "standard": ("StandardSAE", {}, PLACE),
    "standard, b_dec not subtracted": ("StandardSAE", {"apply_b_dec_to_input": False}, PLACE),
    "topk": ("TopKSAE", {"k": 7}, PLACE),
    "topk, rescaled": ("TopKSAE", {"k": 7, "rescale_acts_by_decoder_norm": True}, PLACE),
    "jumprelu": ("JumpReLUSAE", {}, PLACE),
    "gated": ("GatedSAE", {}, PLACE),
    "matching_pursuit": ("MatchingPursuitSAE", {}, PLACE),
    "transcoder": ("Transcoder", {"d_out": D_IN, "apply_b_dec_to_input": False}, MLP),
    "jumprelu_transcoder": ("JumpReLUTranscoder", {"d_out": D_IN, "apply_b_dec_to_input": False}, MLP),
    "skip_transcoder": ("SkipTranscoder", {"d_out": D_IN, "apply_b_dec_to_input": False}, MLP),
}
"""By name: SAELens's class, settings and where it was trained."""


def main(folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for name, (kind, settings, place) in MADE.items():
        config = getattr(sae_lens, f"{kind}Config")(
            d_in=D_IN, d_sae=D_SAE, device="cpu", metadata=SAEMetadata(**place), **settings
        )
        dictionary = getattr(sae_lens, kind)(config)
        with torch.no_grad():
            for parameter in dictionary.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / D_IN**0.5)
            if hasattr(dictionary, "threshold"):
                dictionary.threshold.abs_()
        dictionary.save_model(folder / name)
        np.save(folder / name / "inputs.npy", torch.randn(INPUTS, D_IN, generator=generator).numpy())
    for inputs in sorted(folder.glob("*/inputs.npy")):
        use(inputs.parent)


def use(folder: Path) -> None:
    """What SAELens computes from a folder's inputs."""
    dictionary = SAE.load_from_disk(folder, device="cpu")
    with torch.no_grad():
        features = dictionary.encode(torch.from_numpy(np.load(folder / "inputs.npy")))
        np.save(folder / "features.npy", features.numpy())
        np.save(folder / "reconstructions.npy", dictionary.decode(features).numpy())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
