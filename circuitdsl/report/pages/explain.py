"""What a name means: the text of ``circuitdsl explain``, taken from the one place that defines it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from circuitdsl.components import END, Geometry
from circuitdsl.errors import InputError
from circuitdsl.language import methods
from circuitdsl.language.controls import CONTROLS, ControlInfo
from circuitdsl.language.diagnostics import codes, nearest
from circuitdsl.language.environment import RANDOM_HEADS, MeasureInfo, TaskInfo, TaskRef, VariableInfo, values_text
from circuitdsl.measures.registry import measure_infos
from circuitdsl.models import geometry_of, model_names
from circuitdsl.models.geometry import known_names
from circuitdsl.models.names import OTHER_NAMES, own_name
from circuitdsl.tasks import describe, task_names

SETTINGS: Mapping[str, str] = {setting.name: setting.about for setting in methods.SETTINGS}
"""The settings of a ``method`` block, by the names that the language gives them."""

OWN_PROMPTS = (
    "Prompts of your own, one JSON object a line: prompt, answer (one, or a list of right ones), wrong (one or a "
    "list), right (further right answers), options (a list), counterfactuals (texts by name, or "
    '{"text": ..., "predicts": {"VARIABLE": " answer"}} where one variable alone has another value), positions (by '
    'name: words of the prompt, "John#2" for the second John; half-open character spans; token indices), at (answers '
    'after other positions of a text that goes on, {"A2": {"answer": ..., "wrong": ...}}, for `logit_diff(at A2)`; a '
    'variable predicts one there by {"answer": ..., "at": "A2"}), template, and '
    "item (a string: prompts of one item, written in several templates, are not independent). An answer is a text "
    'of one token, {"first": "text"} for the first token of a text, or the number of a token. A counterfactual '
    "has as many tokens as its prompt, and END is always there. Names of positions and counterfactuals are no "
    'words of the language. file("my.jsonl", skip: yes) leaves out lines that cannot be used. The name of the '
    "file counts from the folder of the specification. `circuitdsl tasks new my.jsonl` writes a file to begin "
    "with; docs/tutorial.md has an example."
)

_PLACES = {"circuit": "circuit blocks", "compare": "compare blocks", "intervention": "intervention blocks"}
_OUTPUT_OPTIONS = (
    (RANDOM_HEADS, "in an intervention: the mean over random sets, the same done to other heads of the same layers"),
)
_PLACED = (("at POSITION", "the output is read after this position, for which the task gives answers, not after END"),)
_UNITS = {
    "share": "a share, written with a per cent sign",
    "logits": "logits",
    "nats": "nats",
    "metric": "the unit of the method's metric",
    "score": "a score without unit",
}


def explanation(name: str) -> str:
    """What a name means: a measurement, a control, a diagnostic's code, a setting of a method, a task or a model.

    Raises InputError, with the nearest name, for one that has no explanation.
    """
    measures, models = measure_infos(), dict.fromkeys(known_names(), "") | dict(model_names())
    if name in measures:
        return measure_text(measures[name])
    if name in CONTROLS:
        return control_text(CONTROLS[name])
    if name.upper() in codes():
        return plain_text(name.upper(), codes()[name.upper()])
    if name in SETTINGS:
        return plain_text(f"method setting {name}", SETTINGS[name])
    if name == "file":
        return plain_text('task file("my.jsonl")', OWN_PROMPTS)
    if name in task_names():
        return task_text(describe(TaskRef(name)))
    if (model := own_name(name)) in models:
        return model_text(model, models[model], geometry_of(model))
    near = nearest(name, [*measures, *CONTROLS, *codes(), *SETTINGS, *task_names(), *models, *OTHER_NAMES])
    remedy = "`circuitdsl explain` lists what has an explanation"
    raise InputError(f"nothing is called {name}", f"did you mean {near}? {remedy}" if near else remedy)


def overview() -> str:
    """Everything that has an explanation, by name."""
    return overview_text(measure_infos(), task_names(), (name for name, _ in model_names()))


def measure_text(info: MeasureInfo) -> str:
    """A measurement: how it is written, its definition, its source."""
    lines = [signature(info), "", _wrapped(info.about), "", f"unit     {_UNITS[info.unit]}", f"source   {info.source}"]
    if values := values_text(info.limits, info.unit):
        lines.insert(-1, f"values   {values}")
    lines.append(f"stands   in {' and '.join(_PLACES[place] for place in info.places)}")
    if info.controls:
        lines.append(f"controls {', '.join(_compared(control, info) for control in info.controls)}")
    if info.output:
        lines.append(f"controls > {RANDOM_HEADS}, < {RANDOM_HEADS}, in intervention blocks")
    if info.parameters:
        lines += ["", "parameters"]
        lines += [_entry(p.name, p.about + ("" if p.required else " (may be left out)")) for p in info.parameters]
    if options := (*info.options, *(_OUTPUT_OPTIONS if info.output else ()), *(_PLACED if info.placed else ())):
        lines += ["", "options"]
        lines += [
            _entry(option, about + (" (not in interventions)" if option in info.of_circuits else ""))
            for option, about in options
        ]
    return "\n".join(lines) + "\n"


def _compared(control: str, info: MeasureInfo) -> str:
    """A control as a claim compares with it."""
    return f"> {control}" if control in info.exceeded else f"> {control}, < {control}"


def control_text(info: ControlInfo) -> str:
    """A control: what it compares with, its null hypothesis, and the test."""
    lines = [info.name, "", _wrapped(info.about), ""]
    lines += [_entry("null", info.null), _entry("test", info.test), _entry("as in", info.claim)]
    return "\n".join([*lines, _entry("source", info.source)]) + "\n"


def signature(info: MeasureInfo) -> str:
    """``attention(heads, attends)``, as a call; parameters that may be left out stand in brackets."""
    inside = ", ".join(p.name if p.required else f"[{p.name}]" for p in info.parameters)
    return f"{info.name}({inside})" if inside else info.name


def task_text(info: TaskInfo) -> str:
    """A task: its positions and counterfactuals."""
    lines = [info.name, "", _wrapped(info.about), "", "positions"]
    lines += [_entry(p.name, p.about + (" (may be several tokens)" if p.many else "")) for p in info.positions]
    if info.counterfactuals:
        lines += ["", "counterfactuals"]
        lines += [
            _entry(name, about + (" (the default)" if name == info.default_counterfactual else ""))
            for name, about in info.counterfactuals
        ]
    if info.variables:
        lines += ["", "variables"]
        lines += [_entry(v.name, f"{v.about} (another value on {v.counterfactual}{_read(v)})") for v in info.variables]
    if info.elsewhere:
        lines += ["", "answers after other positions than END, as in `logit_diff(at ...)`"]
        lines += [_entry(each.position, each.about) for each in info.elsewhere]
    if info.listed:
        lines += [
            "",
            _wrapped(f"`prompts all` runs all of its prompts, up to {info.listed:,} by the model's vocabulary."),
        ]
    return "\n".join(lines) + "\n"


def _read(variable: VariableInfo) -> str:
    """Where the answer stands that a variable predicts, if not at END."""
    return "" if variable.at == END.name else f", answer after {variable.at}"


def model_text(name: str, about: str, geometry: Geometry) -> str:
    """A model: its geometry."""
    g = geometry
    heads = f"{g.n_heads} heads" + (f" over {g.n_kv_heads} key-value heads" if g.n_kv_heads != g.n_heads else "")
    mlp = f"MLPs of {g.d_mlp}" if g.d_mlp else "no MLPs"
    size = f"{g.n_layers} layers of {heads}, {mlp}, d_model {g.d_model}, {g.d_vocab:,} tokens, context {g.n_ctx:,}"
    return "\n".join([name, "", *([_wrapped(about)] if about else []), _wrapped(size)]) + "\n"


def plain_text(title: str, text: str) -> str:
    """Anything that is one paragraph: a diagnostic's code, a setting."""
    return f"{title}\n\n{_wrapped(text)}\n"


def overview_text(measures: Mapping[str, MeasureInfo], tasks: Iterable[str], models: Iterable[str]) -> str:
    """Everything that has an explanation, by name."""
    lines = ["measurements"]
    lines += [f"  {signature(info)}" for info in measures.values()]
    listed_by = (("controls", CONTROLS), ("settings of a method", SETTINGS), ("tasks", tasks), ("models", models))
    for title, names in listed_by:
        listed = textwrap.fill(
            ", ".join(names), 94, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        lines += ["", title, listed]
    lines += ["", "and the code of every diagnostic, as C201. `circuitdsl explain NAME` explains one."]
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 96, break_long_words=False, break_on_hyphens=False)


def _entry(name: str, about: str) -> str:
    return textwrap.fill(
        about,
        96,
        initial_indent=f"  {name:<14} ",
        subsequent_indent=" " * 17,
        break_long_words=False,
        break_on_hyphens=False,
    )
