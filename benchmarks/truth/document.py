"""docs/trust.md, written from the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from benchmarks.truth.counts import Counts, error_of, exact_limits
from benchmarks.truth.judging import CONFIDENCE, SIDE
from benchmarks.truth.pictures import detected
from benchmarks.truth.results import Results
from benchmarks.truth.saving import DISTANCES, ERROR_OF, FIRST, MOST
from benchmarks.truth.trials import COUNTS, EDGES

ENOUGH = 0.93
"""Coverage that counts as 95%: a little less is asked than is stated, for a smooth figure's interval is not exact."""

HEAD = """# Trust

Is a verdict wrong as seldom as it says? This page is written by one command, which measures it:

    python -m benchmarks.truth                       # all of it
    python -m benchmarks.truth --samples 50 --planted 60 --only pools,planted --out /tmp/trust

It goes on where it was stopped (`build/truth`), runs in two processes, and writes all counts to
[trust.json](trust.json). """


def page(results: Results) -> str:
    """The whole page."""
    blocks = [HEAD + _how_much(results), *_summary(results)]
    if results.calibrations:
        blocks += _calibration(results)
    if "relay" in results.tallies:
        blocks += _planted(results)
    if "random" in results.tallies:
        blocks += _random(results)
    if "untrained" in results.tallies:
        blocks += _untrained(results)
    if "saving" in results.tallies:
        blocks += _saving(results)
    return "\n\n".join(blocks) + "\n"


def _how_much(results: Results) -> str:
    made = results.settings
    again: Mapping[str, str] = made.get("again", {})
    minutes = made["processor seconds"] / 60
    return (
        f"These are of circuitdsl {made['circuitdsl']}, code `{made['code']}`: {made['samples']} samples of pools of "
        f"{made['pool']} prompts, {made['planted']} planted and {made['untrained']} untrained models; {minutes:.0f} "
        "minutes of one processor." + "".join(f" Calibrated again: {m}, code `{c}`." for m, c in again.items())
    )


def _summary(results: Results) -> Iterator[str]:
    """What the tables say, in a list."""
    yield "## In short"
    lines: list[str] = []
    if results.calibrations:
        cells = [(m, n, results.all_of(m, n)) for m in results.measures() for n in results.looks()]
        cells = [(m, n, counts) for m, n, counts in cells if counts.judged]
        low = [(m, n) for m, n, counts in cells if counts.covered / counts.judged < ENOUGH]
        lines.append(
            f"* Intervals of {CONFIDENCE:.0%} hold the truth in {ENOUGH:.0%} of samples or more for "
            f"{len(cells) - len(low)} of {len(cells)} combinations of a measurement and a number of prompts"
            + (f"; not for {_few(f'{m} at {_spoken(n)}' for m, n in low)}." if low else ".")
        )
        bad = [(m, n) for m, n, counts in cells if _beyond(counts)]
        lines.append(
            f"* Verdicts with the bound at the truth are wrong more often than {SIDE:.1%} a side, beyond chance, for "
            f"{len(bad)} of {len(cells)}" + (f": {_few(f'{m} at {_spoken(n)}' for m, n in bad)}." if bad else ".")
        )
    if "relay" in results.tallies:
        for count in COUNTS:
            wrong, of = _verdicts(results, count, "false", "holds")
            lines.append(
                f"* Planted models, {count} prompts: of {of} false claims {wrong} hold ({_limits(wrong, of)})."
            )
    if "untrained" in results.tallies:
        for count in COUNTS:
            held, of = (results.tally("untrained", count, "coin", what) for what in ("holds", "claims"))
            lines.append(f"* Untrained models, {count} prompts: of {of} shares of nothing {held} hold.")
    yield "\n".join(lines)


# --- pools -------------------------------------------------------------------------------------------


