"""The comparison with SAELens, with features written out by hand in SAELens's place."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.dictionaries import compared, with_inputs
from written_dictionaries import ARCHITECTURES, features_of, random_arrays, write


@pytest.fixture
def folder(tmp_path):
    def made(architecture: str):
        source = write(tmp_path / "x", random_arrays(architecture, 16, 12), **ARCHITECTURES[architecture])
        with_inputs(source, tmp_path / "copies")
        return tmp_path / "copies" / "x"

    return made


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "transcoder"])
def test_equal_features_agree_and_others_do_not(folder, architecture):
    place, arrays = folder(architecture), random_arrays(architecture, 16, 12)
    features = np.stack([features_of(x, arrays, architecture) for x in np.load(place / "inputs.npy")])
    rebuilt = features @ arrays["W_dec"] + arrays["b_dec"]
    np.save(place / "features.npy", features)
    np.save(place / "reconstructions.npy", rebuilt)
    found = compared(place)
    assert found.agrees and found.features < 1e-5 and found.active == (features != 0).sum(-1).mean()
    np.save(place / "reconstructions.npy", rebuilt + arrays["b_dec"])
    assert not compared(place).agrees and compared(place).reconstructions > 1e-3


def test_one_that_is_refused_says_why(tmp_path):
    place = write(tmp_path / "x", random_arrays("standard", 16, 12), architecture="gated")
    assert "gated" in compared(place).refused
