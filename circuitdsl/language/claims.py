"""``expect`` -> claims: which measurement of what (``arguments``), compared with what (``bounds``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard, assert_never

from circuitdsl.components import END, Position
from circuitdsl.language import tree as t
from circuitdsl.language.arguments import Arguments
from circuitdsl.language.bounds import directed, resolve_bound
from circuitdsl.language.circuit import (
    AGAINST,
    READ_AT,
    Against,
    Argument,
    Bound,
    Claim,
    ClaimKind,
    Control,
    Nodes,
    ReadAt,
    Role,
    Term,
    Variable,
)
from circuitdsl.language.diagnostics import suggestion
from circuitdsl.language.environment import MeasureInfo, ParameterKind, Place
from circuitdsl.language.format import argument_text, claim_text, subject_text
from circuitdsl.language.methods import counterfactual
from circuitdsl.language.scope import Scope
from circuitdsl.language.source import Span

_EXAMPLES: Mapping[ParameterKind, str] = {
    "heads": "{role}",
    "path": "{role} -> logits",
    "position": "END",
    "attends": "END -> S2",
    "token": "answer",
    "reads": "END -> answer",
    "count": "10",
    "variable": "S_position",
    "elements": "heads",
    "circuits": "{left}, {right}",
    "direction": "{left} -> {right}",
}
_OTHERWISE: Mapping[str, str] = {
    "rank": "a mean of ranks is that of the few prompts with the largest: write `reciprocal_rank`, or `hit(10)`, the "
    "share of prompts of rank 10 or less (the median is at most 10 where it is at least 50%)",
}
"""Measurements that are not offered, and what to write instead."""
_ELSEWHERE = "random heads take the place of those that an `intervention` acts on: move the claim into one"


@dataclass(frozen=True)
class Draft:
    """A claim before it has its identifier: ``subject`` says what it is about, with its kind, as ``member 9.6 at END``
    or ``expect accuracy``; ``label`` is what the author calls the statement, "" for nothing."""

    line: int
    text: str
    subject: str
    kind: ClaimKind
    term: Term
    bound: Bound | Control
    role: str = ""
    label: str = ""


def identified(prefix: str, drafts: Sequence[Draft]) -> tuple[Claim, ...]:
    """The drafts as claims, with unique identifiers that no line number and no bound is part of.

    ``prefix:label`` for a statement with a label, ``prefix:label:subject`` where it makes several claims, and
    ``prefix:subject`` for all others. A label is one word and a subject several, so that they never meet. Claims that
    are alike in this differ in their bounds: from the second on, in the order of their texts, they have a number.
    """
    labelled = Counter(draft.label for draft in drafts)
    names = [_named(draft, labelled[draft.label] > 1) for draft in drafts]
    alike: Counter[str] = Counter()
    identifiers: dict[int, str] = {}
    for index in sorted(range(len(drafts)), key=lambda index: drafts[index].text):
        name = names[index]
        alike[name] += 1
        identifiers[index] = f"{prefix}:{name}" if alike[name] == 1 else f"{prefix}:{name}:{alike[name]}"
    return tuple(
        Claim(identifiers[index], draft.line, draft.text, draft.kind, draft.term, draft.bound, draft.role)
        for index, draft in enumerate(drafts)
    )


def _named(draft: Draft, shared: bool) -> str:
    """What a claim is called within its block; ``shared`` if its label is that of several claims."""
    if not draft.label:
        return draft.subject
    return f"{draft.label}:{draft.subject}" if shared else draft.label


def label_text(statement: t.StatedClaim) -> str:
    return statement.label.text if statement.label else ""


# --- expect ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """Resolves the ``expect`` statements of one block.

    ``pair`` names the two circuits of a comparison, ``sides`` holds their roles; both are empty elsewhere.
    """

    scope: Scope
    place: Place
    pair: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...] | None, ...] = ()

    def expect(self, written: t.Expect, role: Role | None = None) -> Draft | None:
        """The claim, or None after saying what is wrong. In the body of ``role``, heads may be left out."""
        measure = self._measure(written)
        if measure is None:
            return None
        full = _with_role(written, measure, role, self.scope) if role else written
        read = self._read_at(measure, [each for each in full.arguments if isinstance(each, t.ReadAt)])
        patched = [each for each in full.arguments if _says_against(each, measure)]
        against = self._against(patched)
        rest = [each for each in full.arguments if not isinstance(each, t.ReadAt) and each not in patched]
        options, arguments = self._options(measure, rest)
        bound = self._judgement(measure, written, options or ())
        reader = self if not read else replace(self, scope=replace(self.scope, read=Position(read)))
        bindings = None if options is None else reader._bind(measure, arguments, _span_of(written))
        if bindings is None or bound is None or options is None or read is None or against is None:
            return None
        reader._changes_what_is_read(measure, bindings, _span_of(written))
        placed: tuple[tuple[str, Argument], ...] = ((READ_AT, ReadAt(read)),) if read else ()
        term = Term(measure.name, (*bindings, *placed, *against), options, written.minus_baseline)
        name = role.name if role else ""
        texts = claim_text(full), subject_text(full)
        return Draft(written.span.line, *texts, "expect", term, bound, name, label_text(written))

    def _measure(self, written: t.Expect) -> MeasureInfo | None:
        name, known = written.measure.text, self.scope.environment.measures
        if name not in known:
            here = [info.name for info in known.values() if self.place in info.places]
            remedy = _OTHERWISE.get(name) or suggestion(name, here, "measurement")
            self.scope.report("C205", f"there is no measurement `{name}`", written.measure.span, remedy)
            return None
        measure = known[name]
        if self.place not in measure.places:
            where = " or ".join(f"`{place}`" for place in measure.places)
            message = f"`{name}` cannot be measured in a `{self.place}`"
            self.scope.report("C514", message, written.measure.span, f"it belongs in {where}")
            return None
        if written.minus_baseline and self.place != "intervention":
            message = "there is no baseline here: only an intervention has one"
            remedy = "leave `- baseline` out, or move the claim into an `intervention`"
            self.scope.report("C513", message, written.span, remedy)
            return None
        if written.minus_baseline and measure.from_clean:
            message = f"`{name}` is what the intervention changes already: its baseline is zero"
            self.scope.report("C513", message, written.span, "leave `- baseline` out")
            return None
        return measure

    # --- arguments ---------------------------------------------------------------------------------

    def _read_at(self, measure: MeasureInfo, written: Sequence[t.ReadAt]) -> str | None:
        """The position after which the claim reads the output; "" for none, None after saying what is wrong."""
        if not written:
            return ""
        first, *more = written
        if not measure.placed or self.place == "compare":
            message, remedy = f"where the output is read makes no difference to `{measure.name}`", ""
            if self.place == "compare":
                message = "a comparison reads the output where its circuits do"
                remedy = f", and write it in their methods: `metric logit_diff({first.text})`"
            self.scope.report("C504", message, first.span, f"leave `{first.text}` out{remedy}")
            return None
        if more:
            self.scope.report("C516", "the output is read in one place", more[0].span, "leave one out")
            return None
        return self.scope.read_at(first.place)

    def _against(self, written: Sequence[t.Words]) -> tuple[tuple[str, Argument], ...] | None:
        """The counterfactual that an effect is patched from, if it says one; None after saying what is wrong."""
        if not written:
            return ()
        first, *more = written
        if more:
            self.scope.report("C516", "an effect is patched from one counterfactual", more[0].span, "leave one out")
            return None
        return patched_from(self.scope, t.Name(" ".join(first.words[1:]), span=first.span))

    def _changes_what_is_read(self, measure: MeasureInfo, bindings: Sequence[tuple[str, Argument]], span: Span) -> None:
        """Warn of nodes that come after what the measurement reads: the metric, or the answer of a variable."""
        arguments = [argument for _, argument in bindings]
        answers = [Position(each.at) if each.at else END for each in arguments if isinstance(each, Variable)]
        reads = answers or ([self.scope.read] if measure.of_metric else [])
        for nodes in (each for each in arguments if isinstance(each, Nodes)):
            for read in reads:
                self.scope.reaches(nodes, read, span)

    def _options(
        self, measure: MeasureInfo, arguments: Sequence[t.Argument]
    ) -> tuple[tuple[str, ...] | None, list[t.Argument]]:
        """The options among the arguments, None if one is unknown or said twice; and the other arguments."""
        known = measure.options_in(self.place)
        options: list[str] | None = []
        rest: list[t.Argument] = []
        for argument in arguments:
            phrase = isinstance(argument, t.Words) and bool(known or measure.output) and len(argument.words) > 1
            if not isinstance(argument, t.Words) or (argument.text not in known and not phrase):
                rest.append(argument)
            elif argument.text not in known:
                self._unknown_option(measure, argument)
                options = None
            elif self.place == "intervention" and argument.text in measure.of_circuits:
                message = f"`{measure.name}` cannot be `{argument.text}` in an `intervention`"
                self.scope.report("C514", message, argument.span, "leave the option out, or claim it in the `circuit`")
                options = None
            elif options is not None and argument.text in options:
                self.scope.report(
                    "C516", f"the option `{argument.text}` is given twice", argument.span, "leave one out"
                )
                options = None
            elif options is not None and _exclude(measure, options, argument.text):
                names = " or ".join(f"`{name}`" for name in measure.alternatives)
                message = f"`{measure.name}` can be {names}, not both"
                self.scope.report("C516", message, argument.span, "leave one out, or claim each by itself")
                options = None
            elif options is not None:
                options.append(argument.text)
        return (None if options is None else tuple(options)), rest

    def _unknown_option(self, measure: MeasureInfo, argument: t.Words) -> None:
        message = f"`{measure.name}` has no option `{argument.text}`"
        remedy = suggestion(argument.text, measure.options_in(self.place), "option")
        if argument.text in measure.options_in("intervention"):
            message, remedy = f"{message} in a `{self.place}`", _ELSEWHERE
        self.scope.report("C504", message, argument.span, remedy)

    def _bind(
        self, measure: MeasureInfo, arguments: Sequence[t.Argument], span: Span
    ) -> tuple[tuple[str, Argument], ...] | None:
        """Parameter names with their values, in order; None after saying what is wrong."""
        sizes = [2 if parameter.kind == "circuits" else 1 for parameter in measure.parameters]
        least = sum(size for size, each in zip(sizes, measure.parameters, strict=True) if each.required)
        if not least <= len(arguments) <= sum(sizes):
            self._miscounted(measure, arguments, least, sum(sizes), span)
            return None
        reader = Arguments(self.scope, self.pair, self.sides)
        left = list(arguments)
        bound: list[tuple[str, Argument | None]] = []
        for parameter, size in zip(measure.parameters, sizes, strict=True):
            if len(left) >= size:
                taken, left = left[:size], left[size:]
                bound.append((parameter.name, reader.read(measure, parameter, taken)))
        if any(value is None for _, value in bound):
            return None
        return tuple((name, value) for name, value in bound if value is not None)

    def _miscounted(
        self, measure: MeasureInfo, arguments: Sequence[t.Argument], least: int, most: int, span: Span
    ) -> None:
        surplus = arguments[most:]
        if surplus and measure.options_in(self.place) and isinstance(surplus[0], t.Words):
            self._unknown_option(measure, surplus[0])
            return
        wanted = str(least) if least == most else f"{least} to {most}"
        if most == 0:
            message = f"`{measure.name}` takes no arguments"
        else:
            given = f"{len(arguments)} {'is' if len(arguments) == 1 else 'are'} given"
            message = f"`{measure.name}` takes {wanted} argument{'s' * (wanted != '1')}, and {given}"
        self.scope.report("C501", message, surplus[0].span if surplus else span, f"write {self._example(measure)}")

    def _example(self, measure: MeasureInfo) -> str:
        """The measurement as it could be written here."""
        role = next(iter(self.scope.roles), "name_mover")
        left, right = self.pair or ("ioi", "colored_objects")
        names = {"{role}": role, "{left}": left, "{right}": right}
        shown = ", ".join(_EXAMPLES[parameter.kind] for parameter in measure.parameters)
        for name, text in names.items():
            shown = shown.replace(name, text)
        return f"for instance `{measure.name}({shown})`" if shown else f"`{measure.name}`"

    # --- judgement ---------------------------------------------------------------------------------

    def _judgement(self, measure: MeasureInfo, written: t.Expect, options: Sequence[str]) -> Bound | Control | None:
        judgement = written.judgement
        name = f"{measure.name} - baseline" if written.minus_baseline else measure.name
        match judgement:
            case t.Against():
                return self._control(measure, judgement, options)
            case t.Direction():
                along_path = any(parameter.kind == "path" for parameter in measure.parameters)
                if along_path and measure.unit == "share" and not written.minus_baseline:
                    return directed(judgement, self.scope.floor)
                message = f"`{judgement.word}` is said of the effect along a path, and `{name}` is none"
                remedy = "write a bound: `>=`, `<=`, `>`, `<` or `in a .. b`"
                self.scope.report("C508", message, judgement.span, remedy)
                return None
            case t.AtLeast() | t.Between() | t.Outside():
                low, high = measure.limits
                limits = (low - high, high - low) if written.minus_baseline else (low, high)
                return resolve_bound(self.scope, judgement, name, measure.unit, limits)
            case _:
                assert_never(judgement)

    def _control(self, measure: MeasureInfo, judgement: t.Against, options: Sequence[str]) -> Control | None:
        name, known = judgement.control.text, measure.controls_in(self.place)
        if name not in known:
            message = f"`{measure.name}` cannot be compared with `{name}`"
            remedy = suggestion(name, known, "control") if known else "compare it with a number"
            if name in measure.controls_in("intervention"):
                message, remedy = f"{message} in a `{self.place}`", _ELSEWHERE
            self.scope.report("C505", message, judgement.control.span, remedy)
            return None
        if name in options:
            message = f"`{measure.name}({name})` is a figure of the control itself"
            remedy = f"compare it with a number, or leave `{name}` out of the measurement"
            self.scope.report("C505", message, judgement.control.span, remedy)
            return None
        if judgement.op == "<" and name in measure.exceeded:
            message = f"that `{measure.name}` is no more than {name} cannot be shown: to find nothing proves nothing"
            remedy = f"write `> {name}`, or how much there may be: `{measure.name} <= 0.3`"
            self.scope.report("C505", message, judgement.span, remedy)
            return None
        if judgement.op == ">" or judgement.op == "<":
            return Control(name, judgement.op)
        message = f"a control is exceeded or not: `{judgement.op}` is a bound's"
        self.scope.report("C505", message, judgement.span, f"write `{judgement.op[0]} {name}`")
        return None


def _exclude(measure: MeasureInfo, given: Sequence[str], option: str) -> bool:
    """Whether an option cannot be had beside those that are given."""
    return option in measure.alternatives and any(name in measure.alternatives for name in given)


def patched_from(scope: Scope, name: t.Name | None) -> tuple[tuple[str, Argument], ...] | None:
    """The counterfactual that an effect is patched from as an argument of its term, of none if it names none; None
    after saying that the task does not have it."""
    if name is None:
        return ()
    known = counterfactual(name, scope.task, scope.collector)
    return None if known is None else ((AGAINST, Against(known)),)


def _says_against(argument: t.Argument, measure: MeasureInfo) -> TypeGuard[t.Words]:
    """Whether an argument says which counterfactual an effect is patched from."""
    is_path = any(parameter.kind == "path" for parameter in measure.parameters)
    return is_path and isinstance(argument, t.Words) and len(argument.words) > 1 and argument.words[0] == AGAINST


def _span_of(written: t.Expect) -> Span:
    """The measurement with its arguments."""
    return written.measure.span.to(written.arguments[-1].span if written.arguments else written.measure.span)


def _with_role(written: t.Expect, measure: MeasureInfo, role: Role, scope: Scope) -> t.Expect:
    """``expect`` in a role's body, with the role as the heads that it leaves out."""
    if not measure.parameters or measure.parameters[0].kind != "heads":
        return written
    known = {option for option, _ in measure.options}
    own = (argument for argument in written.arguments if not isinstance(argument, t.ReadAt))
    given = [argument for argument in own if argument_text(argument) not in known]
    first = given[0] if given else None
    names_heads = isinstance(first, t.Group) or (isinstance(first, t.Words) and first.text in scope.roles)
    if names_heads or len(given) >= len(measure.parameters):
        return written
    named = t.Words((role.name,), span=written.measure.span)
    return replace(written, arguments=(named, *written.arguments))
