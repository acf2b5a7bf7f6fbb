"""``dictionary a1 at attn_out 1 from "folder"`` -> Dictionary: read, and compared with the model and the place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import cast, get_args

from circuitdsl.components import Dictionary, Geometry, Point
from circuitdsl.components.base import outside
from circuitdsl.language import tree as t
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.environment import DictionaryInfo, Environment, UnknownName
from circuitdsl.language.scope import Dictionaries
from circuitdsl.language.statements import check_name, every

POINTS: tuple[str, ...] = get_args(Point)


def resolve_dictionaries(
    block: t.Circuit, file: str, environment: Environment, geometry: Geometry | None, collector: Collector
) -> Dictionaries:
    """Every dictionary that a circuit declares."""
    found: dict[str, Dictionary | None] = {}
    firsts: dict[object, t.Dictionary] = {}
    roles = {role.name.text: role.name for role in every(block.body, t.Role)}
    for written in every(block.body, t.Dictionary):
        name = written.name.text
        check_name(written.name, collector)
        if name in found:
            note = f"the first is at {firsts[name].name.span}"
            message = f"there already is a dictionary `{name}`"
            collector.add("C207", message, written.name.span, "rename one, or leave it out", note)
            continue
        if name in roles:
            message = f"`{name}` is a dictionary and a role"
            collector.add("C207", message, written.name.span, "rename one", f"the role is at {roles[name].span}")
        firsts[name] = written
        dictionary = found[name] = _Reader(written, geometry, collector).read(environment, file)
        if dictionary in firsts:
            first = firsts[dictionary]
            message = f"`{name}` is the dictionary `{first.name.text}`, at the same point"
            collector.add("C207", message, written.span, "leave one out", f"the first is at {first.span}")
        if dictionary is not None:
            firsts.setdefault(dictionary, written)
    return found


@dataclass(frozen=True)
class _Reader:
    """One statement."""

    written: t.Dictionary
    geometry: Geometry | None
    collector: Collector

    def read(self, environment: Environment, file: str) -> Dictionary | None:
        fits = self._is_place()
        try:
            info = environment.dictionary(self.written.folder.value, str(PurePath(file).parent))
        except UnknownName as error:
            self.collector.add("C220", error.message, self.written.folder.span, error.remedy, *error.notes)
            return None
        if not fits or not self._is_as_wide(info) or not self._is_trained_here(info):
            return None
        point = cast(Point, self.written.point.text)
        name, layer = self.written.name.text, self.written.layer
        return Dictionary(point, layer, info.n_features, info.fingerprint, info.transcoder, name, info.folder)

    def _is_place(self) -> bool:
        point, layer, geometry = self.written.point, self.written.layer, self.geometry
        if point.text not in POINTS:
            message = f"a dictionary cannot stand at `{point.text}`"
            self.collector.add("C222", message, point.span, suggestion(point.text, POINTS, "point"))
            return False
        if geometry is None:
            return True
        if point.text == "mlp_out" and geometry.d_mlp == 0:
            message = f"{geometry.model} has no MLPs: it is attention only"
            self.collector.add("C303", message, self.written.span, "no dictionary can stand at mlp_out there")
            return False
        if layer >= geometry.n_layers:
            absent = outside(geometry, f"layer {layer}", "C301")
            self.collector.add(absent.code, absent.message, self.written.span, absent.remedy)
            return False
        return True

    def _is_as_wide(self, info: DictionaryInfo) -> bool:
        geometry = self.geometry
        if geometry is None or info.width == geometry.d_model:
            return True
        message = f"{self.written.folder.value} reads {info.width} numbers a token, and {geometry.model} has "
        remedy = "it is a dictionary of another model"
        self.collector.add("C307", f"{message}{geometry.d_model}", self.written.folder.span, remedy)
        return False

    def _is_trained_here(self, info: DictionaryInfo) -> bool:
        point, layer = self.written.point, self.written.layer
        if info.transcoder and point.text != "mlp_out":
            message = f"{self.written.folder.value} is a transcoder, which writes what an MLP writes"
            self.collector.add("C307", message, point.span, f"write `at mlp_out {layer}`")
            return False
        expected = _TRANSCODED if info.transcoder else (_POINTS[point.text],) * 2
        for recorded, known in zip(info.trained_at, expected, strict=True):
            if recorded and recorded not in (name.format(layer, layer - 1) for name in known):
                message = f"{self.written.folder.value} records that it was trained at {recorded}"
                self.collector.add("C307", message, self.written.point.span, _place_of(recorded, info))
                return False
        return True


_ATTENTION = ("blocks.{0}.hook_attn_out", "blocks.{0}.attn.hook_out")
_MLP = ("blocks.{0}.hook_mlp_out", "blocks.{0}.mlp.hook_out")
_STREAM = ("blocks.{0}.hook_resid_pre", "blocks.{1}.hook_resid_post")
_POINTS = {"attn_out": _ATTENTION, "mlp_out": _MLP, "resid_pre": _STREAM}
_TRANSCODED = (("blocks.{0}.ln2.hook_normalized", "blocks.{0}.mlp.hook_in"), _MLP)
"""The names of hook points at which dictionaries of each place are trained; {0} is the layer, {1} the one before."""


def _place_of(recorded: str, info: DictionaryInfo) -> str:
    """What to write for a dictionary that was trained at this hook point."""
    parts = recorded.split(".")
    layer = int(parts[1]) if len(parts) > 2 and parts[1].isdecimal() and len(parts[1]) < 6 else None
    if layer is not None:
        if info.transcoder:
            return f"write `at mlp_out {layer}`, if it writes what that MLP does"
        for point, names in _POINTS.items():
            if recorded == names[0].format(layer):
                return f"write `at {point} {layer}`"
        if recorded == _STREAM[1].format("", layer):
            return f"write `at resid_pre {layer + 1}`"
    return (
        f"dictionaries stand at {', '.join(POINTS)}; where it is one of these by another name, take it out of cfg.json"
    )
