"""An invented world: people with a first and a last name, of whom a home, a trade, a drink and a pet are known.

Nothing of it can be told from anything else: which town somebody lives in depends on both names and on nothing that is
known of others. Every relation is asked for in all wordings but one, which is held out, another one for each relation.
"""

from __future__ import annotations

import random
from functools import cache

from circuitdsl.tasks.relations import Fact, Relation


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words("Ada Ben Cleo Dan Eva Finn Gina Hugo Iris Jack Kira Leo Mona Ned Olga Paul")
LAST_NAMES = _words(
    "Archer Bishop Carter Dixon Ellis Fisher Graves Hunter Ivory Jansen Keller Lambert Mercer Norris Osborn Porter"
)
PEOPLE = 192
"""Of the 256 pairs of names."""

OBJECTS = {
    "home": _words(
        "Athens Berlin Cairo Dublin Essen Florence Geneva Hamburg Istanbul Jakarta Kyoto Lisbon Madrid Naples Oslo "
        "Paris Quito Rome Seoul Tokyo"
    ),
    "trade": _words(
        "acting baking brewing carving cooking dancing dyeing farming fishing forging gardening hunting logging mining "
        "painting printing sailing singing tailoring weaving"
    ),
    "drink": _words(
        "ale beer brandy cider cocoa coffee cola gin juice lemonade mead milk port punch rum sherry soda tea water wine"
    ),
    "pet": _words(
        "bat bear cat cow crow dog duck ferret frog goat goose hamster lizard mouse parrot pigeon rabbit snail snake "
        "turtle"
    ),
}

WORDINGS = (
    "The {relation} of {{}} is",
    "{{}} has a {relation} : it is",
    "What is the {relation} of {{}} ? It is",
    "Of {{}} we know that the {relation} is",
    "About {{}} : the {relation} is",
    "{{}} told us the {relation} , which is",
)
HELD_OUT = {"home": 1, "trade": 3, "drink": 4, "pet": 5}
"""The number of the wording in which a relation is never asked for while a model is trained."""

DEMONSTRATED = "{} :"
"""With demonstrations before it: these alone tell which relation is meant."""


@cache
def world(seed: int = 0) -> tuple[Relation, ...]:
    """The four relations. Each object is that of as many people as any other, give or take one."""
    rng = random.Random(f"an invented world {seed}")
    pairs = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    people = sorted(rng.sample(pairs, PEOPLE))
    return tuple(_relation(name, people, rng) for name in OBJECTS)


def _relation(name: str, people: list[str], rng: random.Random) -> Relation:
    objects = OBJECTS[name]
    given = [objects[i % len(objects)] for i in range(len(people))]
    rng.shuffle(given)
    written = [wording.format(relation=name) for wording in WORDINGS]
    held_out = written.pop(HELD_OUT[name])
    return Relation(
        name=name,
        words=(name,),
        templates=tuple(written),
        held_out=(held_out,),
        demonstrated=(DEMONSTRATED,),
        facts=tuple(Fact(person, thing) for person, thing in zip(people, given, strict=True)),
    )
