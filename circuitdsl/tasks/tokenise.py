"""From texts with character spans to tokens with positions, for any fast Hugging Face tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from circuitdsl.components import END
from circuitdsl.language.environment import BOS
from circuitdsl.tasks.prompts import Answer, Answers, FirstToken, Prompt, Span, TextPrompt
from circuitdsl.tasks.task import TaskError

Offsets = Sequence[Span]
"""The half-open character span of every token; a BPE token's includes the space before the word."""


def tokenise(prompt: TextPrompt, tokenizer: Any, bos: bool, where: str = "the prompt") -> Prompt:
    """``prompt`` as the model behind ``tokenizer`` reads it; ``where`` names it in errors ("my.jsonl, line 3").

    Answers that are one token are one, and each wrong answer and option stands once, in the order in which they come.

    With ``bos`` the prompt and its counterfactuals begin with one BOS token: a text that begins with it gets
    no second one. It is the position BOS, unless the prompt has a position of that name.

    Raises :class:`TaskError` for an answer that does not continue the text, or the text up to its position, by exactly
    one token (or by some, where the first is meant), a counterfactual of another length, a word or a token that the
    vocabulary lacks, a span that touches no token, an index that the prompt does not have, or no BOS where one is
    wanted.
    """
    require_fast(tokenizer)
    if not prompt.text.strip():
        raise TaskError(f"{where}: the prompt has no tokens", "give it some text")
    first = bos_tokens(tokenizer, bos)
    ((tokens, offsets),) = _encode({where: prompt.text}, tokenizer)
    at_end = Answers((prompt.answer, *prompt.right), prompt.wrong, prompt.options)
    continued = _continued(prompt.text, tokens, at_end, _leading(prompt, END.name), tokenizer, where)
    begun = _begun(tokens, first)
    changed = {f"{where}, counterfactual {name}": text for name, text in prompt.counterfactuals.items()}
    counterfactuals = {
        name: _begun(found, first)
        for name, (found, _) in zip(prompt.counterfactuals, _encode(changed, tokenizer), strict=True)
    }
    for name, found in counterfactuals.items():
        if len(found) != len(begun):
            raise TaskError(
                f"{where}: the counterfactual {name} has {len(found)} tokens, the prompt {len(begun)}",
                "write it with as many tokens, so that every position has its counterpart",
            )
    positions = {
        name: tuple(sorted({_touched(span, prompt.text, offsets, f"{where}, position {name}") for span in spans}))
        for name, spans in prompt.spans.items()
    }
    for name, given in prompt.tokens.items():
        positions[name] = _indices(given, len(tokens), f"{where}, position {name}")
    positions["END"] = (len(tokens) - 1,)
    elsewhere: dict[str, Answers[int]] = {}
    predicted = {variable: continued[answer] for variable, answer in _leading(prompt, END.name).items()}
    for name, answers in prompt.elsewhere.items():
        here, leading = f"{where}, at {name}", _leading(prompt, name)
        index = _single(positions.get(name, ()), here)
        before = prompt.text[: offsets[index][1]]
        after = _continued(before, tokens[: index + 1], answers, leading, tokenizer, here)
        kinds = (answers.right, answers.wrong, answers.options)
        elsewhere[name] = Answers(*(tuple(dict.fromkeys(after[each] for each in kind)) for kind in kinds))
        predicted |= {variable: after[answer] for variable, answer in leading.items()}
    return Prompt(
        text=prompt.text,
        tokens=begun,
        answer=continued[prompt.answer],
        wrong=tuple(dict.fromkeys(continued[wrong] for wrong in prompt.wrong)),
        options=tuple(dict.fromkeys(continued[option] for option in prompt.options)),
        positions=bos_position(first)
        | {name: tuple(len(begun) - len(tokens) + i for i in found) for name, found in positions.items()},
        counterfactuals=counterfactuals,
        template=prompt.template,
        right=tuple(dict.fromkeys(continued[right] for right in prompt.right)),
        item=prompt.item,
        predicted=predicted,
        elsewhere=elsewhere,
    )


def _leading(prompt: TextPrompt, position: str) -> dict[str, Answer]:
    """The answers that variables predict after a position, by variable."""
    return {variable: each.answer for variable, each in prompt.predicted.items() if each.at == position}


def _single(indices: tuple[int, ...], where: str) -> int:
    """The one token of a position. Raises :class:`TaskError` for other positions."""
    if len(indices) != 1:
        remedy = "give answers after a position of one token"
        raise TaskError(f"{where}: the position has {len(indices)} tokens", remedy)
    return indices[0]


