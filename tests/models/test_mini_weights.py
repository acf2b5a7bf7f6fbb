"""The model that ships: what it can do on what it never saw, and that every tool opens it."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from circuitdsl.language.environment import TaskRef
from circuitdsl.models import training
from circuitdsl.models.mini import tokenizer as mini_tokenizer
from circuitdsl.models.mini import train
from circuitdsl.tasks import Prompt, open_task

FOLDER = train.PACKAGE
TEXT = "Then, Mary and John went to the store. John gave a book to"


@pytest.fixture(scope="module")
def model():
    return training.load(FOLDER)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER)


def test_it_answers_combinations_that_it_never_saw(model):
    found = train.evaluate(model, 150, seed=3)
    assert found["ioi"] >= 0.98
    assert found["one_scene"] >= 0.90
    assert found["two_scenes"] >= 0.90


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize(
    ("ref", "least"),
    [
        (TaskRef("ioi"), 0.98),
        (TaskRef("colored_objects"), 0.90),
        (TaskRef("colored_objects", (("shots", 0),)), 0.90),
    ],
    ids=str,
)
def test_it_answers_the_tasks_prompts(model, tokenizer, ref, least, bos):
    prompts = open_task(ref).draw(tokenizer, 150, seed=7, bos=bos).prompts
    by_length: dict[int, list[Prompt]] = defaultdict(list)
    for prompt in prompts:
        by_length[len(prompt.tokens)].append(prompt)
    with torch.no_grad():
        right = sum(answered(model, some) for some in by_length.values())
    assert right / len(prompts) >= least


def answered(model, prompts: Sequence[Prompt]) -> int:
    """How many of some prompts of one length the model answers."""
    best = model(torch.tensor([prompt.tokens for prompt in prompts])).logits[:, -1].argmax(-1)
    return sum(int(token) == prompt.answer for token, prompt in zip(best, prompts, strict=True))


def test_the_log_tells_what_ships():
    log = json.loads((FOLDER / "training_log.json").read_text())
    assert log["shipped"]["ioi"] >= 0.98
    assert min(log["shipped"]["one_scene"], log["shipped"]["two_scenes"]) >= 0.90
    assert log["log"][-1]["step"] == log["steps"]
    assert [row["step"] for row in log["log"]] == sorted({row["step"] for row in log["log"]})
    assert set(log["versions"]) == {"python", "torch", "transformers"}


def test_the_files_are_small_and_hold_half_precision():
    weights = load_file(FOLDER / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert 800_000 < sum(tensor.numel() for tensor in weights.values()) < 1_200_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 3 * 2**20


def test_transformers_opens_it_in_float32(tokenizer):
    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    assert model.dtype == torch.float32
    assert (model.config.n_layer, model.config.n_head, model.config.n_positions) == (4, 8, mini_tokenizer.CONTEXT)
    answer = model(torch.tensor([tokenizer(TEXT)["input_ids"]])).logits[0, -1].argmax()
    assert tokenizer.decode(answer) == "Mary"


def test_the_bridge_computes_the_same(model, tokenizer):
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(FOLDER))
    tokens = torch.tensor([tokenizer(TEXT)["input_ids"]])
    with torch.no_grad():
        torch.testing.assert_close(bridge(tokens), model(tokens).logits, atol=1e-4, rtol=1e-4)


def test_the_shipped_tokenizer_is_the_one_that_the_code_builds(tokenizer, tmp_path):
    assert tokenizer.get_vocab() == {word: i for i, word in enumerate(mini_tokenizer.vocabulary())}
    mini_tokenizer.build().save_pretrained(tmp_path)
    assert Path(tmp_path / "tokenizer.json").read_text() == (FOLDER / "tokenizer.json").read_text()


def test_texts_come_back_readable(tokenizer):
    scene = "Q: On the table, I see an orange mug, a red cup, and a blue pen. What color is the mug? A: Orange"
    assert tokenizer.decode(tokenizer(scene)["input_ids"]) == scene
    assert tokenizer.decode(tokenizer(f"{TEXT} Mary")["input_ids"]) == f"{TEXT} Mary"
    assert tokenizer(" Mary")["input_ids"] == tokenizer("Mary")["input_ids"]
    assert tokenizer("a\nb zebra")["input_ids"][-1] == tokenizer.unk_token_id


def test_evaluate_prints_the_shipped_accuracies(capsys, monkeypatch):
    monkeypatch.setattr(train, "FINAL", 60)
    assert train.main(["evaluate"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"repeats", "ioi", "one_scene", "two_scenes"}
