"""Models of random weights, of which nothing is true: on a task that nobody can do, and on ioi.

In the task ``coin`` the answer and the wrong answer are two words drawn alike, whatever the prompt says, so that F is
zero for every model, exactly, and no share of it means anything. On ioi an untrained model's F is some small number.
"""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Iterable
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.truth.trials import COUNTS, REFERENCE, Tally
from circuitdsl import api
from circuitdsl.models.folders import MINI
from circuitdsl.models.quiet import quiet
from circuitdsl.tasks.tokenise import single_tokens
from circuitdsl.tasks.words import NAMES

SHARES = frozenset({"minimality", "effect", "knockout", "faithfulness"})
"""Measurements that are shares of F."""

LAYERS, HEADS, WIDTH, CONTEXT = 3, 4, 64, 128
LENGTH = 10  # words of a prompt of the task ``coin``

_CLAIMS = """
  role a at END { 2.0 2.1 2.2 2.3 1.0 1.1 1.2 1.3 }
  edge a -> logits : raises
  edge 0.0 at END -> logits
  edge { 0.1 0.2 } at END -> { 1.0 1.1 }.q at END
  no edge 0.3 at END -> logits
  expect knockout(a)            <= -10%
  expect knockout(2.0)          in -1% .. 1%
  expect faithfulness           >= 50%
  expect faithfulness           > random heads
  expect knockout({ 2.0 2.1 })  < random heads
}
"""

TASKS = {"coin": 'file("coin.jsonl")', "ioi": "ioi"}


def trials(seeds: Iterable[int]) -> dict[str, int]:
    """Check claims on an untrained model for each seed, on both tasks, and count what holds."""
    tally = Tally()
    for seed in seeds:
        with TemporaryDirectory() as folder:
            _trial(seed, Path(folder), tally)
    return dict(tally.of)


def _trial(seed: int, folder: Path, tally: Tally) -> None:
    prompts, kind = COUNTS[seed % len(COUNTS)], ("llama", "gpt2")[seed // len(COUNTS) % 2]
    words = save_model(kind, seed, folder / "model")
    (folder / "coin.jsonl").write_text(coin(words, prompts + REFERENCE, seed), encoding="utf-8")
    for task, written in TASKS.items():
        against = "other" if task == "coin" else "abc"
        method = f"method {{ against {against} prompts {prompts} seed {seed} }}"
        text = f'circuit untrained {{ model "{folder / "model"}" task {written} {method}' + _CLAIMS
        spec = folder / f"{task}.circuit"
        spec.write_text(text, encoding="utf-8")
        report = api.check(api.load(str(spec)), store=False)
        held = [c for c in report.circuits[0].claims if c.claim.term.measure in SHARES and c.verdict == "holds"]
        tally.count(prompts, task, "models")
        tally.of[f"{prompts}/{task}/claims"] += sum(c.claim.term.measure in SHARES for c in report.circuits[0].claims)
        tally.of[f"{prompts}/{task}/holds"] += len(held)
        tally.of[f"{prompts}/{task}/models with a claim that holds"] += bool(held)
        tally.of[f"{prompts}/{task}/heads found"] += len(report.circuits[0].unexplained)


def save_model(kind: str, seed: int, folder: Path) -> tuple[str, ...]:
    """Save a small model of random weights with mini's tokenizer; gives the names that are one token there."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(MINI / name, folder)
    with quiet(), redirect_stderr(io.StringIO()):  # a progress bar that heeds no setting
        tokenizer = AutoTokenizer.from_pretrained(folder)
        bos, eos, size = tokenizer.bos_token_id, tokenizer.eos_token_id, len(tokenizer)
        torch.manual_seed(seed)
        if kind == "llama":
            llama = LlamaConfig(
                vocab_size=size,
                hidden_size=WIDTH,
                intermediate_size=2 * WIDTH,
                num_hidden_layers=LAYERS,
                num_attention_heads=HEADS,
                num_key_value_heads=HEADS // 2,
                max_position_embeddings=CONTEXT,
                bos_token_id=bos,
                eos_token_id=eos,
            )
            model = LlamaForCausalLM(llama)
        else:
            gpt2 = GPT2Config(
                vocab_size=size,
                n_embd=WIDTH,
                n_layer=LAYERS,
                n_head=HEADS,
                n_positions=CONTEXT,
                initializer_range=0.1,
                bos_token_id=bos,
                eos_token_id=eos,
            )
            model = GPT2LMHeadModel(gpt2)
        model.save_pretrained(folder)
    return single_tokens(tokenizer, NAMES)


def coin(words: tuple[str, ...], count: int, seed: int) -> str:
    """Prompts of random words, as lines of JSON; the answer is a random word, and so is the wrong one."""
    rng = random.Random(f"coin {seed}")
    lines: list[str] = []
    for _ in range(count):
        answer, wrong = rng.sample(words, 2)
        line = {
            "prompt": " ".join(rng.sample(words, LENGTH)),
            "answer": f" {answer}",
            "wrong": [f" {wrong}"],
            "counterfactuals": {"other": " ".join(rng.sample(words, LENGTH))},
        }
        lines.append(json.dumps(line) + "\n")
    return "".join(lines)