def _continued(
    text: str,
    tokens: tuple[int, ...],
    answers: Answers[Answer],
    leading: Mapping[str, Answer],
    tokenizer: Any,
    where: str,
) -> dict[Answer, int]:
    """The token that each answer is after a text of these tokens; ``leading`` are the predictions of variables there.

    Raises :class:`TaskError` for an answer that is none, or that is right as well as wrong or predicted.
    """
    every = dict.fromkeys((*answers.right, *answers.wrong, *answers.options, *leading.values()))
    written = [answer for answer in every if not isinstance(answer, int)]
    texts = {f"{where}, {_called(answer)}": f"{text}{answer}" for answer in written}
    longer = {answer: found for answer, (found, _) in zip(written, _encode(texts, tokenizer), strict=True)}
    continued = {answer: _continuation(answer, tokens, longer, tokenizer, where) for answer in every}
    wrong = {continued[wrong] for wrong in answers.wrong}
    for answer in answers.right:
        if continued[answer] in wrong:
            raise TaskError(f"{where}: the {_called(answer)} is also a wrong answer", "leave it out of the wrong")
    right = {continued[answer] for answer in answers.right}
    for variable, answer in leading.items():
        if continued[answer] in right:
            raise TaskError(
                f"{where}: the {_called(answer)} that the variable {variable} predicts is right as it is",
                "choose a counterfactual on which the variable has a value that leads to another answer",
            )
    return continued


