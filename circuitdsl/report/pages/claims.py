"""Claims of a block as lines of a page: claims that are alike and hold together, or one by one with all their figures.

A line has a mark, the claim's line in its file, the claim and its figure. Where a claim and its figure do not fit into
one line, the figure stands below the claim: a bound and a figure side by side in a line that was broken between them
would read as one thing. A bound itself is never broken.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import text as rich_text
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.circuit import Bound, Control, Nodes
from circuitdsl.outcome import ClaimOutcome, Variant
from circuitdsl.report.marks import MARKS, STYLES, WORDS
from circuitdsl.report.text import Text
from circuitdsl.report.words import bound, estimate, exact, measured, of_part, on_prompts, plural
from circuitdsl.visible import visible

_GAP = 2  # columns at least between a claim and its figure
_BOUND = re.compile(r"(?:[<>]=?|\bin|\boutside) [^()]*$")  # the end of a claim's text that says what is wanted
_UNBROKEN = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class ClaimLine:
    """A line of a list of claims; ``about`` is said of the claim, after it."""

    mark: Text
    place: str
    claim: str
    figure: str
    about: str = ""
    style: str = ""


@dataclass(frozen=True)
class ClaimLines:
    """Claims one under the other, their figures in a column; drawn for the width that there is."""

    lines: Sequence[ClaimLine]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.drawn(options.max_width)

    def drawn(self, width: int) -> Iterator[RenderableType]:
        places = max((len(line.place) for line in self.lines), default=0)
        room = max(_LEAST, width - places - 3)
        widths = [cell_len(line.figure) for line in self.lines]
        figures = max((each for each in widths if each <= room // 2), default=0)  # a reason may be longer
        beside = room - figures - _GAP  # the columns of a claim with its figure in the same line
        said = [_said(line) for line in self.lines]
        column = max((cell_len(text) for text in said if cell_len(text) <= beside), default=0)
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(justify="right", style="dim", no_wrap=True, min_width=places)
        table.add_column(overflow="fold")
        for line, text in zip(self.lines, said, strict=True):
            figure = Text(line.figure, style=line.style)
            if cell_len(text) <= beside and cell_len(line.figure) <= figures:
                between = " " * (column - cell_len(text) + _GAP) if line.figure else ""
                table.add_row(line.mark, line.place, Text.assemble(_styled(line, text), between, figure))
            else:
                for number, part in enumerate(_wrapped(text, room)):
                    first = number == 0
                    table.add_row(line.mark if first else "", line.place if first else "", _styled(line, part))
                if line.figure:
                    indent = min(column + _GAP, max(0, room - cell_len(line.figure)))
                    table.add_row("", "", Text.assemble(" " * indent, figure))
        yield table


_LEAST = 20  # columns of a claim, however narrow the terminal


def _said(line: ClaimLine) -> str:
    """The claim, its bound in one piece, and what is said about it."""
    claim = _BOUND.sub(lambda found: found[0].replace(" ", _UNBROKEN), visible(line.claim))
    return f"{claim} {line.about}" if line.about else claim


def _styled(line: ClaimLine, text: str) -> rich_text.Text:
    """The claim, and dim what is said about it."""
    text = text.replace(_UNBROKEN, " ")
    claim = text.removesuffix(line.about)
    return Text.assemble((claim, line.style), (text[len(claim) :], "dim"))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns, broken nowhere inside a bound unless that alone is too wide."""
    return textwrap.wrap(text, width, break_on_hyphens=False, expand_tabs=False, replace_whitespace=False) or [""]


# --- alike claims together -------------------------------------------------------------------------


def folded(outcomes: Iterable[ClaimOutcome]) -> Iterator[ClaimLine]:
    """A line for all claims that are alike, of the one among them that :func:`nearest` gives."""
    for group in alike(outcomes):
        outcome = nearest(group)
        claim = outcome.claim
        text = _member(outcome) if claim.kind == "member" else claim.text.removeprefix("expect ")
        about = f"(of {len(group)})" if len(group) > 1 else ""
        yield ClaimLine(mark(outcome.verdict), str(claim.line), text, measured(outcome), about)


def alike(outcomes: Iterable[ClaimOutcome]) -> list[list[ClaimOutcome]]:
    """Claims by what they are about: each measurement, edges, edges that are denied, heads that roles list."""
    groups: dict[tuple[str, str], list[ClaimOutcome]] = {}
    for outcome in outcomes:
        kind = outcome.claim.kind
        about = outcome.claim.term.measure if kind in ("member", "expect") else ""
        groups.setdefault((kind, about), []).append(outcome)
    return list(groups.values())


