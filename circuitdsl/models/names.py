"""The names that people give to well-known models, and the one that each of them stands for.

TransformerLens and papers say ``gpt2-small``, the hub ``openai-community/gpt2``: one model has one name here, and its
results are found under all of them. No torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SAME = {
    "gpt2-small": "gpt2",
    "gpt-2": "gpt2",
    "distil-gpt2": "distilgpt2",
    "distilgpt-2": "distilgpt2",
}

OTHER_NAMES = tuple(_SAME)
"""Names that people write, of models that have another one here."""

# Pythia's models were renamed in January 2023 to count embeddings too (github.com/EleutherAI/pythia).
_PYTHIA_WAS = {
    "19m": "70m",
    "125m": "160m",
    "350m": "410m",
    "800m": "1b",
    "1.3b": "1.4b",
    "2.7b": "2.8b",
    "6.7b": "6.9b",
    "13b": "12b",
}

_NEEL = {
    **{f"attn-only-{layers}l": f"NeelNanda/Attn_Only_{layers}L512W_C4_Code" for layers in (1, 2, 3, 4)},
    **{f"gelu-{layers}l": f"NeelNanda/GELU_{layers}L512W_C4_Code" for layers in (1, 2, 3, 4)},
}
_OWNERS = {"gpt2": "openai-community", "distilgpt2": "distilbert"}
_ENDINGS = re.compile(r"-(new|c4-code)$")  # of TransformerLens's names for the models of _NEEL


def own_name(name: str) -> str:
    """The one name of a well-known model; any other name is its own.

    >>> own_name("gpt2-small"), own_name("EleutherAI/pythia-125m-deduped"), own_name("NeelNanda/GELU_2L512W_C4_Code")
    ('gpt2', 'pythia-160m-deduped', 'gelu-2l')
    """
    for short, hub in _NEEL.items():
        if name in (hub, short) or _ENDINGS.sub("", name) == short:
            return short
    owner, _, rest = name.rpartition("/")
    if (owner == "EleutherAI" and rest.startswith("pythia-")) or (not owner and name.startswith("pythia-")):
        _, size, *more = rest.split("-")
        return "-".join(["pythia", _PYTHIA_WAS.get(size, size), *more])
    if owner in ("", *_OWNERS.values()) and re.fullmatch(r"(distil-?)?gpt-?2(-\w+)?", rest):
        return _SAME.get(rest, rest)
    return name


def hub_names(name: str) -> tuple[str, ...]:
    """The names under which the hub knows a model; the first is the one to ask for."""
    own = own_name(name)
    if own in _NEEL:
        return (_NEEL[own],)
    if own.startswith("pythia-"):
        return (f"EleutherAI/{own}",)
    if "/" in own:
        return (own,)
    return (own, f"{_OWNERS.get(own, 'openai-community')}/{own}")


def with_owners(names: Iterable[str]) -> tuple[str, ...]:
    """Well-known models as they are written with their owners on the hub, the names of :data:`OTHER_NAMES` too.

    >>> with_owners(["pythia-70m", "gpt2-xl"])[:2]
    ('EleutherAI/pythia-70m', 'openai-community/gpt2-xl')
    """
    own = (each for name in names for each in hub_names(name) if "/" in each)
    other = (f"{_OWNERS[own_name(name)]}/{name}" for name in OTHER_NAMES)
    return (*own, *other)


def shape_name(name: str) -> str:
    """The name of the model whose shape this one has: Pythia's differ in what they were trained on.

    >>> shape_name("EleutherAI/pythia-70m-deduped-v0"), shape_name("pythia-160m-seed3")
    ('pythia-70m', 'pythia-160m')
    """
    own = own_name(name)
    return re.sub(r"(-deduped|-v0|-seed\d|-step\d+)+$", "", own) if own.startswith("pythia-") else own
