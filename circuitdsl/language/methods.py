"""``method { ... }`` -> Method: each setting checked by itself, the rest by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from circuitdsl.actions import ABLATIONS
from circuitdsl.components import END
from circuitdsl.language import tree as t
from circuitdsl.language.circuit import METRICS, Errors, Members, Method, Positions, Processing
from circuitdsl.language.diagnostics import Collector, suggestion
from circuitdsl.language.environment import TaskInfo


@dataclass(frozen=True)
class SettingInfo:
    """A setting of a ``method`` block, explained; ``values`` are the words to choose among, () if it takes others."""

    name: str
    about: str
    values: tuple[str, ...] = ()


SETTINGS = (
    SettingInfo(
        "metric",
        "What F measures: `logit_diff` (the default), `logit_diff(against max)`, `probability`, `probability_diff`, "
        "`reciprocal_rank`, `accuracy` or `hit(10)`, with any number. Effects, knockouts and faithfulness are changes "
        "of it. `logit_diff(at A2)` reads it after another position than END for which the task gives answers; single "
        "claims may say otherwise: `knockout(carry, at A1)`.",
        METRICS,
    ),
    SettingInfo("against", "The task's counterfactual that patches take activations from; the task names a default."),
    SettingInfo(
        "ablate",
        "What a knocked-out head writes instead: `zero`, the `mean` over counterfactual prompts, the "
        "`mean by template` (the default), a `resample`d prompt's own output, or that on the prompt's own "
        "`counterfactual`. Where a task has no counterfactual, means are over its own prompts.",
        ABLATIONS,
    ),
    SettingInfo(
        "reference",
        "How many prompts a mean is taken over, 20 if not set: of each template for `mean by template`, of the whole "
        "stream for `mean`; a `resample`d output is one of as many. They are drawn apart from the prompts that are "
        "measured, and do not depend on `prompts`.",
    ),
    SettingInfo(
        "prompts",
        "`prompts 200 to 2000` starts with 200 prompts and draws more for each claim while it is undecided, up to "
        "2000; the confidence is that of all looks together. `prompts all` runs every prompt of a task that can list "
        "them, such as a file: figures are then exact and have no interval.",
    ),
    SettingInfo(
        "positions",
        "`role` (the default): heads are patched and kept at their role's position only; `all`: at every position.",
        get_args(Positions),
    ),
    SettingInfo(
        "floor",
        "Effects smaller than this share of F(M) count as none; 1% if not set. A listed head and an edge "
        "must exceed it, a `no edge` must stay under it.",
    ),
    SettingInfo(
        "confidence",
        "The confidence of every interval, 95% if not set. A claim holds only if the whole interval "
        "satisfies its bound.",
    ),
    SettingInfo(
        "seed",
        "The seed of the prompts and of every random draw, 0 if not set: the same seed gives the same report.",
    ),
    SettingInfo(
        "bos",
        "Whether prompts begin with the tokenizer's BOS token: `yes` or `no` (the default). Under `yes` that token is "
        "the position BOS, and a text that begins with it gets no second one.",
        ("yes", "no"),
    ),
    SettingInfo(
        "processing",
        "`none` (the default) takes the weights as they are; `fold` folds the norms into the next "
        "weights and centres what writes to the residual stream, as many papers did.",
        get_args(Processing),
    ),
    SettingInfo(
        "members",
        "What listing a head claims: `minimality` (the default), that it adds at least the floor to the circuit where "
        "it adds most; `knockout`, that the model's metric changes by more than the floor without it; or `none`, that "
        "roles are names and nothing else. A report has both figures of every listed head.",
        get_args(Members),
    ),
    SettingInfo(
        "errors",
        "What a kept circuit that lists features does with the error of their dictionaries where it lists `a1.error` "
        "nowhere: `ablated` (the default), it is replaced as all else outside is; or `kept`, it stays what it is in "
        "the run at hand, so that what no feature accounts for helps the circuit.",
        get_args(Errors),
    ),
    SettingInfo(
        "vary",
        "`vary ablate: zero, resample` judges every claim again with each of these values; faithfulness "
        "moves far with the method (Miller et al. 2024).",
    ),
)
"""All settings of a method. Their defaults stand in ``language.circuit.Method``."""

CHOICES: Mapping[str, tuple[str, ...]] = {setting.name: setting.values for setting in SETTINGS if setting.values}
"""The values of each setting that is chosen among words of the language."""

NO_METRICS: Mapping[str, tuple[str, str]] = {
    "log_prob": (
        "a logarithm of a probability is never above zero, so that no share of it means anything",
        "write `metric probability`, or claim `expect log_prob >= -2` beside another metric",
    ),
    "kl": (
        "the divergence of the model from itself is zero, and there is no share of zero",
        "claim `expect kl <= 0.5` beside another metric",
    ),
    "rank": (
        "a mean of ranks is that of the few prompts with the largest",
        "write `metric reciprocal_rank` or `metric hit(10)`",
    ),
}
"""What others measure and no method can, why, and what to write instead."""

MOST_COUNT = 1_000_000
"""The largest number that a measurement may count to."""

MOST_PROMPTS = 1_000_000
MOST_LISTED = 100_000
"""As many prompts are run at most where all of a task are."""

MOST_REFERENCE = 10_000
MOST_SEED = 2**31 - 1


def resolve_method(blocks: Sequence[t.Method], task: TaskInfo | None, collector: Collector) -> Method:
    """The method that a circuit's ``method`` block states. What is wrong is reported, and left at its default."""
    settings = _Settings(task, collector)
    for block in blocks[:1]:
        for setting in block.settings:
            settings.read(setting)
    settings.finish()
    against = (task.default_counterfactual or "") if task else ""
    values: dict[str, Any] = {"against": against, **settings.values, "vary": tuple(settings.vary)}
    return Method(**values)