def nearest(group: Sequence[ClaimOutcome]) -> ClaimOutcome:
    """The claim whose figure is nearest to its bound; of listed heads the one that matters least."""
    if group[0].claim.kind == "member":
        return min(group, key=lambda outcome: abs(outcome.estimate.value or 0.0))
    return min(group, key=closeness)


def _member(outcome: ClaimOutcome) -> str:
    claim = outcome.claim
    heads = dict(claim.term.arguments).get("heads")
    head = heads.label if isinstance(heads, Nodes) else claim.text.removesuffix(" matters")
    return f"{head} of {claim.role} matters: {claim.term.measure} {_wanted_of_member(outcome)}"


def _wanted_of_member(outcome: ClaimOutcome) -> str:
    wanted = outcome.claim.bound
    if isinstance(wanted, Bound) and wanted.op == "outside":
        return f"beyond ±{exact(wanted.high, outcome.unit)}"
    return bound(wanted, outcome.unit, outcome.control).replace("at least", ">=")


def closeness(outcome: ClaimOutcome) -> float:
    """How far a figure is from the nearest end of its claim's bound, in half widths of its interval."""
    value, low, high = outcome.estimate.value, outcome.estimate.low, outcome.estimate.high
    ends = [end for end in _ends(outcome) if end is not None]
    if value is None or not ends:
        return math.inf
    half = (high - low) / 2 if low is not None and high is not None else 0.0
    gap = min(abs(value - end) for end in ends)
    return gap / half if half > 0 else math.inf


def _ends(outcome: ClaimOutcome) -> tuple[float | None, ...]:
    wanted = outcome.claim.bound
    if isinstance(wanted, Control):
        control = outcome.control
        return () if control is None else (control.high if wanted.op == ">" else control.low,)
    return (wanted.low, wanted.high)


# --- every claim -----------------------------------------------------------------------------------


def listed(outcomes: Iterable[ClaimOutcome]) -> Iterator[ClaimLine]:
    """Every claim with its variants, its parts and its note; with its prompts, where not all took the same number."""
    outcomes = tuple(outcomes)
    differ = len({outcome.prompts for outcome in outcomes if outcome.prompts}) > 1
    for outcome in outcomes:
        figure, style = (measured(outcome), "")
        if outcome.verdict is Verdict.ERROR:
            figure, style = "not measured", STYLES[Verdict.ERROR]
        claim = outcome.claim
        about = f"({plural(outcome.prompts, 'prompt')})" if differ and outcome.prompts else ""
        yield ClaimLine(mark(outcome.verdict), str(claim.line), claim.text, figure, about, style)
        yield from (_variant(variant, outcome) for variant in outcome.variants)
        for part in outcome.parts:
            yield ClaimLine(Text(), "", f"  {part.label}", of_part(part, outcome), style="dim")
        if outcome.note:
            yield ClaimLine(Text(), "", f"  {outcome.note}", "", style="dim")


def _variant(variant: Variant, outcome: ClaimOutcome) -> ClaimLine:
    said = f"  {varied(variant, outcome)}: {WORDS[variant.verdict]}"
    seen = variant.note if variant.verdict is Verdict.ERROR else estimate(variant.estimate, outcome.unit)
    return ClaimLine(mark(variant.verdict), "", said, seen, style="dim")


def varied(variant: Variant, outcome: ClaimOutcome) -> str:
    """Which setting is another one, and on how many prompts where the claim itself took more.

    A variant is judged once, on the method's first prompts.
    """
    where = on_prompts(variant.prompts, outcome.prompts) if variant.prompts else ""
    return f"with {variant.setting} {variant.setting_value}{where}"


def mark(verdict: Verdict) -> Text:
    return Text(MARKS[verdict], style=STYLES[verdict])


def prompts_taken(outcomes: Iterable[ClaimOutcome]) -> Iterator[Text]:
    """How many prompts claims took until they were decided, or to the most, where it was not the same for all."""
    counts = Counter(outcome.prompts for outcome in outcomes if outcome.prompts)
    if len(counts) > 1:
        (least, claims), *others = sorted(counts.items())
        more = ", ".join(f"{number} on {prompts}" for prompts, number in others)
        yield Text(f"{plural(claims, 'claim')} took {least} prompts, the others more: {more}", style="dim")


def claim_list(outcomes: Sequence[ClaimOutcome], verbose: bool) -> RenderableType:
    """What holds, folded; with ``verbose`` every claim."""
    if verbose:
        return ClaimLines(tuple(listed(outcomes)))
    holding = [outcome for outcome in outcomes if outcome.verdict is Verdict.HOLDS]
    return ClaimLines(tuple(folded(holding))) if holding else Group()
