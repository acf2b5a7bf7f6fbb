"""A sweep as standalone SVG: a panel for each term and position, layers from bottom to top, MLPs beside the heads."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from circuitdsl.components import Head, Mlp, Node
from circuitdsl.measures.registry import measure_infos
from circuitdsl.outcome import SenderOutcome, SeriesOutcome, SweepReport
from circuitdsl.report.palette import IDLE
from circuitdsl.report.pictures.parts import CELL, FAINT, INK, Frame, canvas, rulers, write
from circuitdsl.report.words import estimate, number
from circuitdsl.report.xml import xml_text

_FALLS, _RISES = (33, 102, 172), (217, 95, 14)
_LEFT, _TOP, _HEAD, _FOOT, _BETWEEN = 70, 96, 66, 66, 40
_STEP = CELL + 2  # pixels from one square to the next


@dataclass(frozen=True)
class _Panel:
    """What is drawn of a term at one position; ``most`` is the size that has the full colour."""

    series: SeriesOutcome
    position: str
    senders: tuple[SenderOutcome, ...]
    most: float


def sweep_svg(report: SweepReport) -> str:
    """All panels, one under the other. A square's title says its figure; a dark edge, that it is beyond the floor."""
    geometry = report.circuit.geometry
    panels = tuple(panel for series in report.series for panel in _panels(series))
    mlps = any(isinstance(sender.node.component, Mlp) for panel in panels for sender in panel.senders)
    columns = geometry.n_heads + (1 if mlps else 0)
    each = _HEAD + geometry.n_layers * _STEP + _FOOT + _BETWEEN
    root = canvas(max(760, _LEFT + columns * _STEP + 40), _TOP + max(1, len(panels)) * each, "sweep")
    write(root, 24, 34, f"sweep of {report.circuit.task}", size=20, weight="600")
    metric = report.circuit.method.measured
    done = f"{metric} {estimate(report.performance.metric, measure_infos()[metric.measure].unit)} without any patch"
    write(root, 24, 58, f"{report.model}, {report.prompts} prompts, {done}", colour=FAINT)
    withheld = dict.fromkeys(series.withheld for series in report.series if series.withheld)
    for line, why in enumerate(withheld):
        write(root, 24, 78 + 16 * line, f"not given: {why}", size=11, colour=FAINT)
    for place, panel in enumerate(panels):
        frame = Frame(_LEFT, _TOP + place * each + _HEAD, geometry.n_layers, columns, _STEP - CELL)
        _draw(root, frame, panel, geometry.n_heads, mlps)
    return xml_text(root)


def _panels(series: SeriesOutcome) -> Iterator[_Panel]:
    """One a position, in alphabetical order, of what has a place in the grid."""
    drawn = [each for each in series.senders if isinstance(each.node.component, Head | Mlp)]
    most = max((abs(each.estimate.value or 0.0) for each in drawn), default=0.0)
    for position in sorted({str(each.node.position) for each in drawn}):
        yield _Panel(series, position, tuple(s for s in drawn if str(s.node.position) == position), most)


def _draw(root: ET.Element, frame: Frame, panel: _Panel, heads: int, mlps: bool) -> None:
    top = frame.top - _HEAD
    write(root, 24, top + 16, f"{panel.series.term}, senders at {panel.position}", weight="600")
    largest = number(panel.most, panel.series.unit)
    sign = "blue: it falls, orange: it rises; " if _signed(panel.senders) else ""
    write(root, 24, top + 34, f"{sign}full colour: {largest}; dark edge: beyond the floor", size=11, colour=FAINT)
    rulers(root, frame, heads, mlps)
    for sender in panel.senders:
        _square(root, frame, sender, panel, heads)


def _signed(senders: Sequence[SenderOutcome]) -> bool:
    return any((sender.estimate.value or 0.0) < 0 for sender in senders)


def _square(root: ET.Element, frame: Frame, sender: SenderOutcome, panel: _Panel, heads: int) -> None:
    layer, column = _place(sender.node, heads)
    x, y = frame.centre(layer, column)
    edge = {"stroke": INK, "stroke-width": "2"} if sender.finding == "beyond" else {"stroke": IDLE}
    fill = IDLE if sender.estimate.value is None else _colour(sender.estimate.value, panel.most)
    shape = {"x": f"{x - CELL / 2:g}", "y": f"{y - CELL / 2:g}", "width": f"{CELL}", "height": f"{CELL}"}
    square = ET.SubElement(root, "rect", shape | edge | {"rx": "3", "fill": fill})
    figure = estimate(sender.estimate, panel.series.unit)
    said = f"{sender.node}: {figure}" if sender.estimate.value is not None else f"{sender.node}: {sender.note}"
    ET.SubElement(square, "title").text = said


def _place(node: Node, heads: int) -> tuple[int, int]:
    component = node.component
    return component.layer, component.index if isinstance(component, Head) else heads


def _colour(value: float, most: float) -> str:
    """White at nothing; small figures stay visible."""
    share = min(abs(value) / most, 1.0) ** 0.6 if most else 0.0
    to = _FALLS if value < 0 else _RISES
    return "#" + "".join(f"{round(255 + (end - 255) * share):02x}" for end in to)
