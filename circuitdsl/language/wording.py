"""The grammar in words for people: what could stand at a place, and what to do about what stands there instead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from circuitdsl.components import kinds
from circuitdsl.language.diagnostics import nearest
from circuitdsl.language.grammar import grammar
from circuitdsl.language.notations import Notation, name_of, notation_at

TOP = ("use", "circuit", "compare", "intervention")
_STATEMENTS = (
    *("about", "cite", "model", "task", "dictionary", "method", "role", "edge", "no", "expect", "control", "for"),
    *(
        "metric",
        "against",
        "ablate",
        "reference",
        "prompts",
        "positions",
        "floor",
        "confidence",
        "seed",
        "bos",
        "processing",
    ),
    *("members", "errors", "vary", "align"),
)
_FOLLOWED = {"control": r"(?=(?:[ \t\r\n\f]|#[^\n]*\n)+task\b)"}
"""Words that begin a statement only before another one, and are names elsewhere, as the grammar has them."""
_INNER = ("with", "on", "at", "in", "outside", "strict", "raises", "lowers", "logits", "from", "to", "by", "evenly")
_THINGS = {
    "NAME": "a name",
    "MODEL_NAME": "a model's name",
    "STRING": "text in double quotes",
    "NUMBER": "a number",
    "INT": "a layer",
    "COUNT": "a number",
    "FEATURE": "a feature such as `a1.57`",
    "ERROR_TERM": "an error such as `a1.error`",
    "NEURON_NUMBER": "a layer and a number such as `5.123`",
    "OFFSET": "an offset such as `+1`",
    "INPUTS": "an input such as `.q`",
    "OF_GROUP": "`of group`",
    "OP": "`>=`, `<=`, `>` or `<`",
    "YES_NO": "`yes` or `no`",
    "BASELINE": "`- baseline`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "TILDE": "`~`",
    "$END": "the end of the file",
    "RANGE": "`..`",
    "ARROW": "`->`",
}
_CHARACTER_HINTS = {
    "=": "bounds are `>=`, `<=`, `>`, `<` and `in a .. b`",
    "'": "text stands in double quotes",
    "/": "comments begin with #, and paths stand in double quotes",
    ";": "statements need no sign at their end",
    "≥": "write `>=`",
    "≤": "write `<=`",
    "→": "write `->`",
    "–": "write `-`",
    "−": "write `-`",
    "…": "write `..`",
    "“": 'write "',
    "”": 'write "',
}
WORD = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9.]*%?|->|\.\.|[<>]=?|[{}(),:~.%*+-]')
_NAMED = re.compile(r"\b(?:role|circuit|intervention)\s+(?P<begun>[A-Za-z_]\w*)?\s*\Z")
_NEAR = 200
"""Characters before a mistake that are looked at: no more, so that no line is too long."""
_REST_OF_NAME = re.compile(r"[\w .'&/+-]{0,80}?(?= {0,8}(?:\{|\n|\Z|\b(?:at|on)\b))")


# --- words -----------------------------------------------------------------------------------------


def statements() -> tuple[str, ...]:
    """The words that begin a statement, actions among them: ``ablate`` begins a setting as well."""
    return tuple(dict.fromkeys((*_STATEMENTS, *grammar().actions)))


def statement_pattern() -> str:
    """A regular expression of the words that begin a statement, where they do."""
    return "|".join(word + _FOLLOWED.get(word, r"\b") for word in statements())


def _components() -> set[str]:
    """The terminals that a component begins with."""
    return {name.upper() for name in grammar().components}


def _keywords() -> dict[str, str]:
    """The language's words by their terminals."""
    words = [name for name in grammar().components if name.islower()]
    return {word.upper(): word for word in (*TOP, *statements(), *_INNER, *words)}


# --- what could stand at a place -------------------------------------------------------------------


def human(accepts: set[str]) -> str:
    """What could stand here, in few words: components and statements are summed up."""
    words: list[str] = []
    rest = set(accepts)
    if {"USE", "CIRCUIT"} <= rest:
        rest -= {word.upper() for word in TOP}
        words += [f"`{word}`" for word in TOP]
    within = {"AGAINST"} if "EDGE" in rest else set[str]()  # of an edge, where no setting stands
    begins = [word for word in statements() if word.upper() in rest - within]
    if len(begins) > 2 and "RBRACE" in rest:
        rest -= {word.upper() for word in begins}
        words.append("a statement (" + ", ".join(begins) + ")")
    if rest >= _components():
        rest -= _components()
        added = (kind.example for kind in kinds().values() if kind.grammar)
        words.append(", ".join(["a head such as `9.6`, `mlp`, `embed`", *(f"`{example}`" for example in added)]))
    keywords = _keywords()
    words += sorted(_THINGS.get(name) or f"`{keywords.get(name, name.lower())}`" for name in rest)
    return either(words)


def either(words: Iterable[str]) -> str:
    """``a, b or c``."""
    *most, last = list(words) or ["nothing"]
    return f"{', '.join(most)} or {last}" if most else last


def shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def word_at(text: str, start: int) -> str:
    """The name-like word at an offset, "" if something else stands there."""
    word = WORD.match(text, start)
    return word[0] if word and word[0].isidentifier() else ""


def found_at(text: str, start: int) -> str:
    """The word or sign at an offset."""
    word = WORD.match(text, start)
    return word[0] if word else text[start]


def other_notation(text: str, start: int, accepts: set[str]) -> Notation | None:
    """A component that is written as others do, where one could stand or has just been read in part."""
    if not accepts & (_components() | {"ARROW", "INPUTS", "AT"}):
        return None
    found = notation_at(text, start)
    return found if found and (found.start < start or accepts & _components()) else None


# --- remedies --------------------------------------------------------------------------------------


def named(character: str) -> str:
    """A character as a message shows it: by its number if it cannot be seen."""
    return f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"


def hint(character: str, accepts: set[str]) -> str:
    """What to do about a character that the language does not use."""
    if character == "=" and "ARROW" in accepts:
        return "write `->`"
    if character.isalnum():
        return "names are made of the letters a to z, digits and `_`; other letters stand in texts and comments"
    if not character.isprintable():
        return "take it out"
    return _CHARACTER_HINTS.get(character, f"expected {human(accepts)}")


def remedy_of(text: str, start: int, found: str, accepts: set[str]) -> str:
    """What to do about a word or sign that stands in a wrong place of a text."""
    return (
        _name_remedy(text, start, found, accepts)
        or _sign_remedy(found, accepts, text[max(0, start - 1) : start])
        or _word_remedy(found, accepts)
    )


def _name_remedy(text: str, start: int, found: str, accepts: set[str]) -> str:
    """What to do where a name is not one word that begins with a letter."""
    line = text[max(text.rfind("\n", 0, start) + 1, start - _NEAR) : start]
    named = _NAMED.search(line)
    if named and not named["begun"] and (found[0] == '"' or found[0].isdigit()):
        return f"a name is one word that begins with a letter: `{name_of(found)}`"
    rest = _REST_OF_NAME.match(text, start)
    if named and named["begun"] and rest and rest[0].strip() and "LBRACE" in accepts:
        return f"a name is one word: `{name_of(line[named.start('begun') :] + rest[0])}`"
    joined = re.search(r"[A-Za-z_]\w*\Z", line)
    after = re.match(r"-[A-Za-z]\w*", text[start : start + 80])
    if joined and after and found == "-":
        return f"names have no `-`: `{name_of(joined[0] + after[0])}`"
    if "NAME" in accepts and found[0].isdigit() and re.search(r"\bat\s*\Z", line):
        return (
            "positions have names, and others count from them: `END`, `END-1`; `circuitdsl tasks` lists those of a task"
        )
    return ""


def _sign_remedy(found: str, accepts: set[str], before: str) -> str:
    components, numeric = bool(accepts & _components()), before.isdigit() or "NUMBER" in accepts
    hints = (
        (found == "." and before == ".", "write `..`"),
        (found == "." and "INPUTS" in accepts, "the inputs are `.q`, `.k`, `.v` and `.kv`"),
        (found == "." and "ARROW" in accepts, "a sender has an output, and its inputs do not matter here"),
        (found == "." and before == "s" and "COLON" in accepts, "the logits have a single input, which is not named"),
        (found == "," and components, "the members of a group are separated by white space alone"),
        (found in ".," and numeric and "RANGE" not in accepts, "numbers are written like `0.5`"),
        (found[0].isdigit() and before == "," and not components, "numbers are written like `0.5`"),
        (found in "+-" and components, "layers and heads count from 0"),
        (found[0].isdigit() and components, "heads are written `layer.head`: `9.6`, or `9.*` for a whole layer"),
        (found == "{" and components, "groups do not stand within groups"),
        (found == "}" and "$END" in accepts, "no block is open here: leave it out"),
        (found == ")" and before == "(", "leave the parentheses out"),
        (found == ":" and "LBRACE" in accepts, "what belongs together stands in braces: `{ ... }`"),
        ("STRICT" in accepts and "OP" not in accepts, "`no edge` says all: that there is no effect"),
    )
    return next((hint for applies, hint in hints if applies), "")


def _word_remedy(found: str, accepts: set[str]) -> str:
    if not found.isidentifier():
        return ""
    near = nearest(found, [word for name, word in _keywords().items() if name in accepts])
    if near and near != found:
        return f"did you mean `{near}`?"
    if accepts & _components() and found == "logits":
        return "the logits receive, and send nothing"
    if found in _keywords().values() and accepts & {"NAME", "MODEL_NAME"}:
        return f"`{found}` is a word of the language and cannot be a name"
    if found in TOP:
        return f"`{found}` stands by itself, not within a block"
    if found in statements() and "CIRCUIT" in accepts:
        return f"`{found}` stands within a block: `circuit name {{ ... }}`"
    if accepts & _components() and "NAME" not in accepts:
        return "a role lists components; which roles it talks to is said by `edge`"
    if "STRING" in accepts and "NAME" not in accepts:
        return "put it in double quotes"
    return ""
