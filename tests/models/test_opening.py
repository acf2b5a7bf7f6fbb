"""Opening models: shipped ones, folders, names that only a network could bring, and objects."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from circuitdsl.errors import InputError
from circuitdsl.language.circuit import Processing
from circuitdsl.models import Model, ModelError, Opening, open_model

TOKENS = torch.tensor([[5, 6, 7, 8, 9, 10]])

BFLOAT16 = Opening(dtype="bfloat16")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A folder with a random model of two layers, in Hugging Face's format, with mini's tokenizer."""
    path = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    tokenizer = opened("mini").tokenizer
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=32, n_embd=16, n_layer=2, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@cache
def opened(model: str | Path, processing: Processing = "none", opening: Opening | None = None) -> Model:
    """A model that no test changes, opened once."""
    return open_model(model, processing, opening or Opening())


def logits(bridge) -> torch.Tensor:
    with torch.no_grad():
        return bridge(TOKENS)


@pytest.mark.parametrize("as_path", [True, False])
def test_a_folder_opens_and_computes_what_hugging_face_does(tiny, as_path):
    model = open_model(tiny if as_path else str(tiny))
    assert (model.name, model.processing) == (str(tiny), "none")
    assert (model.geometry.n_layers, model.geometry.n_heads, model.geometry.d_mlp) == (2, 2, 64)
    original = GPT2LMHeadModel.from_pretrained(tiny).eval()
    with torch.no_grad():
        expected = original(TOKENS).logits
    torch.testing.assert_close(logits(model.bridge), expected, atol=1e-5, rtol=1e-5)


def test_an_open_model_is_in_evaluation_mode_in_float32_without_gradients(tiny):
    bridge = opened(tiny).bridge
    assert not bridge.training
    assert all(not p.requires_grad and p.dtype is torch.float32 for p in bridge.parameters())


def test_opening_prints_nothing(tiny, capfd):
    open_model(tiny)
    open_model("planted-ioi")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_the_fingerprint_is_that_of_the_weights(tiny):
    one, again, other = open_model(tiny), opened(tiny), opened("planted-ioi")
    assert one.fingerprint == again.fingerprint
    assert len({one.fingerprint, other.fingerprint, opened(tiny, "fold").fingerprint}) == 3
    changed = open_model(tiny)
    with torch.no_grad():
        next(changed.bridge.parameters()).view(-1)[0] += 1
    assert changed.fingerprint != one.fingerprint


