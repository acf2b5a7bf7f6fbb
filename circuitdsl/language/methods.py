"""``method { ... }`` -> Method: each setting checked by itself, the rest by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from circuitdsl.language import tree as t
from circuitdsl.language.circuit import Method
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.environment import TaskInfo

ABLATIONS = ("zero", "mean", "mean by template", "resample")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "metric": ("logit_diff", "probability", "probability_diff", "accuracy"),
    "ablate": ABLATIONS,
    "positions": ("role", "all"),
    "processing": ("none", "fold"),
    "bos": ("yes", "no"),
}
MOST_PROMPTS = 1_000_000
MOST_SEED = 2**31 - 1


def resolve_method(blocks: Sequence[t.Method], task: TaskInfo | None, collector: Collector) -> Method:
    """The method that a circuit's ``method`` block states. What is wrong is reported, and left at its default."""
    settings = _Settings(task, collector)
    for block in blocks[:1]:
        for setting in block.settings:
            settings.read(setting)
    against = (task.default_counterfactual or "") if task else ""
    return Method(**{"against": against, **settings.values, "vary": tuple(settings.vary)})


class _Settings:
    """The settings read so far."""

    def __init__(self, task: TaskInfo | None, collector: Collector):
        self.task = task
        self.collector = collector
        self.values: dict[str, Any] = {}
        self.vary: list[tuple[str, str]] = []
        self._first: dict[str, t.Name] = {}

    def read(self, setting: t.Setting | t.Vary) -> None:
        name = setting.name.text
        if isinstance(setting, t.Vary):
            for value in setting.values:
                self._vary(name, value)
            return
        if name in self._first:
            note = f"the first is at {self._first[name].span}"
            self.collector.add("C208", f"`{name}` is set twice", setting.name.span, "leave one out", note)
            return
        self._first[name] = setting.name
        _READERS[name](self, setting)

    def _vary(self, name: str, value: t.Words) -> None:
        word = self.choice(name, value)
        if (name, word) in self.vary:
            message = f"`{name}` is varied to `{word}` twice"
            self.collector.add("C516", message, value.span, "leave one out")
        elif word is not None:
            self.vary.append((name, word))

    def choice(self, name: str, value: t.Words) -> str | None:
        """The value of a setting that is chosen among words, or None after saying what they are."""
        if name == "against":
            return counterfactual(t.Name(value.text, span=value.span), self.task, self.collector)
        if value.text in CHOICES[name]:
            return value.text
        remedy = suggestion(value.text, CHOICES[name], "value")
        self.collector.add("C213", f"`{name}` cannot be `{value.text}`", value.span, remedy)
        return None

    def wrong(self, value: t.Number, remedy: str) -> None:
        self.collector.add("C213", f"`{value.text}` is not possible here", value.span, remedy)


def counterfactual(name: t.Name, task: TaskInfo | None, collector: Collector) -> str | None:
    """A counterfactual of the task, or None after saying which it has."""
    if task is None:
        return name.text
    known = [known for known, _ in task.counterfactuals]
    if name.text in known:
        return name.text
    message = f"task {task.name} has no counterfactual `{name.text}`"
    collector.add("C214", message, name.span, suggestion(name.text, known, "counterfactual"))
    return None


def _read_choice(settings: _Settings, setting: t.Setting) -> None:
    (value,) = setting.values
    assert isinstance(value, t.Words)
    word = settings.choice(setting.name.text, value)
    if word is not None:
        settings.values[setting.name.text] = word == "yes" if setting.name.text == "bos" else word


def _read_prompts(settings: _Settings, setting: t.Setting) -> None:
    remedy = f"whole numbers, the first and the most, up to {MOST_PROMPTS}: `prompts 200 to 2000`"
    numbers = [_whole(settings, value, 1, MOST_PROMPTS, remedy) for value in setting.values]
    if None in numbers:
        return
    first, most = numbers[0], numbers[-1]
    assert first is not None and most is not None
    if most < first:
        assert isinstance(setting.values[-1], t.Number)
        settings.wrong(setting.values[-1], "the most cannot be fewer than the first")
        return
    settings.values.update(prompts_first=first, prompts_most=most)


def _read_seed(settings: _Settings, setting: t.Setting) -> None:
    seed = _whole(settings, setting.values[0], 0, MOST_SEED, f"a seed is a whole number up to {MOST_SEED}: `seed 0`")
    if seed is not None:
        settings.values["seed"] = seed


def _whole(settings: _Settings, value: t.Words | t.Number, least: int, most: int, remedy: str) -> int | None:
    assert isinstance(value, t.Number)
    if value.percent or not least <= value.value <= most or value.value != int(value.value):
        settings.wrong(value, remedy)
        return None
    return int(value.value)


def _read_share(least: float, remedy: str) -> Callable[[_Settings, t.Setting], None]:
    def read(settings: _Settings, setting: t.Setting) -> None:
        (value,) = setting.values
        assert isinstance(value, t.Number)
        if not value.percent or not least < value.value < 1:
            settings.wrong(value, remedy)
            return
        settings.values[setting.name.text] = value.value

    return read


_READERS: Mapping[str, Callable[[_Settings, t.Setting], None]] = {
    **dict.fromkeys((*CHOICES, "against"), _read_choice),
    "prompts": _read_prompts,
    "seed": _read_seed,
    "floor": _read_share(0.0, "the floor is a share of F(M) above 0% and below 100%: `floor 1%`"),
    "confidence": _read_share(0.5, "the confidence is a share above 50% and below 100%: `confidence 95%`"),
}
