"""From texts with character spans to tokens with positions, for any fast Hugging Face tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .prompts import Prompt, Span, TextPrompt
from .task import TaskError

Offsets = Sequence[Span]
"""The half-open character span of every token; a BPE token's includes the space before the word."""


def tokenise(prompt: TextPrompt, tokenizer: Any, bos: bool, where: str = "the prompt") -> Prompt:
    """``prompt`` as the model behind ``tokenizer`` reads it; ``where`` names it in errors ("my.jsonl, line 3").

    Raises :class:`TaskError` for an answer that does not continue the text by exactly one token, a counterfactual
    of another length, a word that the vocabulary lacks, a span that touches no token, or no BOS where one is wanted.
    """
    _require_fast(tokenizer)
    first = _bos(tokenizer) if bos else ()
    tokens, offsets = _encode(prompt.text, tokenizer, where)
    if not tokens:
        raise TaskError(f"{where}: the prompt has no tokens", "give it some text")
    answers = {
        answer: _continuation(prompt.text, tokens, answer, tokenizer, where)
        for answer in (prompt.answer, *prompt.wrong, *prompt.options)
    }
    if answers[prompt.answer] in (answers[wrong] for wrong in prompt.wrong):
        raise TaskError(f'{where}: the answer "{prompt.answer}" is also a wrong answer', "leave it out of the wrong")
    counterfactuals = {}
    for name, text in prompt.counterfactuals.items():
        counterfactuals[name], _ = _encode(text, tokenizer, f"{where}, counterfactual {name}")
        if len(counterfactuals[name]) != len(tokens):
            raise TaskError(
                f"{where}: the counterfactual {name} has {len(counterfactuals[name])} tokens, the prompt {len(tokens)}",
                "write it with as many tokens, so that every position has its counterpart",
            )
    positions = {
        name: tuple(sorted({_touched(span, prompt.text, offsets, f"{where}, position {name}") for span in spans}))
        for name, spans in prompt.spans.items()
    } | {"END": (len(tokens) - 1,)}
    return Prompt(
        text=prompt.text,
        tokens=first + tokens,
        answer=answers[prompt.answer],
        wrong=tuple(answers[wrong] for wrong in prompt.wrong),
        options=tuple(answers[option] for option in prompt.options),
        positions={name: tuple(len(first) + i for i in found) for name, found in positions.items()},
        counterfactuals={name: first + found for name, found in counterfactuals.items()},
        template=prompt.template,
    )


def single_tokens(tokenizer: Any, words: Iterable[str]) -> tuple[str, ...]:
    """Those of ``words`` that are one known token each when they follow a word and a space."""
    _require_fast(tokenizer)
    before = _ids("the", tokenizer)
    unknown = tokenizer.unk_token_id

    def is_single(word: str) -> bool:
        ids = _ids(f"the {word}", tokenizer)
        return ids[:-1] == before and ids[-1] != unknown

    return tuple(word for word in words if is_single(word))


def is_known(tokenizer: Any, text: str) -> bool:
    """Whether the vocabulary can write all of ``text``, with no token for the unknown."""
    return tokenizer.unk_token_id is None or tokenizer.unk_token_id not in _ids(text, tokenizer)


def bos_tokens(tokenizer: Any, bos: bool) -> tuple[int, ...]:
    """What stands before a prompt: the BOS token if it is wanted, else nothing. Raises :class:`TaskError`."""
    return _bos(tokenizer) if bos else ()


def _require_fast(tokenizer: Any) -> None:
    if not getattr(tokenizer, "is_fast", False):
        raise TaskError(
            "the model's tokenizer does not say which characters its tokens stand for",
            "open the model with a fast Hugging Face tokenizer, one that has a tokenizer.json",
        )


def _bos(tokenizer: Any) -> tuple[int, ...]:
    if tokenizer.bos_token_id is None:
        raise TaskError("the model's tokenizer has no BOS token", "run without one")
    return (tokenizer.bos_token_id,)


def _ids(text: str, tokenizer: Any) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def _encode(text: str, tokenizer: Any, where: str) -> tuple[tuple[int, ...], Offsets]:
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens, offsets = tuple(found["input_ids"]), [tuple(span) for span in found["offset_mapping"]]
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in tokens:
        start, end = offsets[tokens.index(tokenizer.unk_token_id)]
        raise TaskError(
            f'{where}: the model\'s vocabulary has no token for "{text[start:end].strip()}"',
            "use words that the model knows",
        )
    return tokens, offsets


def _continuation(text: str, tokens: tuple[int, ...], answer: str, tokenizer: Any, where: str) -> int:
    longer, _ = _encode(text + answer, tokenizer, f'{where}, answer "{answer}"')
    if longer[: len(tokens)] != tokens or len(longer) != len(tokens) + 1:
        added = len(longer) - len(tokens)
        found = f"{added} tokens" if longer[: len(tokens)] == tokens else "merged with the end of the prompt"
        raise TaskError(
            f'{where}: the answer "{answer}" is not one token after the prompt but {found}',
            "choose an answer of one token; most vocabularies have words with the space before them",
        )
    return longer[-1]


def _touched(span: Span, text: str, offsets: Offsets, where: str) -> int:
    """The last token that ``span`` touches, the white space at the span's own ends left aside."""
    start, end = span
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    touched = [i for i, (low, high) in enumerate(offsets) if max(low, start) < min(high, end)]
    if not touched:
        raise TaskError(f"{where}: the characters {list(span)} touch no token", "let them cover a word of the prompt")
    return touched[-1]
