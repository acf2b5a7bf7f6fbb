"""A plan for people: how much will be run, what it costs one by one and fast, and where the cost sits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from circuitdsl.engine.base import Memory
from circuitdsl.plan.plan import Line, Plan
from circuitdsl.report.text import Text
from circuitdsl.report.words import plural

_PURPOSES = {
    "performance": "the task",
    "claim": "claims",
    "variant": "claims, settings varied",
    "whole": "what it keeps",
    "head": "each of its heads",
    "unlisted": "each other head",
    "single prompts": "single prompts, shown",
    "sweep": "each sender alone",
    "together": "several as one",
    "arms": "in parts, and random heads",
}
_COSTLIEST = 5
_BAR = 10  # columns of the longest bar


def render_plan(plan: Plan, verbose: bool = False) -> RenderableType:
    """The totals; the cost by block and purpose, or, with ``verbose``, job by job; and the costliest claims."""
    problems = [Text(f"{' '.join(line.job.key)}: {line.note}", style="yellow") for line in plan.lines if _failed(line)]
    return Group(
        *_totals(plan),
        Text(),
        _by_block(plan, verbose),
        *([] if verbose else _costliest(plan.lines)),
        *([Text(), *problems] if problems else []),
        *([Text(), Text("; ".join(more), style="dim")] if (more := list(_more(plan))) else []),
    )


def _totals(plan: Plan) -> Iterator[RenderableType]:
    shared = plan.asked - plan.distinct
    yield Text(f"{plural(plan.distinct, 'experiment')} on {plural(plan.prompts, 'prompt')} at first", style="bold")
    yield Text(f"{plan.asked:,} asked for, {shared:,} of them shared, in {plural(plan.worlds, 'world')}", style="dim")
    table = _table()
    for justify in ("left", "left", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    less = f", {plan.plain.total / plan.fast.total:.1f} times less" if plan.fast.total else ""
    table.add_row("one by one, with the plain engine", "", f"{plan.plain.total:,.0f}", "forward passes")
    table.add_row("with the fast engine", "about", _fast(plan.fast.total), f"forward passes{less}", style="bold")
    yield table
    memory = plan.memory
    yield Text(f"at most {_gigabytes(memory.total)} GB of memory: {', '.join(_parts(memory))}", style="dim")


def _parts(memory: Memory) -> Iterator[str]:
    """What takes how much of it, where it is as much as can be shown."""
    names = ("libraries", "weights", "shared runs", "means", "stacks", "kept runs")
    for name, size in zip(names, astuple(memory), strict=True):
        if (shown := _gigabytes(size)) != "0.0":
            yield f"{name} {shown}"


def _gigabytes(size: int) -> str:
    return f"{size / 10**9:.1f}"


def _by_block(plan: Plan, verbose: bool) -> Table:
    table = _table()
    table.add_column("forward passes", overflow="fold")
    for name in ("experiments", "new", "one by one", "fast"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    groups = _groups(plan.lines)
    most = max([plan.fast.shared, *(_sum_fast(lines) for _, _, lines in groups)])
    block = ""
    for owner, purpose, lines in groups:
        if owner != block:
            table.add_row(Text(owner, style="bold"))
            block = owner
        fast = _sum_fast(lines)
        counts = (sum(estimates) for estimates in zip(*((x.experiments, x.new, x.passes) for x in lines), strict=True))
        table.add_row(_under(purpose, 2), *(f"{count:,}" for count in counts), _fast(fast), _bar(fast, most))
        if verbose:
            for line in lines:
                table.add_row(_under(line.job.about, 4), *_estimates(line), style="dim")
    shared = plan.fast.shared
    table.add_row("runs that they share", "", "", f"{plan.plain.shared:,.0f}", _fast(shared), _bar(shared, most))
    return table


def _costliest(lines: Iterable[Line]) -> Iterator[RenderableType]:
    """The claims whose experiments cost the fast engine most, over those that no earlier claim asks for."""
    claims = [line for line in lines if line.job.purpose in ("claim", "variant") and line.fast >= 0.05]
    costly = sorted(claims, key=lambda line: -line.fast)[:_COSTLIEST]
    if not costly:
        return
    table = _table()
    table.add_column("costliest claims", overflow="fold")
    table.add_column("one by one", justify="right", no_wrap=True)
    table.add_column("fast", justify="right", no_wrap=True)
    for line in costly:
        table.add_row(_under(f"{line.job.key[0]}: {line.job.about}", 2), f"{line.passes:,}", _fast(line.fast))
    yield Text()
    yield table


def _table() -> Table:
    return Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)


def _under(text: str, columns: int) -> Padding:
    """A cell that stays indented where its text takes several lines."""
    return Padding(Text(text), (0, 0, 0, columns))


def _bar(fast: float, most: float) -> Text:
    return Text("█" * round(_BAR * fast / most) if most else "", style="cyan")


def _fast(passes: float) -> str:
    """An estimate, with as many digits as it deserves."""
    if 0 < passes < 0.05:
        return "<0.1"
    return f"{passes:,.0f}" if passes >= 10 or not passes else f"{passes:.1f}"


def _sum_fast(lines: Iterable[Line]) -> float:
    return sum(line.fast for line in lines)


def _estimates(line: Line) -> tuple[str, ...]:
    return f"{line.experiments:,}", f"{line.new:,}", f"{line.passes:,}", _fast(line.fast)


def _more(plan: Plan) -> Iterator[str]:
    """What may be more or less than is stated."""
    if plan.adaptive:
        yield f"{plural(plan.adaptive, 'job')} will ask for more on seeing results; undecided claims draw more prompts"
    if plan.led:
        yield (
            f"{plural(plan.led, 'job')} have many figures, of sets or of random heads: all are measured on a part of "
            "the prompts, one on all, and others too where that does not decide"
        )
    if plan.raced:
        yield f"{plural(plan.raced, 'job')} race: those that fewer prompts settle take less than is stated"


def _groups(lines: Sequence[Line]) -> list[tuple[str, str, list[Line]]]:
    """Lines by block and purpose, in the plan's order."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.job.key[0], _PURPOSES[line.job.purpose]), []).append(line)
    return [(owner, purpose, some) for (owner, purpose), some in groups.items()]


def _failed(line: Line) -> bool:
    return line.experiments == 0 and bool(line.note)