def _calibration(results: Results) -> Iterator[str]:
    suites = sorted({each.suite for each in results.calibrations})
    yield "## Samples of a pool"
    yield (
        f"Everything that {len(results.calibrations)} claims of mini ask for ({', '.join(suites)}) was read on a pool "
        f"of {results.settings['pool']} prompts, whose figures are the truth. Samples of it, drawn with replacement "
        "and balanced over templates, are judged with the bound put at the truth, a hair to either side: what is false "
        f"then may hold in {SIDE:.1%} of samples, and what is true may fail as often. Two numbers of prompts are "
        "a sequence: the sample is looked at from the first number to the second as a check looks again while a claim "
        "is open; it counts as covered if the truth leaves the interval at no look, and as false if any look says so. "
        "The width is that of the last look. The error is that of counting so many samples. False "
        "verdicts are those of the worse side; `!` marks what is beyond the stated rate by more than chance (95%). The "
        "lowest coverage is that of the worst claim."
    )
    yield "![coverage](trust-coverage.svg)"
    yield "![p-values](trust-p-values.svg)"
    head = (
        "measurement",
        "claims",
        "prompts",
        "coverage",
        "lowest",
        "false holds",
        "false fails",
        "p ≤ 0.01",
        "p ≤ 0.05",
        "width",
        "unbounded",
        "undecided",
        "errors",
    )
    cells = ((m, n) for m in results.measures() for n in results.looks() if results.of(m, n))
    yield _table(head, (_row(results, *cell) for cell in cells))


def _row(results: Results, measure: str, looks: str) -> Sequence[str]:
    several, counts = results.of(measure, looks), results.all_of(measure, looks)
    samples = max((each.samples for each in several), default=0)
    start = (measure, str(len(several)), _spoken(looks))
    if not counts.judged:
        return (*start, *[""] * 9, str(counts.errors))
    coverage = counts.covered / counts.judged
    lowest = min(each.covered / each.judged for each in several if each.judged)
    bounded = counts.judged - counts.unbounded
    holds, fails = _worse_holds(counts), _worse_fails(counts)
    p_values = [max(counts.p_at_least[i], counts.p_at_most[i]) / max(1, counts.p_values) for i in (1, 2)]
    return (
        *start,
        f"{coverage:.1%} ± {error_of(coverage, samples):.1%}",
        f"{lowest:.1%}",
        f"{holds / counts.judged:.1%}{_mark(holds, counts.judged)}",
        f"{fails / counts.judged:.1%}{_mark(fails, counts.judged)}",
        *(f"{share:.1%}" for share in p_values),
        f"{counts.width / bounded:.3g}" if bounded else "",
        f"{counts.unbounded / counts.judged:.1%}",
        f"{counts.undecided / (2 * counts.judged):.0%}",
        str(counts.errors),
    )


def _worse_holds(counts: Counts) -> int:
    return max(counts.false_holds_at_least, counts.false_holds_at_most)


def _worse_fails(counts: Counts) -> int:
    return max(counts.false_fails_at_least, counts.false_fails_at_most)


def _mark(number: int, of: int) -> str:
    return " !" if exact_limits(number, of)[0] > SIDE else ""


def _beyond(counts: Counts) -> bool:
    return any(_mark(each(counts), counts.judged) for each in (_worse_holds, _worse_fails))


# --- planted -----------------------------------------------------------------------------------------


