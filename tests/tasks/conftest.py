"""Tokenizers for the tests: mini's word-level one, made on the spot; GPT-2's and SmolLM2's, where their files are."""

import pytest

from circuitdsl.models.folders import added_folder, is_model
from circuitdsl.models.mini.tokenizer import build
from shared_data import SHARED

GPT2 = SHARED / "gpt2-tokenizer"


@pytest.fixture(scope="session")
def mini():
    return build()


@pytest.fixture(scope="session")
def gpt2():
    if not GPT2.is_dir():
        pytest.skip(f"no tokenizer at {GPT2}")
    from transformers import GPT2Tokenizer

    tokenizer = GPT2Tokenizer.from_pretrained(GPT2)
    assert len(tokenizer) == 50257
    return tokenizer


@pytest.fixture(scope="session")
def smollm2():
    folder = added_folder("smollm2-135m")
    if not is_model(folder):
        pytest.skip("smollm2-135m is not here: circuitdsl models add smollm2-135m")
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session", params=["mini", "gpt2", "smollm2"])
def tokenizer(request):
    return request.getfixturevalue(request.param)
