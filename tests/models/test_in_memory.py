"""Models of transformers that are open already: measured as the same model from a folder is, and left as they were."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM

import circuitdsl as cd
from circuitdsl.models import ModelError, open_model
from circuitdsl.models.folders import MINI

TEXT = """circuit c {
  model mini
  task  ioi
  method { prompts 6  reference 2 }
  role mover at END { LISTED }
  edge mover -> logits : raises
}
"""
TOKENS = torch.arange(3, 15)[None]


def theirs(**settings: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(MINI, **settings)


def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MINI)


def found(model: Any) -> dict[str, object]:
    """What a check finds, without what names the model and what is about the work."""
    document = cd.load(text=TEXT.replace("LISTED", "2.3 2.5"), model=model)
    report = cd.check(document, model, unexplained=False).circuits[0].to_dict()
    return {key: value for key, value in report.items() if key not in ("model", "notes")}


def test_it_is_measured_as_its_folder_is():
    of_folder = found("mini")
    assert found(theirs()) == of_folder
    assert found((theirs(), tokenizer())) == of_folder


def test_it_stays_as_it_was():
    model, reader = theirs().train(), tokenizer()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    settings, kept = model.config.to_dict(), (reader.padding_side, str(reader.special_tokens_map))
    modules = [type(module) for module in model.modules()]
    opened = open_model((model, reader))
    assert opened.bridge.cfg.model_name == str(MINI)
    assert model.training and model.config.to_dict() == settings
    assert (reader.padding_side, str(reader.special_tokens_map)) == kept
    assert [type(module) for module in model.modules()] == modules
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_no_weight_of_it_is_held_twice():
    """But for those that TransformerLens itself takes apart: GPT-2's queries, keys and values lie in one matrix."""
    model = theirs()
    held = {parameter.data_ptr() for parameter in open_model(model).bridge.parameters()}
    assert {parameter.data_ptr() for name, parameter in model.named_parameters() if "c_attn" not in name} <= held


def test_it_is_measured_as_it_was_changed_in_memory():
    model = theirs()
    with torch.no_grad():
        model.transformer.h[3].attn.c_proj.weight.zero_()
    changed = open_model(model)
    assert changed.fingerprint != open_model("mini").fingerprint
    with torch.no_grad():
        assert torch.allclose(changed.bridge(TOKENS), model.eval()(TOKENS).logits, atol=1e-4)


def test_it_may_have_any_shape_whatever_model_the_specification_names():
    torch.manual_seed(0)
    reader = tokenizer()
    small = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=3, n_embd=24, vocab_size=len(reader)))
    text = TEXT.replace("LISTED", "1.2").replace("model mini", "model of-somebody")
    document = cd.load(text=text, model=(small, reader))
    assert document.circuits[0].geometry.n_heads == 3
    report = cd.check(document, (small, reader), unexplained=False)
    assert report.circuits[0].model == "GPT2LMHeadModel"
    assert report.summary["error"] == 0


def test_a_file_is_read_by_its_shape(tmp_path):
    torch.manual_seed(0)
    reader = tokenizer()
    wide = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=12, n_embd=24, vocab_size=len(reader)))
    file = tmp_path / "my.circuit"
    file.write_text(TEXT.replace("LISTED", "0.11"), encoding="utf-8")
    assert not cd.lint(file, model=(wide, reader))
    report = cd.check(file, (wide, reader), unexplained=False)
    assert report.circuits[0].circuit.geometry.n_heads == 12


def refused(model: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        open_model(model)
    assert caught.value.remedy
    return caught.value


def test_without_a_tokenizer_where_it_came_from_it_has_to_be_given():
    error = refused(GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=30)))
    assert "no tokenizer is found where it came from" in error.message
    assert "(model, tokenizer)" in error.remedy


def test_a_family_that_was_not_tried_is_refused():
    model = OPTForCausalLM(
        OPTConfig(
            num_hidden_layers=1,
            hidden_size=8,
            ffn_dim=8,
            num_attention_heads=2,
            vocab_size=30,
            max_position_embeddings=16,
            word_embed_proj_dim=8,
        )
    )
    assert "of the family opt" in refused((model, tokenizer())).message


def test_weights_that_are_not_numbers_are_refused():
    model = theirs()
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.weight[0, 0] = float("nan")
    assert "no finite numbers" in refused(model).message


def test_hooks_that_are_left_on_it_are_refused():
    model = theirs()
    model.transformer.h[0].mlp.register_forward_hook(lambda *given: None)
    assert "hooks are left" in refused(model).message


@pytest.mark.parametrize("model", [torch.nn.Linear(2, 2), (1, 2), (None,)])
def test_what_is_no_model_is_refused(model: Any):
    assert "a causal model of transformers with its tokenizer" in refused(model).message
