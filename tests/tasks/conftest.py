"""Tokenizers for the tests: mini's word-level one, made on the spot, and GPT-2's, where its files are."""

from pathlib import Path

import pytest
from hypothesis import settings

from circuitdsl.models.mini.tokenizer import build

settings.register_profile("no deadline", deadline=None)  # a busy machine is no failure
settings.load_profile("no deadline")

GPT2 = Path("/work/shared/data/gpt2-tokenizer")


@pytest.fixture(scope="session")
def mini():
    return build()


@pytest.fixture(scope="session")
def gpt2():
    if not GPT2.is_dir():
        pytest.skip(f"no tokenizer at {GPT2}")
    from transformers import GPT2TokenizerFast

    tokenizer = GPT2TokenizerFast.from_pretrained(GPT2)
    assert len(tokenizer) == 50257
    return tokenizer


@pytest.fixture(scope="session", params=["mini", "gpt2"])
def tokenizer(request):
    return request.getfixturevalue(request.param)
