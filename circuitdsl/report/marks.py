"""How verdicts look in a terminal."""

from __future__ import annotations

from circuitdsl.judge.estimates import Verdict

MARKS = {Verdict.HOLDS: "✓", Verdict.FAILS: "✗", Verdict.UNDECIDED: "?", Verdict.ERROR: "!"}
STYLES = {Verdict.HOLDS: "green", Verdict.FAILS: "bold red", Verdict.UNDECIDED: "yellow", Verdict.ERROR: "bold magenta"}
WORDS = {Verdict.HOLDS: "holds", Verdict.FAILS: "FAILS", Verdict.UNDECIDED: "undecided", Verdict.ERROR: "ERROR"}
SAID = {
    Verdict.HOLDS: ("holds", "hold"),
    Verdict.FAILS: ("fails", "fail"),
    Verdict.UNDECIDED: ("is undecided", "are undecided"),
    Verdict.ERROR: ("could not be measured", "could not be measured"),
}
"""A verdict as the verb of a sentence, of one claim and of several."""
OPEN = (Verdict.FAILS, Verdict.ERROR, Verdict.UNDECIDED)
"""The verdicts that a person has to look into."""