class _Settings:
    """The settings read so far."""

    def __init__(self, task: TaskInfo | None, collector: Collector):
        self.task = task
        self.collector = collector
        self.values: dict[str, Any] = {}
        self.vary: list[tuple[str, str]] = []
        self._first: dict[str, t.Name] = {}
        self._members: t.Words | t.Called | None = None

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

    def finish(self) -> None:
        """Say what only all settings together tell."""
        if self._members is not None and self.values.get("members") == "none":
            message = "by `members none` to list a head claims nothing, so that there is nothing to be judged again"
            self.collector.add("C213", message, self._members.span, "leave out `members none`, or this")

    def _vary(self, name: str, value: t.Words | t.Called) -> None:
        word = self.choice(name, value)
        if (name, word) == ("members", "none"):
            message = "`members none` is no claim, so that there is none to be judged again"
            self.collector.add("C213", message, value.span, "vary it between `minimality` and `knockout`")
        elif (name, word) in self.vary:
            message = f"`{name}` is varied to `{word}` twice"
            self.collector.add("C516", message, value.span, "leave one out")
        elif word is not None:
            self.vary.append((name, word))
            if name == "members":
                self._members = value

    def choice(self, name: str, value: t.Words | t.Called) -> str | None:
        """The value of a setting that is chosen among words, or None after saying what they are."""
        if name == "against":
            return counterfactual(t.Name(value.text, span=value.span), self.task, self.collector)
        if name == "metric" and isinstance(value, t.Called):
            return self._metric(value)
        if value.text in CHOICES[name]:
            return value.text
        return self._no_choice(name, value)

    def _metric(self, value: t.Called) -> str | None:
        """A metric with what stands in its parentheses, where it is read last; END need not be said."""
        places = [argument for argument in value.arguments if isinstance(argument, t.ReadAt)]
        bare = replace(value, arguments=tuple(each for each in value.arguments if not isinstance(each, t.ReadAt)))
        if bare.text not in CHOICES["metric"] and not _is_hit(bare):
            return self._no_choice("metric", bare)
        if len(places) > 1:
            self.collector.add("C516", "a metric is read in one place", places[1].span, "leave one out")
            return None
        if any(read_at(each.place, self.task, self.collector) is None for each in places):
            return None
        elsewhere = tuple(each for each in places if each.place.name != END.name)
        return replace(bare, arguments=(*bare.arguments, *elsewhere)).text

    def _no_choice(self, name: str, value: t.Words | t.Called) -> None:
        """Say what a setting can be; of the metrics that no method can have, why."""
        message, remedy = f"`{name}` cannot be `{value.text}`", suggestion(value.text, CHOICES[name], "value")
        if name == "metric" and value.text in NO_METRICS:
            why, remedy = NO_METRICS[value.text]
            message = f"{message}: {why}"
        self.collector.add("C213", message, value.span, remedy)

    def wrong(self, value: t.Number, remedy: str) -> None:
        self.collector.add("C213", f"`{value.text}` is not possible here", value.span, remedy)


