"""A file of prompts to begin with: the fields that most files need, in two templates, for any vocabulary with names."""

from __future__ import annotations

import json

_TEMPLATES = {
    "store": "When {io} and {s} went to the store, {s} gave a drink to",
    "lunch": "After {io} and {s} had lunch at the school, {s} passed a book to",
}
_PAIRS = (
    ("Mary", "John", ("Anna", "James", "Paul")),
    ("Tom", "Anna", ("Paul", "Mary", "James")),
    ("James", "Paul", ("John", "Tom", "Mary")),
    ("Laura", "Peter", ("Anna", "Tom", "John")),
)
"""Two names of a prompt, and three others for its counterfactual."""


def example_file() -> str:
    """Lines of indirect object identification: what ``circuitdsl tasks new`` writes."""
    return "".join(
        json.dumps(_line(template, io, s, others)) + "\n" for template in _TEMPLATES for io, s, others in _PAIRS
    )


def _line(template: str, io: str, s: str, others: tuple[str, str, str]) -> dict[str, object]:
    first, second, third = others
    start, rest = _TEMPLATES[template].split(", ")
    return {
        "prompt": f"{start}, {rest}".format(io=io, s=s),
        "answer": f" {io}",
        "wrong": [f" {s}"],
        "counterfactuals": {"abc": f"{start.format(io=first, s=second)}, {rest.format(s=third)}"},
        "positions": {"IO": io, "S1": s, "S2": f"{s}#2"},
        "template": template,
        "item": f"{io} and {s}",
    }
