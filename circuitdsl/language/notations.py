"""Components as other tools and papers write them, and how this language does: ``a5.h3``, ``L9H6``, ``blocks.5...``.

For messages alone: nothing of it is accepted, so that one thing is written in one way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Notation:
    """What stands from ``start`` to before ``end`` of a text, and what to write for it."""

    start: int
    end: int
    remedy: str


_LAYER = r"(?P<layer>\d{1,6})"
_HEAD = r"(?P<head>\d{1,6})"
_GAP = r" {0,3}"
_INPUT = r"(?:<(?P<angle>[qkv]+)>|\.(?P<dot>[qkv]+)\b)?"
_INDEX = rf"\[[^\]\n]{{0,40}}?{_HEAD}{_GAP}\]"
_BLOCK = r"(?:blocks|(?:transformer\.|model\.)?(?:h|layers)|gpt_neox\.layers)\." + _LAYER


def _head(found: re.Match[str]) -> str:
    groups = found.groupdict()
    which = (groups.get("angle") or groups.get("dot") or groups.get("which") or "").lower()
    written = f"{int(found['layer'])}.{int(found['head'])}" + (f".{which}" if which else "")
    return f"heads are written `layer.head`: `{written}`"


def _all_heads(found: re.Match[str]) -> str:
    return f"heads are written `layer.head`, and `{int(found['layer'])}.*` is all of the layer"


def _mlp(found: re.Match[str]) -> str:
    return f"MLPs are written `mlp layer`: `mlp {int(found['layer'])}`"


def _neuron(found: re.Match[str]) -> str:
    return f"neurons are written `neuron layer.number`: `neuron {int(found['layer'])}.{int(found['head'])}`"


def _residual(found: re.Match[str]) -> str:
    return f"the residual stream before a layer is written `resid layer`: `resid {int(found['layer'])}`"


def _residual_after(found: re.Match[str]) -> str:
    after = int(found["layer"]) + 1
    return f"the residual stream is named by the layer that it enters: `resid {after}`; after the last it is `logits`"


def _word(written: str, what: str) -> Callable[[re.Match[str]], str]:
    return lambda found: f"{what} are written `{written}`"


_NOTATIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (rf"{_BLOCK}\.(?:attn\.)?hook_(?P<which>[qkv])(?:_input)?{_INDEX}", _head),
        (rf"{_BLOCK}\.(?:attn\.)?hook_\w+{_INDEX}", _head),
        (rf"{_BLOCK}\.(?:hook_mlp_\w+|mlp\b[\w.]*)", _mlp),
        (rf"{_BLOCK}\.(?:hook_attn_\w+|(?:self_)?attn\b[\w.]*|attention\b[\w.]*)", _all_heads),
        (r"blocks\.0\.hook_resid_pre\b", _word("embed", "token embeddings")),
        (rf"{_BLOCK}\.hook_resid_pre\b", _residual),
        (rf"{_BLOCK}\.hook_resid_post\b", _residual_after),
        (r"(?:neuron|n)[ ._]?(?P<layer>\d{1,6})[.:/](?P<head>\d{1,6})\b", _neuron),
        (r"(?:m|mlp)[ ._]?(?P<layer>\d{1,6})[ ._:/]{0,3}(?:n|neuron)[ ._]?(?P<head>\d{1,6})\b", _neuron),
        (rf"(?:(?:l|layer|a|attn|h)[ ._]?)?{_LAYER}[ ._:]{{0,3}}(?:h|head)[ ._]?{_HEAD}\b{_INPUT}", _head),
        (rf"(?:l|a|attn|h|head)[ ._]?{_LAYER}[.:]{_HEAD}\b{_INPUT}", _head),
        (rf"[(\[]{_GAP}{_LAYER}{_GAP},{_GAP}{_HEAD}{_GAP}[)\]]{_INPUT}", _head),
        (rf"{_LAYER}\.{_HEAD}<(?P<angle>[qkv]+)>", _head),
        (rf"{_LAYER}[:/]{_HEAD}\b" + _INPUT, _head),
        (rf"(?:m|mlp)[ ._]?{_LAYER}\b(?!\.\d)", _mlp),
        (
            r"(?:inputs?|wte|emb|embeddings?|hook_embed|tok_embeds?|token_embeddings?)\b",
            _word("embed", "token embeddings"),
        ),
        (r"(?:wpe|hook_pos_embed|pos_emb|position(?:al)?_embeddings?)\b", _word("pos_embed", "position embeddings")),
        (r"(?:outputs?|unembed|resid_post)\b", _word("logits", "outputs of the model")),
    )
)
_WORD_BEFORE = re.compile(r"[A-Za-z0-9_.]*$")


def notation_at(text: str, offset: int) -> Notation | None:
    """A component in another notation that stands at an offset, or in whose midst it is."""
    # All of it in a few characters: no text, however long and strange, takes more than a moment.
    before = _WORD_BEFORE.search(text, max(0, offset - 80), offset)
    for start in dict.fromkeys((before.start() if before else offset, offset)):
        for pattern, remedy in _NOTATIONS:
            found = pattern.match(text, start)
            if found and found.end() > offset and not _goes_on(text, found.end()):
                return Notation(start, found.end(), remedy(found))
    return None


def remedy_for(word: str) -> str:
    """What to write for a whole word in another notation; "" if it is none."""
    found = notation_at(word, 0)
    return found.remedy if found and found.end == len(word) else ""


def name_of(text: str) -> str:
    """A name as near as can be to what somebody gave: one word that begins with a letter.

    >>> name_of("name mover"), name_of("S-Inh"), name_of("0305")
    ('name_mover', 'S_Inh', 'r0305')
    """
    word = re.sub(r"\W+", "_", text.strip(), flags=re.ASCII).strip("_")
    return word if word[:1].isalpha() else f"r{word}"


def _goes_on(text: str, end: int) -> bool:
    return text[end : end + 1].isalnum() or text[end : end + 1] == "_"
