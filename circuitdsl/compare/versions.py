"""What became of a specification: two versions of one circuit, compared by what they mean and not by their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from circuitdsl.compare.dictionaries import named_alike
from circuitdsl.components import Dictionary
from circuitdsl.language.circuit import Circuit, Claim
from circuitdsl.visible import shown_fingerprint


@dataclass(frozen=True)
class Difference:
    """One thing that differs; ``before`` or ``after`` is "" where a version lacks it."""

    kind: str  # "model", "task", "method", "dictionary", "role", "claim"
    what: str
    before: str
    after: str

    def to_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "what": self.what, "before": self.before, "after": self.after}


def changes(before: Circuit, after: Circuit) -> tuple[Difference, ...]:
    """What differs in meaning; order, comments, lines and spelling do not count.

    Claims are the same if they measure the same of the same: then another bound is a change of it. That a listed head
    matters goes without saying once it is listed, so it is not named again beside its role.
    """
    after = named_alike(before, after)
    found = (_settings(before, after), _dictionaries(before, after), _roles(before, after), _claims(before, after))
    return tuple(change for some in found for change in some)


def _settings(before: Circuit, after: Circuit) -> Iterator[Difference]:
    pairs = [("model", "", before.model, after.model), ("task", "", str(before.task), str(after.task))]
    pairs += [
        ("method", each.name, str(getattr(before.method, each.name)), str(getattr(after.method, each.name)))
        for each in fields(before.method)
    ]
    for kind, what, old, new in pairs:
        if old != new:
            yield Difference(kind, what, old, new)


def _dictionaries(before: Circuit, after: Circuit) -> Iterator[Difference]:
    """Those that only one version has; what they are called makes no difference."""
    for dictionary in before.dictionaries:
        if dictionary not in after.dictionaries:
            yield Difference("dictionary", dictionary.name, _described(dictionary), "")
    for dictionary in after.dictionaries:
        if dictionary not in before.dictionaries:
            yield Difference("dictionary", dictionary.name, "", _described(dictionary))


def _described(dictionary: Dictionary) -> str:
    fingerprint = shown_fingerprint(dictionary.fingerprint)
    return f"at {dictionary.point} {dictionary.layer}, {dictionary.n_features} features, {fingerprint}"


def _roles(before: Circuit, after: Circuit) -> Iterator[Difference]:
    old, new = ({role.name: frozenset(map(str, role.nodes)) for role in circuit.roles} for circuit in (before, after))
    for name in dict.fromkeys((*old, *new)):
        ours, theirs = old.get(name, frozenset()), new.get(name, frozenset())
        if ours != theirs or (name in old) != (name in new):
            yield Difference("role", name, _listed(ours - theirs), _listed(theirs - ours))


def _listed(nodes: Iterable[str]) -> str:
    return ", ".join(sorted(nodes))


def _claims(before: Circuit, after: Circuit) -> Iterator[Difference]:
    old, new = (_by_subject(circuit.claims) for circuit in (before, after))
    for subject in dict.fromkeys((*old, *new)):
        ours, theirs = old.get(subject, ()), new.get(subject, ())
        if {claim.bound for claim in ours} != {claim.bound for claim in theirs}:
            yield Difference("claim", subject, _texts(ours), _texts(theirs))


def _by_subject(claims: Iterable[Claim]) -> dict[str, tuple[Claim, ...]]:
    found: dict[str, tuple[Claim, ...]] = {}
    for claim in claims:
        if claim.kind != "member":
            subject = str(claim.term)
            found[subject] = (*found.get(subject, ()), claim)
    return found


def _texts(claims: Iterable[Claim]) -> str:
    return "; ".join(claim.text for claim in claims)
