"""What claims need of the prompts of a task, and a task does not give: found before a model runs, and warned of.

A claim that needs it cannot be measured; the others of its circuit can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from circuitdsl.components import END
from circuitdsl.language.circuit import Control, Method, Path, Term
from circuitdsl.language.claims import Draft
from circuitdsl.language.diagnostics import Collector
from circuitdsl.language.environment import CHANCE, AnswersInfo, Environment, TaskInfo
from circuitdsl.language.source import Span
from circuitdsl.language.statements import Placed

_DIFFERENCES = ("logit_diff", "probability_diff")
"""Measurements that take the wrong answers away from the right one."""

_COUNTERFACTUAL = 'the lines of a file give theirs as `"counterfactuals": {"other": "..."}`'
_OPTIONS = 'the lines of a file give the answers to choose from as `"options": [" Mary", " John"]`, or wrong answers'
_WRONG = 'the lines of a file give theirs as `"wrong": [" John"]`; `probability` and `accuracy` need none'


@dataclass(frozen=True)
class Needs:
    """What of a block's claims cannot be measured on the prompts of its task. ``span`` stands for all of them."""

    environment: Environment
    task: TaskInfo
    method: Method
    span: Span

    @cached_property
    def at(self) -> str:
        """Where the metric is read: told once, for a circuit may claim thousands of edges."""
        return self.method.at

    def report(self, claims: Sequence[Placed], collector: Collector) -> None:
        """Warn of every claim that needs what the task does not give, and of what all of them need together."""
        self.report_each(claims, collector)
        terms = [placed.claim.term for placed in claims]
        for message, remedy in self._of_all(terms):
            collector.add("C494", message, self.span, remedy)

    def report_each(self, claims: Sequence[Placed], collector: Collector) -> None:
        """Warn of every claim that needs what the task does not give."""
        for placed in claims:
            for message, remedy in self._of_claim(placed.claim):
                collector.add("C494", message, placed.span, remedy)

    def _of_claim(self, claim: Draft) -> Iterator[tuple[str, str]]:
        name, term = self.task.name, claim.term
        if not self.task.counterfactuals and any(isinstance(argument, Path) for _, argument in term.arguments):
            yield f"{name} has no counterfactual, from which an effect takes its activations", _COUNTERFACTUAL
        answers = self.task.answers_at(term.at or self.at)
        if answers and not answers.wrong and term.measure in _DIFFERENCES:
            yield f"{name} gives no wrong answers{_there(answers)}, from which `{term.measure}` is a difference", _WRONG
        by_choice = "among options" in term.options or (isinstance(claim.bound, Control) and claim.bound.name == CHANCE)
        if by_choice and answers and not answers.choice:
            yield (
                f"{name} allows no answers but right ones{_there(answers)}, so that every choice among them is right",
                _OPTIONS,
            )

    def _of_all(self, terms: Sequence[Term]) -> Iterator[tuple[str, str]]:
        """What the method does for all claims that change the model."""
        changing = [term for term in terms if self._changes(term)]
        ablating = [term for term in changing if not any(isinstance(argument, Path) for _, argument in term.arguments)]
        if self.method.measured.measure in _DIFFERENCES:
            for answers in self._without_wrong(changing):
                metric = f"the metric `{self.method.metric}` is a difference, so that no effect of a change is known"
                message = f"{self.task.name} gives no wrong answers{_there(answers)}, from which {metric}"
                yield message, f"{_WRONG}: `method {{ metric probability }}`"
        if ablating and not self.task.counterfactuals and self.method.ablate in ("resample", "counterfactual"):
            message = (
                f"{self.task.name} has no counterfactual, from which `ablate {self.method.ablate}` takes its values"
            )
            yield message, f"{_COUNTERFACTUAL}, or write `ablate mean`"
        if ablating and self.method.ablate == "mean by template" and 1 in self.task.lines:
            alone = sum(lines == 1 for lines in self.task.lines)
            message = (
                f"{alone} of the {len(self.task.lines)} templates of {self.task.name} have one prompt each, of which "
                "there is no mean by template"
            )
            yield message, "give each template several lines (`template`), or write `method { ablate mean }`"

    def _without_wrong(self, changing: Sequence[Term]) -> Iterator[AnswersInfo]:
        """The answers without wrong ones, each once, after which the metric is read for claims of changes."""
        # A measurement with an output of its own reads that, and not the metric.
        metric = [term for term in changing if self.environment.measures[term.measure].of_metric]
        for at in dict.fromkeys(term.at or self.at for term in metric):
            answers = self.task.answers_at(at)
            if answers and not answers.wrong:
                yield answers

    def _changes(self, term: Term) -> bool:
        """Whether it is measured by changing the model, as what it says or where its heads look is not."""
        info = self.environment.measures.get(term.measure)
        return info is not None and not info.output and not any(each.only_heads for each in info.parameters)


def _there(answers: AnswersInfo) -> str:
    """After which position, in messages; "" for END."""
    return "" if answers.position == END.name else f" after {answers.position}"