def _planted(results: Results) -> Iterator[str]:
    yield "## Planted models"
    yield (
        "Relays of random depth (2 to 5 layers), width and redundancy, with decoys, noise, idle heads and "
        "MLPs, whose truth follows from their wires (`benchmarks/truth/relay.py`). Each has a specification "
        "with true and false claims, bounds half of a per cent to half of F off the truth on either side, and"
        " is checked whole. In brackets the limits of a rate (Clopper and Pearson, 95%); claims of one model "
        "are not independent, so that they are too narrow."
    )
    head = (
        "prompts",
        "claims",
        "false claims",
        "that hold",
        "true claims",
        "that fail",
        "false left open",
        "true left open",
    )
    yield _table(head, (_claims_row(results, count, kind) for count in COUNTS for kind in _kinds(results, count)))
    head = (
        "prompts",
        "models",
        "with a false verdict",
        "false claims' p ≤ 0.01",
        "p ≤ 0.05",
        "`random heads` that hold",
    )
    yield _table(head, (_models_row(results, count) for count in COUNTS))
    yield "### What is detected"
    yield "![detection](trust-detection.svg)"
    head = ("prompts", *(f"{size:.0%} of F or more" for size in EDGES))
    yield _table(head, ([str(n), *(_share(*detected(results, n, size)) for size in EDGES)] for n in COUNTS))
    yield "### The search for heads that are not listed"
    yield (
        "A head is false if what it does is below the floor. The last column is how large the true ones that "
        "it lists are said to be, over how large they are: above 100% is the winner's curse."
    )
    head = (
        "prompts",
        "models",
        "heads found",
        "false ones",
        "models with a false one",
        "true ones found",
        "said over true",
    )
    yield _table(head, (_search_row(results, count) for count in COUNTS))


def _kinds(results: Results, count: int) -> tuple[str, ...]:
    known = ("member", "edge", "no edge", "knockout", "faithfulness", "logit_diff")
    return ("all", *(kind for kind in known if kind in results.names("relay", count)))


def _claims_row(results: Results, count: int, kind: str) -> Sequence[str]:
    kinds = None if kind == "all" else [kind]
    held, false = _verdicts(results, count, "false", "holds", kinds)
    failed, true = _verdicts(results, count, "true", "fails", kinds)
    open_false, _ = _verdicts(results, count, "false", "undecided", kinds)
    open_true, _ = _verdicts(results, count, "true", "undecided", kinds)
    return (
        str(count),
        kind,
        str(false),
        f"{held} ({_limits(held, false)})",
        str(true),
        f"{failed} ({_limits(failed, true)})",
        _percent(open_false, false),
        _percent(open_true, true),
    )


def _verdicts(
    results: Results, count: int, truth: str, verdict: str, kinds: Iterable[str] | None = None
) -> tuple[int, int]:
    """How many true or false claims got a verdict, and of how many."""
    number = of = 0
    for kind in kinds or _kinds(results, count)[1:]:
        for each in results.names("relay", count, kind, truth):
            found = results.tally("relay", count, kind, truth, each)
            of += found
            number += found if each == verdict else 0
    return number, of


def _models_row(results: Results, count: int) -> Sequence[str]:
    models, wrong = (results.tally("relay", count, what) for what in ("models", "models with a false verdict"))
    p_values = results.tally("relay", count, "false", "p-values")
    small = [results.tally("relay", count, "false", "p", level) for level in (0.01, 0.05)]
    holds = results.tally("relay", count, "random heads", "holds")
    of = results.tally("relay", count, "random heads", "p-values")
    return (
        str(count),
        str(models),
        _share(wrong, models),
        *(_percent(number, p_values) for number in small),
        f"{_share(holds, of)} ({_limits(holds, of)})",
    )


def _search_row(results: Results, count: int) -> Sequence[str]:
    def of(*name: object) -> int:
        return results.tally("relay", count, "search", *name)

    true, left = (sum(of(what, f"{size:g}") for size in EDGES) for what in ("true found", "true left"))
    false = of("false found")
    return (
        str(count),
        str(of("models")),
        str(true + false),
        f"{false} ({_limits(false, true + false)})",
        _share(of("models with a false head"), of("models")),
        _share(true, true + left),
        _percent(of("found size"), of("true size")),
    )


# --- random circuits and untrained models --------------------------------------------------------------