def _is_hit(value: t.Called) -> bool:
    """Whether a metric is ``hit`` of a number."""
    numbers = [argument.value for argument in value.arguments if isinstance(argument, t.Number)]
    return value.measure.text == "hit" and len(numbers) == len(value.arguments) == 1 and 1 <= numbers[0] <= MOST_COUNT


def read_at(place: t.Place, task: TaskInfo | None, collector: Collector) -> str | None:
    """The position after which the output is read, or None after saying after which the task gives answers."""
    if place.offset:
        message = f"answers follow named positions, and `{place.name}{place.offset:+d}` counts from one"
        collector.add("C225", message, place.span, "write a name alone: `at A2`")
        return None
    if task is None or task.answers_at(place.name) is not None:
        return place.name
    known = [END.name, *(each.position for each in task.elsewhere)]
    message = f"the prompts of task {task.name} say no answer after `{place.name}`"
    collector.add("C225", message, place.span, suggestion(place.name, known, "position"))
    return None


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
    assert isinstance(value, t.Words | t.Called)
    word = settings.choice(setting.name.text, value)
    if word is not None:
        settings.values[setting.name.text] = word == "yes" if setting.name.text == "bos" else word


def _read_prompts(settings: _Settings, setting: t.Setting) -> None:
    if isinstance(setting.values[0], t.Words | t.Called):
        _read_all_prompts(settings, setting.values[0])
        return
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


def _read_all_prompts(settings: _Settings, value: t.Words | t.Called) -> None:
    task, add = settings.task, settings.collector.add
    remedy = "write `prompts 200 to 2000`: a sample decides within its interval"
    if value.text != "all":
        add("C213", f"`prompts` cannot be `{value.text}`", value.span, "write numbers, `prompts 200 to 2000`, or `all`")
    elif task is not None and not task.listed:
        message = f"`prompts all` lists every prompt, and {task.name} draws its own from more than can be listed"
        add("C218", message, value.span, f'{remedy}; of file("my.jsonl") all lines can be listed')
    elif task is not None and task.listed > MOST_LISTED:
        message = f"{task.name} has {task.listed:,} prompts, and `prompts all` runs {MOST_LISTED:,} at most"
        add("C218", message, value.span, remedy)
    elif task is not None:
        settings.values.update(prompts_first=task.listed, prompts_most=task.listed, prompts_all=True)


def _read_reference(settings: _Settings, setting: t.Setting) -> None:
    remedy = f"a mean is over 2 prompts or more, up to {MOST_REFERENCE}: `reference 20`"
    reference = _whole(settings, setting.values[0], 2, MOST_REFERENCE, remedy)
    if reference is not None:
        settings.values["reference"] = reference


def _read_seed(settings: _Settings, setting: t.Setting) -> None:
    seed = _whole(settings, setting.values[0], 0, MOST_SEED, f"a seed is a whole number up to {MOST_SEED}: `seed 0`")
    if seed is not None:
        settings.values["seed"] = seed


def _whole(settings: _Settings, value: t.Words | t.Called | t.Number, least: int, most: int, remedy: str) -> int | None:
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
    "reference": _read_reference,
    "seed": _read_seed,
    "floor": _read_share(0.0, "the floor is a share of F(M) above 0% and below 100%: `floor 1%`"),
    "confidence": _read_share(0.5, "the confidence is a share above 50% and below 100%: `confidence 95%`"),
}
