"""A model of transformers that is open already: measured through a bridge of its own, and left as it is.

TransformerLens puts hook points into the model that it is given. So it is given a copy, of which every parameter and
buffer is the original's own: nothing is held twice, and the model goes on as it was.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from circuitdsl.models.agreement import logits_of, probe, require_agreement, require_numbers
from circuitdsl.models.geometry import shape_of
from circuitdsl.models.loading import require_measured, told
from circuitdsl.models.model import ModelError
from circuitdsl.models.quiet import quiet

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel


def parts_of(given: object) -> tuple[PreTrainedModel, Any] | None:
    """The model and the tokenizer (None where it is not given) of what is a model of transformers, alone or with its
    tokenizer as a pair; None for anything else."""
    from transformers import PreTrainedModel

    model, tokenizer = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    return (model, tokenizer) if isinstance(model, PreTrainedModel) else None


def bridged(model: PreTrainedModel, tokenizer: Any) -> TransformerBridge:
    """A bridge around a model that is open, which computes what the model does.

    Without a ``tokenizer`` it is that of where the model came from. Raises :class:`ModelError` for a model that
    circuitdsl does not measure, and for one whose tokenizer is not to be found.
    """
    from transformer_lens.model_bridge import TransformerBridge

    name = type(model).__name__
    config = model.config.to_dict()
    require_measured(name, config)
    require_numbers(name, model)
    with quiet(), told(name, None):
        twin = _twin(model)
        tokens = probe(shape_of(name, config, name), config).to(model.device)
        expected = logits_of(twin, tokens)
        bridge = TransformerBridge.boot_transformers(
            name,
            dtype=model.dtype,
            device=model.device,
            hf_model=twin,
            tokenizer=_tokenizer(model) if tokenizer is None else copy.deepcopy(tokenizer),
        )
        require_agreement(name, expected, logits_of(bridge, tokens), model.dtype)
    bridge.cfg.model_name = model.name_or_path or name
    return bridge


def _twin(model: PreTrainedModel) -> Any:
    """The model again, of the same tensors, in evaluation mode, with the attention whose patterns can be seen."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)
    twin.set_attn_implementation("eager")
    return twin.eval()


def _tokenizer(model: PreTrainedModel) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model.name_or_path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the model was given as a {type(model).__name__}, and no tokenizer is found where it came from",
            "give it with its tokenizer: model=(model, tokenizer)",
        ) from error
