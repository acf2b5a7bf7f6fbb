"""Single prompts of a circuit on a page: those that it serves worst, and where its heads look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import CircuitReport, Examples, HeadLook, SinglePrompt
from circuitdsl.report.charts.attention import attention, look_labels, token_labels
from circuitdsl.report.charts.drawing import spec
from circuitdsl.report.html.blocks import Block, Chart, Prose, Row, Subsection, Table
from circuitdsl.report.words import number, plural


def examples_parts(report: CircuitReport) -> Iterator[Subsection]:
    """Nothing where single prompts were not asked for."""
    if report.examples is None:
        return
    if report.examples.typical.alone is not None:
        yield Subsection("Prompts served worst", _served(report, report.examples))
    yield from _looks(report.examples)


def _served(report: CircuitReport, found: Examples) -> tuple[Block, ...]:
    metric = report.circuit.method.metric
    unit = measure_infos()[report.circuit.method.measured.measure].unit
    rows = [_row(str(place), prompt, unit) for place, prompt in enumerate(found.worst, start=1)]
    alone = f"{metric} with the circuit alone, all else ablated,"
    about = (
        f"Of {plural(found.count, 'prompt')} those on which {alone} falls furthest below that of the model; last, for "
        "comparison, the one in the middle of all."
        if found.worst
        else f"On none of the worse half of {plural(found.count, 'prompt')} {alone} is below that of the model. "
        "The one in the middle of all:"
    )
    head = ("", "prompt", "template", "in the model", "circuit alone", "difference")
    return Prose((about,)), Table(head=head, rows=(*rows, _row("typical", found.typical, unit)))


def _row(name: str, prompt: SinglePrompt, unit: str) -> Row:
    if prompt.in_model is None or prompt.alone is None:
        return Row((name, prompt.text, prompt.template, "", "", ""))
    figures = (prompt.in_model, prompt.alone, prompt.alone - prompt.in_model)
    return Row((name, prompt.text, prompt.template, *(number(figure, unit) for figure in figures)))


def _looks(found: Examples) -> Iterator[Subsection]:
    shown = [("a typical prompt", found.typical)]
    shown += [(f"prompt {place} of those served worst", each) for place, each in enumerate(found.worst, start=1)]
    drawn = [(name, prompt) for name, prompt in shown if prompt.looks]
    if not drawn:
        return
    about = (
        "Each head of the circuit on single prompts: how much of its attention it pays to each token, from where it "
        "stands; a full square is all of it. One that stands at all positions looks from where a claim of its "
        "attention says, or from where the output is read."
    )
    blocks: list[Block] = [Prose((about,))]
    for name, prompt in drawn:
        first = min(look.first for look in prompt.looks)
        cut = f" Its first {plural(first, 'token')} are not shown." if first else ""
        said = f"Attention on {name}: {prompt.text!r}.{cut}"
        blocks.append(Chart(spec(attention(prompt)), said, _table(prompt)))
    yield Subsection("Where its heads look", tuple(blocks))


def _table(prompt: SinglePrompt) -> Table:
    """A row a head: the tokens that it looks at, most first. It fits on paper, where a column a token would not."""
    tokens = token_labels(prompt)
    rows = tuple(
        Row((label, ", ".join(_seen(look, tokens))))
        for label, look in zip(look_labels(prompt), prompt.looks, strict=True)
    )
    head = ("head", f"looks at (tokens of {number(LEAST, 'share', 0)} or more)")
    return Table(caption="the attention as a table", head=head, rows=rows, folded=True)


LEAST = 0.01
"""What a token is paid at least to stand in the table."""


def _seen(look: HeadLook, tokens: Sequence[str]) -> Iterator[str]:
    ranked = sorted(zip(look.paid, tokens[look.first :], strict=True), key=lambda pair: -pair[0])
    return (f"{token} {number(paid, 'share', 0)}" for paid, token in ranked if paid >= LEAST)
