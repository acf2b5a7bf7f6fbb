"""What pages of all kinds of reports say of a model at work: which it is, whether it does the task, what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.rule import Rule

from circuitdsl.judge.estimates import Verdict
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import OnModel, Ran
from circuitdsl.report.marks import STYLES
from circuitdsl.report.text import Flow, Text
from circuitdsl.report.words import estimate, number, on_prompts, plural
from circuitdsl.visible import shown_fingerprint

UNCHANGED = "weights as they are"


def model_facts(report: OnModel, verbose: bool = True) -> Iterator[str]:
    """Which weights were checked, as far as a line has room for it: JSON has the whole fingerprint.

    That weights are as they are is said with ``verbose`` alone.
    """
    told = report.processing and (verbose or report.processing != UNCHANGED)
    yield f"model {report.model} ({report.processing})" if told else f"model {report.model}"
    if report.fingerprint:
        yield f"fingerprint {shown_fingerprint(report.fingerprint)}"
    if report.revision is not None:
        yield f"revision {report.revision}"


def performance_facts(report: OnModel, prompts: int | None = None) -> Iterator[RenderableType]:
    """How well the model does the task, and that it does not where it does not. On how many prompts that was measured
    is said where it is not the ``prompts`` of the page."""
    found = report.performance
    if found is None:
        return
    metric = report.circuit.method.metric
    unit = measure_infos()[report.circuit.method.measured.measure].unit
    where = "" if prompts is None else on_prompts(found.prompts, prompts)
    said = [f"without any patch{where}: F is {metric} {estimate(found.metric, unit)}"]
    if metric != "accuracy":
        said.append(f"accuracy {estimate(found.accuracy, 'share')}")
    yield Flow(said, "dim")
    if found.verdict is not Verdict.HOLDS:
        style = STYLES[Verdict.FAILS if found.verdict is Verdict.FAILS else Verdict.UNDECIDED]
        surely = "" if found.verdict is Verdict.FAILS else ", as far as can be told"
        yield Text(
            f"the model does not do this task on these prompts{surely}: {metric} is not above chance", style=style
        )


def reference_fact(report: OnModel) -> Iterator[str]:
    """What the ablation took its values from, in words."""
    if report.reference is None:
        return
    taken = report.reference
    what = "from" if taken.resampled else "means over"
    of_each = "" if taken.templates is None else f" of each of {plural(taken.templates, 'template')}"
    yield f"{what} {_range(*taken.groups)} x {_range(*taken.prompts)} prompts{of_each}"


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"


def took(report: Ran) -> str:
    """What the check cost: work done, and work that the results store spared."""
    cost = report.cost
    kept = f" ({cost.kept:,} more from the results store)" if cost.kept else ""
    fast = f"planned: about {cost.planned:,.0f}; " if cost.planned != cost.plain else ""
    return (
        f"{plural(cost.experiments, 'experiment')} run{kept}, {cost.passes:,.0f} forward passes "
        f"({fast}one by one: {cost.plain:,.0f}), {_engine(report)}"
    )


def _engine(report: Ran) -> str:
    return f"{report.engine} engine{'' if report.dtype == 'float32' else f' in {report.dtype}'} on {report.device}"


def took_in_short(report: Ran) -> Iterator[str]:
    """The same in short, statement by statement."""
    cost = report.cost
    kept = f" ({cost.kept:,} more from the results store)" if cost.kept else ""
    yield f"{plural(cost.experiments, 'experiment')} run{kept}"
    yield f"{cost.passes:,.0f} forward passes"
    yield _engine(report)


def rule(title: str) -> Rule:
    """A line across with its title at the left, so that blocks are found again in a long scroll."""
    return Rule(Text(title, style="bold"), align="left", style="dim")


def bar(value: float, most: float, columns: int) -> Text:
    """A bar as long as the effect is large: red where the metric falls without the head, blue where it rises."""
    length = round(columns * abs(value) / most) if number(most, "share") != number(0.0, "share") else 0
    return Text("▪" * length, style="red" if value < 0 else "blue", no_wrap=True)
