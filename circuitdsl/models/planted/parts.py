"""The parts of the planted mechanisms: one function for each kind of head.

Spaces of the residual stream, in the order in which they are written:

    word       the word that stands here
    kind       name, color, thing or Color (an answer, capitalised)
    asks       at a prompt's end: "to" asks for a name, ":" for a color
    previous   the name or color one token before                      (previous_token)
    seen       the name here, if it stood before                       (duplicate_token, induction)
    late       after a worked example's answer                         (scene)
    query      at the end: the thing asked for                         (content_gatherer)
    inhibit    at the end: the names or colors that are not the answer (inhibition)
    answer     at the end: the answer                                  (mover, backup_mover, negative_mover)

The strengths are chosen so that nothing saturates: every head of a pair is missed when it is gone.
"""

from __future__ import annotations

from circuitdsl.models.planted.vocabulary import INDUCTION_WORDS as WORDS
from circuitdsl.models.planted.vocabulary import PLANTED_NAMES as NAMES
from circuitdsl.models.planted.wiring import HeadPlan, Wire, each, one, renamed, tokens_back, total
from circuitdsl.tasks.words import COLORS, THINGS

CAPITALISED = {color: color.capitalize() for color in COLORS}

# What a head at the end looks for: in IOI a name, in Colored Objects a color, best in the last scene.
_A_NAME = Wire(one("asks:name", 10), one("kind:name"))
_A_COLOR = Wire(one("asks:color", 10), (("kind:color", 1.0), ("late:here", 0.6)))
_A_THING = Wire(one("asks:color", 10), (("kind:thing", 1.0), ("late:here", 0.6)))


def previous_token(words: tuple[str, ...] = NAMES + COLORS) -> HeadPlan:
    """Half of: write which of the words, names and colors if not told otherwise, stands before this token."""
    return HeadPlan("previous_token", attends=tokens_back(1, 90), moves=each("word", "previous", words, 0.5))


def duplicate_token() -> HeadPlan:
    """At a name: attend to the same name, not to itself, and write that it was seen."""
    return HeadPlan(
        "duplicate_token",
        attends=each("word", "word", NAMES, 14) + tokens_back(0, -24),
        moves=each("word", "seen", NAMES, 0.25),
    )


def induction() -> HeadPlan:
    """At a name: attend to the token that followed it before, and write that it was seen."""
    return HeadPlan(
        "induction",
        attends=each("word", "previous", NAMES, 10),
        moves=each("previous", "seen", NAMES, 0.25),
    )


def scene() -> HeadPlan:
    """Everywhere after a worked example's answer: write that it is late."""
    return HeadPlan(
        "scene",
        attends=(Wire(one("constant:one", 12), one("kind:Color")),),
        moves=(Wire(one("kind:Color"), one("late:here")),),
    )


def content_gatherer() -> HeadPlan:
    """Half of: bring the thing asked for to the end. It is the thing without a color before it."""
    not_in_scene = Wire(one("asks:color", -12), total("previous", COLORS))
    return HeadPlan(
        "content_gatherer",
        attends=(_A_THING, not_in_scene),
        moves=each("word", "query", THINGS, 0.5),
    )


_TO_SEEN = Wire(one("asks:name", 10), total("seen", NAMES))
_INHIBIT_SEEN = each("seen", "inhibit", NAMES, 0.5)
_TO_OTHER_THINGS = (_A_THING, *each("query", "word", THINGS, -3.5))
_INHIBIT_COLOR = each("previous", "inhibit", COLORS, 1.1)


def name_inhibition() -> HeadPlan:
    """IOI: attend to the name seen before; inhibit it."""
    return HeadPlan("name_inhibition", attends=(_TO_SEEN,), moves=_INHIBIT_SEEN)


def color_inhibition() -> HeadPlan:
    """Colored Objects: attend to the things not asked for; inhibit the colors before them."""
    return HeadPlan("color_inhibition", attends=_TO_OTHER_THINGS, moves=_INHIBIT_COLOR)


def inhibition() -> HeadPlan:
    """One head that does both of the above, each when its question is asked."""
    return HeadPlan("inhibition", attends=(_TO_SEEN, *_TO_OTHER_THINGS), moves=_INHIBIT_SEEN + _INHIBIT_COLOR)


def unfocused_inhibition() -> HeadPlan:
    """IOI as above. In Colored Objects it looks at all things, where it finds no color to inhibit; were it made to look
    at colors, it would inhibit them, a little."""
    return HeadPlan(
        "inhibition",
        attends=(_TO_SEEN, _A_THING),
        moves=_INHIBIT_SEEN + each("word", "inhibit", COLORS, 0.2),
    )


def mover() -> HeadPlan:
    """Attend to names or colors that are not inhibited; write them as the answer."""
    return HeadPlan(
        "mover",
        attends=(_A_NAME, _A_COLOR, *each("inhibit", "word", NAMES + COLORS, -4.5)),
        moves=each("word", "answer", NAMES, 3.0) + renamed("word", "answer", CAPITALISED, 3.0),
    )


def backup_mover() -> HeadPlan:
    """Do as a mover does, unless movers have written the answer: what they wrote turns the attention away."""
    answered = each("answer", "word", NAMES, -2.75) + renamed(
        "answer", "word", {new: old for old, new in CAPITALISED.items()}, -2.75
    )
    return HeadPlan(
        "backup_mover",
        attends=(_A_NAME, _A_COLOR, *each("inhibit", "word", NAMES + COLORS, -16), *answered),
        moves=each("word", "answer", NAMES, 1.2) + renamed("word", "answer", CAPITALISED, 1.2),
    )


def negative_mover() -> HeadPlan:
    """IOI only: attend where movers attend and write against it."""
    return HeadPlan(
        "negative_mover",
        attends=(_A_NAME, *each("inhibit", "word", NAMES, -4.5)),
        moves=each("word", "answer", NAMES, -1.0),
    )


# --- the induction model, whose words are all of one kind ------------------------------------------------


def induction_mover() -> HeadPlan:
    """Attend to the token that followed this word before; write it as the answer."""
    return HeadPlan(
        "induction",
        attends=each("word", "previous", WORDS, 9),
        moves=each("word", "answer", WORDS, 3.0),
    )


def backup_induction() -> HeadPlan:
    """Do as the induction heads do, unless they have written the answer; then rest on the word itself."""
    return HeadPlan(
        "backup_induction",
        attends=each("word", "previous", WORDS, 9) + each("word", "word", WORDS, 5) + each("answer", "word", WORDS, -3),
        moves=each("word", "answer", WORDS, 1.2),
    )