@pytest.mark.parametrize("name", ["planted-induction", "mini"])
def test_folding_changes_no_difference_of_logits(name):
    plain, folded = logits(opened(name).bridge), logits(opened(name, "fold").bridge)
    centred = [each - each.mean(dim=-1, keepdim=True) for each in (plain, folded)]
    torch.testing.assert_close(*centred, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("processing", ["none", "fold"])
def test_a_model_opens_in_bfloat16(tiny, processing):
    fine, coarse = opened(tiny, processing), opened(tiny, processing, BFLOAT16)
    assert (fine.dtype, coarse.dtype) == ("float32", "bfloat16")
    assert all(p.dtype is torch.bfloat16 and not p.requires_grad for p in coarse.bridge.parameters())
    assert coarse.fingerprint != fine.fingerprint
    assert coarse.fingerprint == open_model(tiny, processing, BFLOAT16).fingerprint
    assert logits(coarse.bridge).dtype is torch.bfloat16
    torch.testing.assert_close(logits(coarse.bridge).float(), logits(fine.bridge), atol=0.02, rtol=0.02)


def test_folding_is_done_in_float32_before_digits_are_dropped(tiny):
    fine, coarse = opened(tiny, "fold"), opened(tiny, "fold", BFLOAT16)
    for ours, theirs in zip(coarse.bridge.parameters(), fine.bridge.parameters(), strict=True):
        assert torch.equal(ours, theirs.to(torch.bfloat16))


def test_a_planted_model_opens_in_bfloat16():
    coarse = open_model("planted-ioi", opening=BFLOAT16)
    assert coarse.dtype == "bfloat16" and logits(coarse.bridge).dtype is torch.bfloat16


def test_rotations_keep_their_frequencies_in_bfloat16(tmp_path):
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    opened("mini").tokenizer.save_pretrained(tmp_path)
    for processing in ("none", "fold"):
        tables = [dict(open_model(tmp_path, processing, how).bridge.named_buffers()) for how in (Opening(), BFLOAT16)]
        names = [name for name in tables[0] if name.endswith("inv_freq")]
        assert names
        assert all(torch.equal(tables[0][name], tables[1][name]) for name in names)


# --- what cannot be opened ---------------------------------------------------------------------------------


def refused(model, processing: Processing = "none") -> ModelError:
    with pytest.raises(ModelError) as error:
        open_model(model, processing)
    assert isinstance(error.value, InputError)
    assert error.value.remedy
    return error.value


def test_a_name_that_only_the_hub_could_have(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    error = refused("gpt2")
    assert "HF_HUB_OFFLINE" in error.message
    assert str(tmp_path) in error.remedy


@pytest.mark.parametrize("name", ["./nowhere", "~/nowhere", "/no/such/folder"])
def test_a_mistyped_folder(name):
    assert "it has no config.json" in refused(name).message


def test_a_folder_without_weights(tiny, tmp_path):
    (tmp_path / "config.json").write_text((tiny / "config.json").read_text())
    error = refused(tmp_path)
    assert str(tmp_path) in error.message
    assert "safetensors" in error.remedy


# --- objects -------------------------------------------------------------------------------------------------


def test_an_object_is_taken_as_it_is(tiny):
    bridge = opened(tiny).bridge
    before = logits(bridge)
    model = open_model(bridge)
    assert model.bridge is bridge
    assert torch.equal(logits(model.bridge), before)


def test_an_object_is_never_folded_but_may_have_been(tiny):
    bridge = open_model(tiny).bridge
    assert "enable_compatibility_mode" in refused(bridge, "fold").remedy
    bridge.enable_compatibility_mode(disable_warnings=True)
    for processing in ("none", "fold"):
        assert "compatibility mode" in open_model(bridge, processing).weights


def test_an_object_keeps_its_precision(tiny):
    bridge = opened(tiny, opening=BFLOAT16).bridge
    assert open_model(bridge).dtype == open_model(bridge, opening=BFLOAT16).dtype == "bfloat16"
    with pytest.raises(ModelError, match="in bfloat16, which is not to be changed to float32"):
        open_model(bridge, opening=Opening(dtype="float32"))


def test_a_precision_that_is_not_offered():
    with pytest.raises(ModelError, match="no model runs in float8") as error:
        Opening(dtype="float8")  # type: ignore[arg-type]
    assert "bfloat16" in error.value.remedy


def test_an_object_without_a_tokenizer(tiny):
    bridge: TransformerBridge = open_model(tiny).bridge
    bridge.tokenizer = None
    assert "has no tokenizer" in refused(bridge).message


def louder(activation: torch.Tensor, hook: object) -> torch.Tensor:
    return 2 * activation


@pytest.mark.parametrize("permanent", [False, True])
def test_hooks_that_are_left_on_an_object_are_refused_until_it_is_reset(tiny, permanent):
    bridge = open_model(tiny).bridge
    before = logits(bridge)
    (bridge.add_perma_hook if permanent else bridge.add_hook)("blocks.1.attn.hook_z", louder)
    assert not torch.allclose(logits(bridge), before)
    error = refused(bridge)
    assert "hooks left on the model (blocks.1.attn" in error.message
    assert "reset_hooks(including_permanent=True)" in error.remedy
    bridge.reset_hooks(including_permanent=True)
    assert torch.equal(logits(open_model(bridge).bridge), before)


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_of_torch_are_refused_too(tiny, register):
    bridge = open_model(tiny).bridge
    handle = getattr(bridge.blocks[0].mlp, register)(lambda *given: None)
    assert "torch's own hooks are left on modules of the model (blocks.0.mlp)" in refused(bridge).message
    handle.remove()
    assert open_model(bridge).bridge is bridge


def test_the_hooks_of_the_libraries_are_none_of_the_users(tiny):
    """Hugging Face's code puts some on itself at its first pass, to see what passes."""
    for processing in ("none", "fold"):
        bridge = open_model(tiny, processing).bridge
        bridge.original_model(TOKENS, output_hidden_states=True, output_attentions=True)
        bridge.run_with_cache(TOKENS)
        assert open_model(bridge).bridge is bridge


def test_attention_to_what_comes_later_is_refused():
    bridge = open_model("planted-induction").bridge
    bridge.cfg.attention_dir = "bidirectional"
    assert "circuitdsl measures causal models alone" in refused(bridge).message
