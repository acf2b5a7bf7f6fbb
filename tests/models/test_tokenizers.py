"""Tokenizers without their models: the tokens, and all else that is asked of them, are those of the open model."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from folders_of_models import copied
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from circuitdsl.language.environment import TaskRef
from circuitdsl.models import KeptTokenizer, ModelError, open_model, text_of, tokenizer_of
from circuitdsl.models.folders import MINI
from circuitdsl.models.kept_tokenizer import SPECIAL
from circuitdsl.models.mini.tokenizer import build
from circuitdsl.models.model import _tokenizer_text
from circuitdsl.tasks import draw

TEXTS = ("When Mary and John went to the store,", "naïve café — 東京 🙂", "a  b\n\tc <s> d", "1732 to 17", "")


@cache
def bytes_tokenizer(**settings: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE as GPT-2's, of a few merges, with special tokens of its own."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "<pad>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    inner.train_from_iterator(TEXTS * 20, trainer)
    inner.enable_truncation(4)  # as a file of a tokenizer may have left it
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", pad_token="<pad>", **settings)


def kept(tokenizer: Any) -> KeptTokenizer:
    """The tokenizer from its text; it must do without the one that it is the text of."""
    text = text_of(tokenizer)
    assert text is not None

    def own() -> Any:
        raise AssertionError("the model would be opened")

    return KeptTokenizer(text, own)


TOKENIZERS = {"words": build, "bytes": bytes_tokenizer}


@pytest.mark.parametrize("which", TOKENIZERS)
@given(text=st.one_of(st.sampled_from(TEXTS), st.text(max_size=40)), tokens=st.lists(st.integers(0, 300), max_size=9))
def test_a_kept_tokenizer_does_what_the_tokenizer_does(which, text, tokens):
    own = TOKENIZERS[which]()
    light = kept(own)
    expected = own(text, add_special_tokens=False, return_offsets_mapping=True)
    light.backend_tokenizer.no_truncation()
    found = light.backend_tokenizer.encode(text, add_special_tokens=False)
    assert (found.ids, found.offsets) == (expected["input_ids"], expected["offset_mapping"])
    assert light.decode(tokens) == own.decode(tokens)
    assert len(light) == len(own)
    assert light.is_fast
    assert dict(light.added_tokens_decoder) == own.added_tokens_decoder
    assert {name: getattr(light, name) for name in SPECIAL} == {name: getattr(own, name) for name in SPECIAL}


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("task", [TaskRef("ioi"), TaskRef("colored_objects"), TaskRef("induction")])
def test_tasks_draw_the_same_prompts_with_it(task: TaskRef, bos: bool):
    own = build()
    assert draw(task, kept(own), 30, 3, bos) == draw(task, own, 30, 3, bos)


def test_what_else_is_asked_is_asked_of_the_models_own():
    own, asked = build(), []
    text = text_of(own)
    assert text is not None
    light = KeptTokenizer(text, lambda: asked.append("opened") or own)
    assert copy.copy(light).kept is text
    assert asked == []
    assert light("the store")["attention_mask"] == own("the store")["attention_mask"]
    assert light.get_vocab() == own.get_vocab()
    assert light.decode([0, 5], skip_special_tokens=True) == own.decode([0, 5], skip_special_tokens=True)
    assert len(asked) == 3


class _Shouting(PreTrainedTokenizerFast):
    def _decode(self, *arguments: Any, **settings: Any) -> str:
        return super()._decode(*arguments, **settings).upper()


@pytest.mark.parametrize(
    "tokenizer",
    [
        bytes_tokenizer(split_special_tokens=True),
        bytes_tokenizer(clean_up_tokenization_spaces=True),
        _Shouting(tokenizer_object=build().backend_tokenizer),
        object(),
    ],
)
def test_a_tokenizer_that_does_more_than_its_text_says_is_not_kept(tokenizer):
    assert text_of(tokenizer) is None


def without_special_tokens(folder: Path) -> Path:
    """A copy of mini whose tokenizer names neither BOS nor padding."""
    path = copied(folder) / "tokenizer_config.json"
    settings = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({k: v for k, v in settings.items() if k not in ("bos_token", "pad_token")}), "utf-8")
    return folder


def test_the_tokenizer_of_a_name_is_that_of_the_open_model(tmp_path: Path):
    for name in ("mini", "planted-ioi", str(without_special_tokens(tmp_path / "m")), str(MINI)):
        alone, opened = tokenizer_of(name), open_model(name).tokenizer
        assert type(alone) is type(opened), name
        assert _tokenizer_text(alone) == _tokenizer_text(opened), name
        assert [getattr(alone, each) for each in SPECIAL] == [getattr(opened, each) for each in SPECIAL], name


def test_the_tokenizer_of_no_model_is_refused_as_the_model_is(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    for name in ("nobody/nothing", str(tmp_path)):
        with pytest.raises(ModelError):
            tokenizer_of(name)
    with pytest.raises(ModelError, match="no revisions"):
        tokenizer_of("mini", "main")
