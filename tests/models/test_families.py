"""Every family of models that circuitdsl lists: small ones of random weights, opened from a folder as a user's are."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from arrays import array
from benchmarks.robustness.small_models import CONFIGS, save
from circuitdsl.actions import Attend, Target
from circuitdsl.components import Head, Mlp, Node, Position
from circuitdsl.engine.fast.engine import engine_for
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import references_over
from circuitdsl.language.circuit import FromTo, Reads, Token
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import (
    Ablated,
    Attention,
    Clean,
    Copying,
    Data,
    Experiment,
    HeadScore,
    Intervened,
    Isolated,
    Mean,
    Metric,
    Patched,
)
from circuitdsl.models import ModelError, geometry_of, open_model
from circuitdsl.models.families import families
from circuitdsl.models.folders import added_folder, is_model
from circuitdsl.tasks import Prompt, open_task

torch.set_num_threads(1)

IOI = Data(TaskRef("ioi"), seed=5, bos=False)
END, S2 = Position("END"), Position("S2")
LATE_HEAD = Head(1, 3)
EARLY, LATE = Node(Head(0, 1), S2), Node(LATE_HEAD, END)


@pytest.fixture(scope="module", params=families())
def opened(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    save(request.param, folder)
    return folder, open_model(folder)


@pytest.fixture(scope="module")
def prompts(opened):
    """One prompt of every other template, of different lengths."""
    drawn = open_task(IOI.task).draw(opened[1].tokenizer, 15, IOI.seed, IOI.bos).prompts
    assert len({len(prompt.tokens) for prompt in drawn}) > 2
    return drawn


def test_every_listed_family_is_tried():
    assert set(CONFIGS) == set(families())


def assert_same_logits(folder, model, prompts):
    """The bridge's logits at every token of every prompt are Hugging Face's to 1e-3, and not all alike."""
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        for prompt in prompts:
            tokens = torch.tensor([prompt.tokens])
            expected = reference(tokens).logits
            assert expected.std() > 0.1
            torch.testing.assert_close(model.bridge(tokens), expected, atol=1e-3, rtol=0)


def test_logits_are_hugging_faces_own(opened, prompts):
    folder, model = opened
    assert_same_logits(folder, model, prompts)


def test_the_shape_read_off_the_folder_is_the_open_models(opened):
    folder, model = opened
    assert geometry_of(str(folder)) == replace(model.geometry, model=str(folder))


MEAN = Mean("abc", 15, by_template=False)
FEW = 5
EXPERIMENTS = [
    Experiment(IOI, Clean(), Metric("logit_diff")),
    Experiment(IOI, Clean(), Metric("probability")),
    Experiment(IOI, Clean(), Attention(LATE_HEAD, FromTo(END, S2))),
    Experiment(IOI, Clean(), HeadScore(LATE_HEAD, "duplicate_token")),
    Experiment(IOI, Clean(), Copying(LATE_HEAD, Reads(S2, Token(S2)), negated=False, k=20)),
    Experiment(IOI, Ablated(frozenset({EARLY, Node(Mlp(0), END)}), MEAN), Metric("logit_diff")),
    Experiment(IOI, Isolated(frozenset({EARLY, LATE}), MEAN, mlps=False), Metric("logit_diff")),
    Experiment(IOI, Patched(frozenset({LATE}), frozenset(), "abc", strict=False), Metric("logit_diff")),
    *(
        Experiment(
            IOI,
            Patched(
                frozenset({Node(Head(0, 1), at)}), frozenset({(Node(Head(1, 3), at), letter)}), "abc", strict=False
            ),
            Metric("logit_diff"),
        )
        for letter, at in (("q", END), ("k", S2), ("v", S2))
    ),
    Experiment(
        IOI,
        Intervened((Attend((Node(Head(0, 1), END),), (Target(Position("S1")),)),), (None,)),
        Metric("logit_diff"),
    ),
]


def run(engine: PlainEngine, prompts: Sequence[Prompt], count: int, experiments: Sequence[Experiment]):
    return engine.run(IOI, prompts, 0, count, experiments, references_over(prompts, experiments))


def label(experiment: Experiment) -> str:
    return f"{type(experiment.world).__name__}-{type(experiment.reading).__name__}"


@pytest.fixture(scope="module")
def figures(opened, prompts):
    """What all experiments give, on all prompts in one batch and on each of a few alone."""
    _, model = opened
    together = run(PlainEngine(model), prompts, len(prompts), EXPERIMENTS)
    return together, run(PlainEngine(model, tokens=1), prompts, FEW, EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=label)
def test_every_kind_of_experiment_runs_and_padding_changes_nothing(figures, experiment):
    together, alone = (array(each[experiment]) for each in figures)
    np.testing.assert_allclose(alone, together[:FEW], atol=1e-3)


@pytest.mark.parametrize("world", [e.world for e in EXPERIMENTS if e.world != Clean()], ids=lambda w: type(w).__name__)
def test_what_is_done_to_the_model_reaches_its_logits(figures, world):
    """TransformerLens discards changes to the patterns of some families (OPT, GPT-J, GPT-Neo): those are not listed."""
    changed, clean = (array(figures[0][Experiment(IOI, each, Metric("logit_diff"))]) for each in (world, Clean()))
    assert np.abs(changed - clean).max() > 1e-4


def test_folded_weights_are_the_same_model(opened, prompts):
    folder, model = opened
    folded = open_model(folder, "fold")
    with torch.no_grad():
        for prompt in prompts[:4]:
            tokens = torch.tensor([prompt.tokens])
            expected = model.bridge(tokens).log_softmax(-1)
            torch.testing.assert_close(folded.bridge(tokens).log_softmax(-1), expected, atol=1e-3, rtol=0)


def test_the_page_on_models_lists_every_family():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    families_of_page = page.split("\n## Families\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| (.*?) \|", families_of_page, flags=re.M) == [
        (name, each.about) for name, each in families().items()
    ]


REFUSED = ("opt", "gptj", "gpt_neo", "falcon", "mixtral", "bert")


@pytest.mark.parametrize("family", REFUSED)
def test_another_family_is_refused_by_name_with_the_list(tmp_path, family):
    """Before its weights are read, of which there are none here."""
    AutoConfig.for_model(family).save_pretrained(tmp_path)
    with pytest.raises(ModelError) as caught:
        open_model(tmp_path)
    assert f"is of the family {family}, on which circuitdsl has not been tried" in caught.value.message
    assert all(family in caught.value.remedy for family in families())


@pytest.mark.parametrize("processing", ["none", "fold"])
def test_the_fast_engine_runs_every_family_but_one(opened, processing):
    folder, _ = opened
    engine = engine_for(open_model(folder, processing))
    assert engine.name == ("plain" if folder.name.startswith("qwen3") else "fast")


# --- a model that was really trained, where it is ------------------------------------------------------

SMOLLM2 = "smollm2-135m"


@pytest.mark.skipif(
    not is_model(added_folder(SMOLLM2)), reason=f"{SMOLLM2} is not here: circuitdsl models add {SMOLLM2}"
)
@pytest.mark.parametrize("bos", [False, True])
def test_smollm2_gives_hugging_faces_logits_and_padding_changes_nothing(bos):
    model = open_model(SMOLLM2)
    data = replace(IOI, bos=bos)
    prompts = open_task(data.task).draw(model.tokenizer, 8, data.seed, bos).prompts
    assert len({len(prompt.tokens) for prompt in prompts}) > 1
    assert_same_logits(added_folder(SMOLLM2), model, prompts)
    experiment = Experiment(data, Clean(), Metric("logit_diff"))
    together, alone = (
        array(PlainEngine(model, tokens=tokens).run(data, prompts, 0, 8, [experiment])[experiment])
        for tokens in (4096, 1)
    )
    np.testing.assert_allclose(alone, together, atol=1e-3)
