"""An attribution for people: features by position, strongest first, and what the errors of dictionaries carry."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import AttributionReport, FeatureAttribution
from circuitdsl.report.output import View
from circuitdsl.report.pages.facts import bar, model_facts, rule
from circuitdsl.report.text import Text
from circuitdsl.report.words import number, plural

_BAR = 20  # columns of the longest bar
_SHOWN = 8  # features of a position


def render_attribution(report: AttributionReport, view: View) -> RenderableType:
    """The whole page; ``view.verbose`` shows every feature."""
    method = report.circuit.method
    unit = measure_infos()[method.measured.measure].unit
    facts = [*model_facts(report), f"task {report.circuit.task}", plural(report.prompts, "prompt")]
    kept = f"{'of a size ' if report.both_signs else ''}above {report.threshold:g}"
    features = len({each.node.component for each in report.features})
    parts: list[RenderableType] = [
        rule(f"attribution of {report.circuit.name}"),
        Text(", ".join(facts), style="dim"),
        Text(f"{method.metric} {number(report.metric, unit)}, averaged over prompts as all figures here", style="dim"),
        Text(f"{plural(features, 'feature')} kept, at {plural(len(report.features), 'place')}: attributions {kept}"),
    ]
    most = max((abs(each.attribution) for each in report.features), default=0.0)
    for position, found in report.by_position.items():
        shown = found if view.verbose else found[:_SHOWN]
        parts += [Text(), Text.assemble(("at ", "dim"), (position, "bold")), _table(shown, most)]
        if len(shown) < len(found):
            parts.append(Text(f"and {len(found) - len(shown)} more, which --verbose shows", style="dim"))
    parts += [Text(), *(Text(line, style="dim") for line in _of_errors(report))]
    parts.append(Text("this orders features and decides nothing: claim what matters, and check judges it by patching"))
    return Group(*parts)


def _table(found: Sequence[FeatureAttribution], most: float) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("feature", no_wrap=True)
    table.add_column("attribution", justify="right", no_wrap=True)
    table.add_column("prompts", justify="right", no_wrap=True)
    table.add_column("", ratio=1)
    for each in found:
        table.add_row(
            Text(str(each.node.component), style="cyan"),
            f"{each.attribution:.3f}",
            f"{each.share:.0%}",
            bar(each.attribution, most, _BAR),
        )
    return table


def _of_errors(report: AttributionReport) -> list[str]:
    said = [f"{each.dictionary.name}.error {each.attribution:.3f}" for each in report.errors]
    return [
        f"attributed to errors, which no feature accounts for: {', '.join(said)}",
        *(f"note: {note}" for note in report.notes),
    ]
