"""A tokenizer as text, and one made of it that needs neither the model nor torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL = ("bos_token", "bos_token_id", "unk_token", "unk_token_id", "all_special_ids")
"""What circuitdsl asks of a tokenizer besides its work; each is a text, a number, a list of numbers, or None."""

# A class that does one of these in its own way does more than the text says.
_WORK = ("__call__", "__len__", "_decode", "_encode_plus", "added_tokens_decoder", "backend_tokenizer", "decode")


@dataclass(frozen=True)
class TokenizerText:
    """All that a fast Hugging Face tokenizer does: ``text`` is its backend's, ``special`` has what ``SPECIAL``
    names."""

    text: str
    special: Mapping[str, Any]


def text_of(tokenizer: Any) -> TokenizerText | None:
    """A tokenizer as text; None for one that does anything which that does not hold, and for what is none."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return None
    own = [name for name in _WORK if getattr(type(tokenizer), name) is not getattr(PreTrainedTokenizerFast, name)]
    if own or tokenizer.split_special_tokens or tokenizer.clean_up_tokenization_spaces:
        return None
    text = tokenizer.backend_tokenizer.to_str()
    if Tokenizer.from_str(text).to_str() != text:
        return None
    return TokenizerText(text, {name: getattr(tokenizer, name) for name in SPECIAL})


@dataclass(frozen=True)
class KeptTokenizer:
    """Does what a model's own tokenizer does, as far as circuitdsl needs one.

    Whatever else is asked of it, as a task of somebody else's may, ``own`` is asked: the model's tokenizer itself, for
    which the model is opened.
    """

    kept: TokenizerText
    own: Callable[[], Any]

    is_fast = True
    split_special_tokens = False

    @cached_property
    def backend_tokenizer(self) -> Tokenizer:
        """What does the work, as in a Hugging Face tokenizer."""
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self.kept.text)

    @property
    def added_tokens_decoder(self) -> Mapping[int, object]:
        """The tokens that were added to the vocabulary, by their numbers."""
        return self.backend_tokenizer.get_added_tokens_decoder()

    def __len__(self) -> int:
        return self.backend_tokenizer.get_vocab_size(with_added_tokens=True)

    def decode(self, tokens: Sequence[int], **settings: Any) -> str:
        """The text of some tokens, special ones included."""
        if settings or not all(type(token) is int for token in tokens):
            return self.own().decode(tokens, **settings)
        return self.backend_tokenizer.decode(list(tokens), skip_special_tokens=False)

    def __call__(self, *texts: Any, **settings: Any) -> Any:
        return self.own()(*texts, **settings)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python's own questions: whether it can be copied, say
            raise AttributeError(name)
        return self.kept.special[name] if name in SPECIAL else getattr(self.own(), name)