def tokens_of(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text, and none that the tokenizer would put before or after them."""
    return [encoded.ids for encoded in _backend(tokenizer).encode_batch(texts, add_special_tokens=False)]


def places_of(tokenizer: Any, texts: Sequence[tuple[str, Mapping[str, Span]]]) -> Iterator[tuple[int, dict[str, int]]]:
    """How many tokens each text has, and which of them is the last that each of its spans touches.

    Raises :class:`TaskError` for a span that touches none.
    """
    found = _backend(tokenizer).encode_batch([text for text, _ in texts], add_special_tokens=False)
    for (text, spans), encoded in zip(texts, found, strict=True):
        yield len(encoded.ids), {name: _touched(span, text, encoded.offsets, text) for name, span in spans.items()}


def tokens_of_spans(prompt: TextPrompt, tokenizer: Any) -> Iterator[tuple[str, Span, int]]:
    """Every span of a prompt, with its position's name and how many tokens it touches."""
    offsets: Offsets = _backend(tokenizer).encode(prompt.text, add_special_tokens=False).offsets
    for name, spans in prompt.spans.items():
        for span in spans:
            yield name, span, len(_all_touched(span, prompt.text, offsets))


def continuations(text: str, endings: Sequence[str], tokenizer: Any) -> list[int | None]:
    """The one known token by which each of ``endings`` continues ``text``; None where it is not one."""
    before, *found = tokens_of(tokenizer, [text, *(text + ending for ending in endings)])
    return [ids[-1] if ids and ids[:-1] == before and ids[-1] != tokenizer.unk_token_id else None for ids in found]


def single_tokens(tokenizer: Any, words: Iterable[str]) -> tuple[str, ...]:
    """Those of ``words`` that are one known token each when they follow a word and a space."""
    require_fast(tokenizer)
    candidates = tuple(words)
    before, *found = tokens_of(tokenizer, ["the", *(f"the {word}" for word in candidates)])
    unknown = tokenizer.unk_token_id
    return tuple(
        word for word, ids in zip(candidates, found, strict=True) if ids and ids[:-1] == before and ids[-1] != unknown
    )


def is_known(tokenizer: Any, text: str) -> bool:
    """Whether the vocabulary can write all of ``text``, with no token for the unknown."""
    found = _backend(tokenizer).encode(text, add_special_tokens=False)
    return not list(_unknown(tokenizer, text, found.ids, found.offsets))


def _unknown(tokenizer: Any, text: str, tokens: Sequence[int], offsets: Offsets) -> Iterator[str]:
    """The parts of a text that the vocabulary lacks.

    The token for them may be BOS as well, as GPT-2's is: where the text spells that token, it is meant.
    """
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown not in tokens:
        return
    for token, (start, end) in zip(tokens, offsets, strict=True):
        part = text[start:end].strip()
        if token == unknown and part != tokenizer.unk_token:
            yield part


def bos_tokens(tokenizer: Any, bos: bool) -> tuple[int, ...]:
    """What stands before a prompt: the BOS token if it is wanted, else nothing. Raises :class:`TaskError`."""
    if not bos:
        return ()
    if tokenizer.bos_token_id is None:
        raise TaskError("the model's tokenizer has no BOS token", "run without one")
    return (tokenizer.bos_token_id,)


def bos_position(first: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Where BOS stands in a prompt before which ``first`` was put: nowhere if that is nothing."""
    return {BOS: (0,)} if first else {}


def begins_with_bos(text: str, tokenizer: Any) -> bool:
    """Whether a text spells the BOS token at its beginning."""
    return bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)


def _begun(tokens: tuple[int, ...], first: tuple[int, ...]) -> tuple[int, ...]:
    """The tokens with ``first`` before them, once."""
    return tokens if tokens[: len(first)] == first else first + tokens


def require_fast(tokenizer: Any) -> None:
    """Raise :class:`TaskError` for a tokenizer that does not tell where its tokens stand."""
    if not getattr(tokenizer, "is_fast", False):
        raise TaskError(
            "the model's tokenizer does not say which characters its tokens stand for",
            "open the model with a fast Hugging Face tokenizer, one that has a tokenizer.json",
        )


def _backend(tokenizer: Any) -> Any:
    """What does a fast tokenizer's work (``tokenizers.Tokenizer``), without what calls may have left in it."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = tokenizer.split_special_tokens
    return backend


def _encode(texts: Mapping[str, str], tokenizer: Any) -> list[tuple[tuple[int, ...], Offsets]]:
    """Tokens and offsets of every text; the keys name the texts in errors.

    One after the other: a batch of a few short texts takes the tokenizer longer, since it wakes a thread a core for it.
    """
    backend = _backend(tokenizer)
    unknown = tokenizer.unk_token_id  # once: to ask takes the tokenizer longer than to encode a word
    found: list[tuple[tuple[int, ...], Offsets]] = []
    for where, text in texts.items():
        encoded = backend.encode(text, add_special_tokens=False)
        ids = tuple(encoded.ids)
        if unknown in ids:
            for part in _unknown(tokenizer, text, ids, encoded.offsets):
                message = f'{where}: the model\'s vocabulary has no token for "{part}"'
                raise TaskError(message, "use words that the model knows")
        found.append((ids, encoded.offsets))
    return found


def _called(answer: Answer) -> str:
    """An answer in messages."""
    match answer:
        case str():
            return f'answer "{answer}"'
        case FirstToken():
            return f'answer that begins "{answer}"'
        case int():
            return f"answer of token {answer}"


def _continuation(
    answer: Answer,
    tokens: tuple[int, ...],
    longer: Mapping[str | FirstToken, tuple[int, ...]],
    tokenizer: Any,
    where: str,
) -> int:
    """The token that ``answer`` is after ``tokens``. Raises :class:`TaskError` if there is none."""
    if isinstance(answer, int):
        known = len(tokenizer)
        if not 0 <= answer < known:
            raise TaskError(f"{where}: the vocabulary has no token {answer}", f"its tokens are 0 to {known - 1}")
        return answer
    found = longer[answer]
    added = found[len(tokens) :]
    if found[: len(tokens)] == tokens and (len(added) == 1 or (added and isinstance(answer, FirstToken))):
        return added[0]
    made = f"{len(added)} tokens" if found[: len(tokens)] == tokens else "merged with the end of the prompt"
    needed = "a token of its own" if isinstance(answer, FirstToken) else "one token"
    raise TaskError(
        f"{where}: the {_called(answer)} is not {needed} after the prompt but {made}",
        _one_token(str(answer), len(added)),
    )


def _one_token(answer: str, tokens: int) -> str:
    """What to write in place of an answer of several tokens, or of none of its own."""
    if tokens < 2:
        spaced = answer if answer[:1].isspace() else f" {answer}"
        return f'write it with the space before it, "{spaced}", or as the number of a token'
    first = json.dumps({"first": answer}, ensure_ascii=False)
    return f"choose an answer of one token; in a file, {first} means its first token alone"


def _indices(given: tuple[int, ...], length: int, where: str) -> tuple[int, ...]:
    """Token indices that a prompt has, ascending."""
    for index in given:
        if not 0 <= index < length:
            raise TaskError(f"{where}: there is no token {index}", f"the prompt's tokens are 0 to {length - 1}")
    return tuple(sorted(set(given)))


def _touched(span: Span, text: str, offsets: Offsets, where: str) -> int:
    """The last token that ``span`` touches."""
    touched = _all_touched(span, text, offsets)
    if not touched:
        raise TaskError(f"{where}: the characters {list(span)} touch no token", "let them cover a word of the prompt")
    return touched[-1]


def _all_touched(span: Span, text: str, offsets: Offsets) -> list[int]:
    """The tokens that ``span`` touches, the white space at the span's own ends left aside."""
    start, end = span
    inside = text[start:end]
    start, end = start + len(inside) - len(inside.lstrip()), end - len(inside) + len(inside.rstrip())
    return [i for i, (low, high) in enumerate(offsets) if max(low, start) < min(high, end)]
