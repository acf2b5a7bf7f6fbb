"""Ways to get a true spec wrong, each with the claim that has to find it out.

``Change.edits`` are (as written, as changed) in the text of a planted spec without comments and alignment; ``fails``
is the claim of the changed spec that must fail, ``refused`` the code of the diagnostic where it is not even possible.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    what: str
    edits: tuple[tuple[str, str], ...]
    fails: str = ""
    refused: str = ""

    def made_in(self, text: str) -> str:
        """The text as changed."""
        for old, new in self.edits:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
            text = text.replace(old, new)
        return text

    @property
    def claim(self) -> str:
        """The claim that has to fail, as a report has it."""
        claim = self.fails or self.edits[-1][1]
        return claim if claim.split()[0] in ("expect", "edge", "no", "role") else f"expect {claim}"


def edit(what: str, old: str, new: str, fails: str = "", refused: str = "") -> Change:
    return Change(what, ((old, new),), fails, refused)


FAITHFUL = "expect faithfulness in 97% .. 103%"
FAITHFUL_COLORS = "expect faithfulness in 99% .. 101%"

# What the roles of ioi.circuit say, for short.
PREVIOUS, DUPLICATE, INDUCTION = "S1+1 { 0.1 0.4 }", "S2 { 0.2 1.3 }", "S2 { 1.0 1.4 }"
INHIBITION, MOVER, NEGATIVE, BACKUP = "END { 2.1 2.2 }", "END { 3.2 4.0 }", "END { 4.3 }", "END { 5.1 5.3 }"

MOVED_HEADS = (
    edit("a mover: now its decoy", MOVER, "END { 3.1 4.0 }", "role mover at END: 3.1 matters"),
    edit("the other mover: now an idle head", MOVER, "END { 3.2 4.1 }", "role mover at END: 4.1 matters"),
    edit("a mover: the circuit is too weak", MOVER, "END { 3.1 4.0 }", FAITHFUL),
    edit("a previous-token head", PREVIOUS, "S1+1 { 0.0 0.4 }", "role previous_token at S1+1: 0.0 matters"),
    edit("the other previous-token head", PREVIOUS, "S1+1 { 0.1 0.5 }", "role previous_token at S1+1: 0.5 matters"),
    edit("a duplicate-token head", DUPLICATE, "S2 { 0.3 1.3 }", "role duplicate_token at S2: 0.3 matters"),
    edit("the other, one to the left", DUPLICATE, "S2 { 0.2 1.2 }", "role duplicate_token at S2: 1.2 matters"),
    edit("an induction head", INDUCTION, "S2 { 1.2 1.4 }", "role induction at S2: 1.2 matters"),
    edit("one to the right: a gatherer", INDUCTION, "S2 { 1.0 1.5 }", "role induction at S2: 1.5 matters"),
    edit("an inhibition head: now its decoy", INHIBITION, "END { 2.0 2.2 }", "role inhibition at END: 2.0 matters"),
    edit("now that of the colors", INHIBITION, "END { 2.1 2.4 }", "role inhibition at END: 2.4 matters"),
    edit("the negative mover: now idle", NEGATIVE, "END { 4.5 }", "edge negative_mover -> logits : lowers"),
    edit("a backup mover: now a decoy", BACKUP, "END { 5.2 5.3 }", "role backup_mover at END: 5.2 matters"),
)

DROPPED_HEADS = (
    edit("a mover", MOVER, "END { 4.0 }", FAITHFUL),
    edit("a previous-token head", PREVIOUS, "S1+1 { 0.1 }", FAITHFUL),
    edit("a duplicate-token head", DUPLICATE, "S2 { 0.2 }", FAITHFUL),
    edit("an induction head", INDUCTION, "S2 { 1.4 }", FAITHFUL),
    edit("an inhibition head", INHIBITION, "END { 2.1 }", FAITHFUL),
    edit("an inhibition head: less is lost", INHIBITION, "END { 2.2 }", "expect knockout(inhibition) <= -80%"),
    edit("a backup, unseen until movers go", BACKUP, "END { 5.1 }", "expect completeness(mover) <= 0.1"),
    edit("the other backup", BACKUP, "END { 5.3 }", "expect completeness(mover) <= 0.1"),
    edit("a mover: knockout of the rest is small", MOVER, "END { 3.2 }", "expect knockout(mover) in -80% .. -60%"),
)

ADDED_HEADS = (
    edit("a decoy among movers", MOVER, "END { 3.1 3.2 4.0 }", "role mover at END: 3.1 matters"),
    edit("an idle head among movers", MOVER, "END { 3.0 3.2 4.0 }", "role mover at END: 3.0 matters"),
    edit("a gatherer for induction", INDUCTION, "S2 { 1.0 1.1 1.4 }", "role induction at S2: 1.1 matters"),
    edit("the scene head", PREVIOUS, "S1+1 { 0.1 0.3 0.4 }", "role previous_token at S1+1: 0.3 matters"),
    edit("the colors' own inhibition", INHIBITION, "END { 2.1 2.2 2.4 }", "role inhibition at END: 2.4 matters"),
    edit("an idle duplicate-token head", DUPLICATE, "S2 { 0.2 1.2 1.3 }", "role duplicate_token at S2: 1.2 matters"),
    edit("a decoy among backups", BACKUP, "END { 5.1 5.2 5.3 }", "role backup_mover at END: 5.2 matters"),
    edit("a decoy, negative", NEGATIVE, "END { 4.3 4.4 }", "role negative_mover at END: 4.4 matters"),
)

OTHER_ROLES = (
    Change(
        "a mover called inhibition: it does not look at S2",
        ((MOVER, "END { 4.0 }"), (INHIBITION, "END { 2.1 2.2 3.2 }")),
        "expect attention(inhibition, END -> S2) >= 90%",
    ),
    Change(
        "a mover called inhibition: it writes the answer",
        ((MOVER, "END { 4.0 }"), (INHIBITION, "END { 2.1 2.2 3.2 }")),
        "no edge inhibition -> logits",
    ),
    Change(
        "an inhibition head called mover",
        ((MOVER, "END { 2.1 3.2 4.0 }"), (INHIBITION, "END { 2.2 }")),
        "expect attention(mover, END -> IO) >= 90%",
    ),
    Change(
        "an inhibition head called mover: it copies nothing from IO",
        ((MOVER, "END { 2.1 3.2 4.0 }"), (INHIBITION, "END { 2.2 }")),
        "expect copying(mover, IO) >= 95%",
    ),
    Change(
        "a backup called mover: it is asleep",
        ((MOVER, "END { 3.2 4.0 5.1 }"), (BACKUP, "END { 5.3 }"), ("edge mover -> backup_mover.q : lowers", "")),
        "expect attention(mover, END -> IO) >= 90%",
    ),
    Change(
        "a mover and the negative mover exchanged",
        ((MOVER, "END { 3.2 4.3 }"), (NEGATIVE, "END { 4.0 }")),
        "edge negative_mover -> logits : lowers",
    ),
    Change(
        "a mover and the negative mover exchanged: one of them does not copy",
        ((MOVER, "END { 3.2 4.3 }"), (NEGATIVE, "END { 4.0 }")),
        "expect copying(mover, IO) >= 95%",
    ),
    Change(
        "an induction head called duplicate-token head",
        ((INDUCTION, "S2 { 1.4 }"), (DUPLICATE, "S2 { 0.2 1.0 1.3 }")),
        "expect attention(duplicate_token, S2 -> S1) >= 95%",
    ),
    Change(
        "a duplicate-token head called induction head",
        ((INDUCTION, "S2 { 1.0 1.3 1.4 }"), (DUPLICATE, "S2 { 0.2 }")),
        "expect attention(induction, S2 -> S1+1) >= 95%",
    ),
    Change(
        "a duplicate-token head called previous-token head",
        ((PREVIOUS, "S1+1 { 0.1 0.2 0.4 }"), (DUPLICATE, "S2 { 1.3 }")),
        "role previous_token at S1+1: 0.2 matters",
    ),
    Change(
        "a previous-token head called duplicate-token head",
        ((PREVIOUS, "S1+1 { 0.4 }"), (DUPLICATE, "S2 { 0.1 0.2 1.3 }")),
        "expect attention(duplicate_token, S2 -> S1) >= 95%",
    ),
    Change(
        "a backup called negative mover",
        ((NEGATIVE, "END { 4.3 5.3 }"), (BACKUP, "END { 5.1 }")),
        "expect attention(negative_mover, END -> IO) >= 90%",
    ),
    Change(
        "movers and backups exchanged: who is asleep",
        (
            ("role mover at END { 3.2 4.0 }", "role mover at END { 5.1 5.3 }"),
            ("role backup_mover at END { 5.1 5.3 }", "role backup_mover at END { 3.2 4.0 }"),
            ("edge mover -> backup_mover.q : lowers", ""),
        ),
        "no edge backup_mover -> logits",
    ),
)

WRONG_EDGES = (
    edit("reversed", "edge mover -> backup_mover.q : lowers", "edge backup_mover -> mover.q : lowers", refused="C305"),
    edit("reversed", "edge inhibition -> mover.q : raises", "edge mover -> inhibition.q : raises", refused="C305"),
    edit("reversed", "edge induction -> inhibition.v : raises", "edge inhibition -> induction.v", refused="C305"),
    edit("to another input", "edge previous_token -> induction.v", "edge previous_token -> induction.q"),
    edit("to another input", "edge duplicate_token -> inhibition.k : raises", "edge duplicate_token -> inhibition.q"),
    edit("to another input", "edge induction -> inhibition.k : raises", "edge induction -> inhibition.q"),
    edit("to another input", "edge inhibition -> mover.q : raises", "edge inhibition -> mover.k"),
    edit("to another input", "edge inhibition -> mover.q : raises", "edge inhibition -> mover.v"),
    edit("to another input", "edge inhibition -> negative_mover.q : lowers", "edge inhibition -> negative_mover.k"),
    edit("to another input", "edge mover -> backup_mover.q : lowers", "edge mover -> backup_mover.kv"),
    edit("to another receiver", "edge duplicate_token -> inhibition.k : raises", "edge duplicate_token -> induction.v"),
    edit("to another receiver", "edge induction -> inhibition.v : raises", "edge induction -> mover.v"),
    edit("denied", "edge mover -> logits : raises", "no edge mover -> logits"),
    edit("denied", "edge inhibition -> mover.q : raises", "no edge inhibition -> mover.q"),
    edit("denied", "edge previous_token -> induction.k", "no edge previous_token -> induction.k"),
    edit("denied", "edge induction -> inhibition.v : raises", "no edge induction -> inhibition.v"),
    edit("denied", "edge duplicate_token -> inhibition.k : raises", "no edge duplicate_token -> inhibition.k"),
    edit("denied", "edge mover -> backup_mover.q : lowers", "no edge mover -> backup_mover.q"),
    edit("the wrong sign", "edge mover -> logits : raises", "edge mover -> logits : lowers"),
    edit("the wrong sign", "edge negative_mover -> logits : lowers", "edge negative_mover -> logits : raises"),
    edit("the wrong sign", "edge induction -> inhibition.k : raises", "edge induction -> inhibition.k : lowers"),
    edit("the wrong sign", "edge mover -> backup_mover.q : lowers", "edge mover -> backup_mover.q : raises"),
    edit("made up", "no edge backup_mover -> logits", "edge backup_mover -> logits"),
    edit("made up: a decoy", "no edge 2.0 at END -> mover.q", "edge 2.0 at END -> mover.q"),
    edit(
        "made up: directly",
        "no edge { duplicate_token induction inhibition } -> logits",
        "edge inhibition -> logits",
    ),
)

SHIFTED_POSITIONS = (
    edit("one token early", PREVIOUS, "S1 { 0.1 0.4 }", "role previous_token at S1: 0.1 matters"),
    edit("one token late", PREVIOUS, "S1+2 { 0.1 0.4 }", "role previous_token at S1+2: 0.4 matters"),
    edit("one token late", DUPLICATE, "S2+1 { 0.2 1.3 }", "role duplicate_token at S2+1: 0.2 matters"),
    edit("the other mention", DUPLICATE, "S1 { 0.2 1.3 }", FAITHFUL),
    edit("one token early", INDUCTION, "S2-1 { 1.0 1.4 }", "role induction at S2-1: 1.0 matters"),
    edit("where it looks, not where it is", INHIBITION, "S2 { 2.1 2.2 }", "role inhibition at S2: 2.1 matters"),
    edit("where it looks, not where it is", MOVER, "IO { 3.2 4.0 }", "role mover at IO: 3.2 matters"),
    edit("one token early", MOVER, "END-1 { 3.2 4.0 }", "role mover at END-1: 4.0 matters"),
    edit("one token early: the circuit is silent", MOVER, "END-1 { 3.2 4.0 }", FAITHFUL),
    edit("one token early", BACKUP, "END-1 { 5.1 5.3 }", "role backup_mover at END-1: 5.1 matters"),
    edit("looks at the subject", "attention(mover, END -> IO) >= 90%", "attention(mover, END -> S1) >= 90%"),
    edit("looks at the name", "attention(induction, S2 -> S1+1) >= 95%", "attention(induction, S2 -> S1) >= 95%"),
    edit("looks at the first", "attention(inhibition, END -> S2) >= 90%", "attention(inhibition, END -> S1) >= 90%"),
)

MOVED_BOUNDS = (
    edit("too high", "expect logit_diff in 4.5 .. 5.3", "expect logit_diff in 5.3 .. 6"),
    edit("too low", "expect logit_diff in 4.5 .. 5.3", "expect logit_diff <= 4.5"),
    edit("turned round", "expect accuracy >= 90%", "expect accuracy <= 80%"),
    edit("too high", FAITHFUL, "expect faithfulness in 103% .. 120%"),
    edit("no better than chance", "expect faithfulness > random heads", "expect faithfulness < random heads"),
    edit("too large a gap", "expect faithfulness_gap <= 0.15", "expect faithfulness_gap >= 0.15"),
    edit("too incomplete", "expect completeness(mover) <= 0.1", "expect completeness(mover) >= 0.1"),
    edit("nothing is lost", "expect knockout(mover) in -80% .. -60%", "expect knockout(mover) in -60% .. 0%"),
    edit("all is lost", "expect knockout(mover) in -80% .. -60%", "expect knockout(mover) <= -80%"),
    edit(
        "backups awake",
        "expect attention(backup_mover, END -> IO) <= 10%",
        "expect attention(backup_mover, END -> IO) >= 10%",
    ),
    edit(
        "movers split", "expect attention(mover, END -> IO) >= 90%", "expect attention(mover, END -> IO) in 30% .. 70%"
    ),
    edit("it copies", "expect anti_copying(negative_mover, IO) >= 90%", "expect copying(negative_mover, IO) >= 90%"),
)

COLORED_OBJECTS = (
    edit("a gatherer moved", "1.1 1.5\n", "1.0 1.5\n", "role content_gatherer at END: 1.0 matters"),
    edit("a gatherer dropped", "1.1 1.5\n", "1.1\n", FAITHFUL_COLORS),
    edit("a position dropped", "0.1 at O1 0.1 at O2 0.1 at O3", "0.1 at O1 0.1 at O2", FAITHFUL_COLORS),
    edit(
        "at the colour, not the thing",
        "0.4 at O1 0.4 at O2",
        "0.4 at C1 0.4 at O2",
        "role previous_token at C1: 0.4 matters",
    ),
    edit("inhibition that is IOI's own", "2.4\n", "2.2\n", "role inhibition at END: 2.2 matters"),
    edit("an inhibition head dropped", "2.1\n2.4\n", "2.1\n", FAITHFUL_COLORS),
    edit("a mover added: IOI's negative", "3.2 4.0\n", "3.2 4.0 4.3\n", "role mover at END: 4.3 matters"),
    edit("a mover dropped", "3.2 4.0\n", "3.2\n", FAITHFUL_COLORS),
    edit("a backup dropped", "5.1 5.3\n", "5.1\n", "expect completeness(mover) <= 0.1"),
    Change(
        "an inhibition head called gatherer",
        (("2.1\n2.4\n", "2.4\n"), ("1.1 1.5\n", "1.1 1.5 2.1\n")),
        "expect attention(content_gatherer, END -> QUERY) >= 95%",
    ),
    edit(
        "shifted to what it looks at",
        "content_gatherer at END",
        "content_gatherer at QUERY",
        "role content_gatherer at QUERY: 1.1 matters",
    ),
    edit(
        "reversed",
        "edge content_gatherer -> inhibition.q : raises",
        "edge inhibition -> content_gatherer.q",
        refused="C305",
    ),
    edit("to another input", "edge content_gatherer -> inhibition.q : raises", "edge content_gatherer -> inhibition.k"),
    edit("to another input", "edge inhibition -> mover.q : raises", "edge inhibition -> mover.k"),
    edit("past the inhibition", "no edge content_gatherer -> mover.q", "edge content_gatherer -> mover.q"),
    edit("denied", "edge inhibition -> mover.q : raises", "no edge inhibition -> mover.q"),
    edit(
        "copies the scene's word",
        "copying(mover, ANSWER_COLOR -> answer) >= 95%",
        "copying(mover, ANSWER_COLOR) >= 95%",
    ),
    edit("the intervention does nothing", "expect accuracy - baseline <= -80%", "expect accuracy - baseline >= -20%"),
    edit(
        "the intervention on decoys", "attend { 3.2 4.0 } at END", "attend { 3.1 4.4 } at END", "expect accuracy <= 10%"
    ),
)

INDUCTION_TASK = (
    edit(
        "a previous-token head moved",
        "NEXT { 0.0 0.3 }",
        "NEXT { 0.1 0.3 }",
        "role previous_token at NEXT: 0.1 matters",
    ),
    edit("one token early", "NEXT { 0.0 0.3 }", "FIRST { 0.0 0.3 }", "role previous_token at FIRST: 0.0 matters"),
    edit("an induction head dropped", "END { 1.1 1.3 }", "END { 1.1 }", FAITHFUL),
    edit("its decoy added", "END { 1.1 1.3 }", "END { 1.1 1.2 1.3 }", "role induction at END: 1.2 matters"),
    edit("by the values", "no edge previous_token -> induction.v", "edge previous_token -> induction.v"),
    edit("by the queries", "edge previous_token -> induction.k : raises", "edge previous_token -> induction.q"),
    edit(
        "reversed", "edge previous_token -> induction.k : raises", "edge induction -> previous_token.k", refused="C305"
    ),
    edit("backups awake", "expect knockout(backup) in -1% .. 1%", "expect knockout(backup) <= -10%"),
)

REUSE = (
    edit("too much shared", "expect overlap(heads) in 69% .. 71%", "expect overlap(heads) >= 75%"),
    edit("too little shared", "expect overlap(heads) in 69% .. 71%", "expect overlap(heads) <= 65%"),
    edit(
        "the same inhibition",
        "expect overlap(inhibition ~ inhibition) in 49% .. 51%",
        "expect overlap(inhibition ~ inhibition) >= 90%",
    ),
)

TABLES = {
    "ioi": MOVED_HEADS + DROPPED_HEADS + ADDED_HEADS + OTHER_ROLES + WRONG_EDGES + SHIFTED_POSITIONS + MOVED_BOUNDS,
    "colored_objects": COLORED_OBJECTS,
    "induction": INDUCTION_TASK,
    "reuse": REUSE,
}