def _random(results: Results) -> Iterator[str]:
    yield "## Random circuits against random heads"
    yield (
        "Circuits of mini with random heads in each layer. They are no better than random heads, so that `> "
        f"random heads` and `< random heads` may hold in {1 - CONFIDENCE:.0%}. Fifteen circuits share each set"
        " of random heads. Mini's own circuit is better than they are, and so are parts of it. Of 60 prompts 15 are "
        "looked at first, and all where one of 99 sets does as well there ([methods](methods.md)); at one look, all."
    )
    rows: list[Sequence[str]] = []
    for count in sorted(map(int, results.names("random"))):
        for measure in results.names("random", count):
            of = results.tally("random", count, measure, "p-values")
            holds = results.tally("random", count, measure, "holds")
            small = [results.tally("random", count, measure, "p", level) for level in (0.01, 0.05, 0.1)]
            shares = [_percent(number, of) for number in small]
            rows.append((measure, str(count), str(of), f"{_share(holds, of)} ({_limits(holds, of)})", *shares))
    yield _table(("measurement", "prompts", "circuits", "hold", "p ≤ 0.01", "p ≤ 0.05", "p ≤ 0.1"), rows)


def _untrained(results: Results) -> Iterator[str]:
    yield "## Untrained models"
    yield (
        "Llama- and GPT-2-shaped models of random weights. In `coin` the answer is a random word, so that F "
        "is exactly zero and no share of it is true. On `ioi` F is some small number, of which shares exist."
    )
    rows: list[Sequence[str]] = []
    for task in ("coin", "ioi"):
        for count in COUNTS:
            names = ("models", "claims", "holds", "models with a claim that holds", "heads found")
            models, claims, holds, some, heads = (results.tally("untrained", count, task, name) for name in names)
            if models:
                held = f"{holds} ({_limits(holds, claims)})"
                rows.append((task, str(count), str(models), str(claims), held, _share(some, models), str(heads)))
    head = (
        "task",
        "prompts",
        "models",
        "shares of F claimed",
        "that hold",
        "models with one",
        "heads found by the search",
    )
    yield _table(head, rows)


# --- prompts to a verdict ------------------------------------------------------------------------------


def _saving(results: Results) -> Iterator[str]:
    yield "## Prompts to a verdict"
    yield (
        f"`prompts {FIRST} to {MOST}`: how many prompts it takes until a true claim holds, on samples of the pool, "
        f"with the bound so many standard errors (of {ERROR_OF} prompts) below the truth. *Sequence* is what a check "
        "does. *Doublings* is what it did before: the number of prompts is doubled while a claim is undecided, and the "
        f"error split evenly over these looks. Where a claim stays undecided {MOST} prompts are counted; the shares "
        "that hold are in brackets where not all do."
    )
    head = ("measurement", "distance", "samples", "sequence", "doublings", "of doublings")
    names = results.names("saving")
    yield _table(head, (_saving_row(results, name, distance) for name in names for distance in DISTANCES))


def _saving_row(results: Results, measure: str, distance: int) -> Sequence[str]:
    def of(rule: str, what: str) -> int:
        return results.tally("saving", measure, distance, rule, what)

    samples = of("sequence", "samples")
    means = {rule: of(rule, "prompts") / max(1, samples) for rule in ("sequence", "doublings")}
    held = {rule: of(rule, "holds") / max(1, samples) for rule in means}
    cells = [f"{means[rule]:.0f}" + (f" ({held[rule]:.0%})" if held[rule] < 1 else "") for rule in means]
    return measure, str(distance), str(samples), *cells, f"{means['sequence'] / max(1.0, means['doublings']):.0%}"


# --- parts -------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _spoken(looks: str) -> str:
    return looks.replace("-", " to ")


def _few(items: Iterable[str], most: int = 8) -> str:
    some = list(items)
    return ", ".join(some[:most]) + (f" and {len(some) - most} more" if len(some) > most else "")


def _limits(number: int, of: int) -> str:
    low, high = exact_limits(number, of)
    return f"{low:.1%} to {high:.1%}"


def _share(number: int, of: int) -> str:
    return f"{number} of {of}" + (f", {number / of:.0%}" if of else "")


def _percent(number: int, of: int) -> str:
    return f"{number / of:.1%}" if of else ""
