"""Models: their geometry by name, opening them, and the small ones that ship.

``geometry_of`` and ``model_names`` need neither torch nor weights; ``open_model`` gives a :class:`Model`.
"""

from circuitdsl.models.adding import add_model
from circuitdsl.models.dictionaries import DictionaryWeights, describe_dictionary, open_dictionary
from circuitdsl.models.folders import added_folder, is_model, named_in
from circuitdsl.models.geometry import geometry_of
from circuitdsl.models.given import require_unhooked
from circuitdsl.models.hub import require_downloaded
from circuitdsl.models.kept_tokenizer import KeptTokenizer, TokenizerText, text_of
from circuitdsl.models.model import KnownModel, Model, ModelError
from circuitdsl.models.open import open_model
from circuitdsl.models.opening import Dtype, Opening, device_of
from circuitdsl.models.planted.plans import PLANTED
from circuitdsl.models.state import State, state_of
from circuitdsl.models.tokenizer import light_tokenizer, tokenizer_of

__all__ = [
    "DictionaryWeights",
    "Dtype",
    "KeptTokenizer",
    "KnownModel",
    "Model",
    "ModelError",
    "Opening",
    "State",
    "TokenizerText",
    "add_model",
    "describe_dictionary",
    "device_of",
    "geometry_of",
    "light_tokenizer",
    "model_names",
    "named_in",
    "open_dictionary",
    "open_model",
    "require_downloaded",
    "require_unhooked",
    "state_of",
    "text_of",
    "tokenizer_of",
]


def model_names() -> tuple[tuple[str, str], ...]:
    """Names and one-line descriptions of the models that ship or can be added, for ``circuitdsl models``."""
    planted = tuple((name, PLANTED[name]().about) for name in PLANTED)
    return (
        *planted,
        ("mini", "4 layers of 8 heads, trained on IOI and Colored Objects; nobody planted its circuits"),
        ("addition", "2 layers of 4 heads, trained on sums of three-digit numbers, a token a digit"),
        ("arithmetic", "3 layers of 4 heads, began as addition, trained on sums and differences"),
        ("acronyms", "3 layers of 4 heads, trained to spell acronyms of words that have no fixed place"),
        ("brackets", "2 layers of 4 heads, trained on brackets of two kinds, a token a bracket"),
        ("facts", "3 layers of 8 heads, trained on facts of an invented world"),
        ("facts-rank-one", "facts after one of them was edited by a rank-one change of an MLP"),
        ("facts-fine-tuned", "facts after the same one was edited by fine-tuning that MLP"),
        ("smollm2-135m", f"30 layers of 9 heads, a pretrained language model; {_added('smollm2-135m')}"),
    )


def _added(name: str) -> str:
    """Whether a model that can be added has been."""
    return "added to this machine" if is_model(added_folder(name)) else f"add it once: circuitdsl models add {name}"
