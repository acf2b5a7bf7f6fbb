"""SARIF 2.1.0 (OASIS), which code hosts and editors show beside the line: diagnostics, and claims that do not hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from circuitdsl.judge.estimates import Verdict
from circuitdsl.language.diagnostics import Diagnostic
from circuitdsl.outcome import Report
from circuitdsl.report.data.json import to_json
from circuitdsl.report.formats import Format
from circuitdsl.report.sections import sections
from circuitdsl.report.words import measured_and_wanted
from circuitdsl.version import __version__

_CLAIM_RULES = {
    Verdict.FAILS: ("claim-fails", "error", "The model contradicts a claim of the specification."),
    Verdict.UNDECIDED: ("claim-undecided", "warning", "The prompts did not decide a claim."),
    Verdict.ERROR: ("claim-error", "error", "The experiment that a claim needs could not be run."),
}


def report_to_sarif(report: Report) -> str:
    """One result for each claim that does not hold, at its line."""
    results = [
        {
            **_result(rule, level, f"{outcome.claim.text}: {measured_and_wanted(outcome)}", file, outcome.claim.line),
            "partialFingerprints": {"claim/v1": outcome.claim.id},  # by which a code host knows it on another line
        }
        for file, outcome in ((section.file, outcome) for section in sections(report) for outcome in section.outcomes)
        if outcome.verdict in _CLAIM_RULES
        for rule, level, _ in [_CLAIM_RULES[outcome.verdict]]
    ]
    return _log({rule: about for rule, _, about in _CLAIM_RULES.values()}, results)


def diagnostics_to_sarif(diagnostics: Iterable[Diagnostic], explanations: Mapping[str, str]) -> str:
    """One result for each diagnostic; ``explanations`` maps codes to what they mean."""
    found = tuple(diagnostics)
    results = [
        _result(
            diagnostic.code,
            diagnostic.severity,
            "; ".join(part for part in (diagnostic.message, diagnostic.remedy, *diagnostic.notes) if part),
            diagnostic.span.file,
            diagnostic.span.line,
            (diagnostic.span.column, diagnostic.span.end_line, diagnostic.span.end_column),
        )
        for diagnostic in found
    ]
    used = sorted({diagnostic.code for diagnostic in found})
    return _log({code: explanations[code] for code in used}, results)


def _log(rules: Mapping[str, str], results: list[dict[str, object]]) -> str:
    driver = {
        "name": "circuitdsl",
        "version": __version__,
        "rules": [{"id": rule, "shortDescription": {"text": about}} for rule, about in rules.items()],
    }
    return to_json(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
        }
    )


def _result(
    rule: str, level: str, message: str, file: str, line: int, rest: tuple[int, int, int] | None = None
) -> dict[str, object]:
    """``rest`` is the start column, the end line and the end column; without it the whole line is meant."""
    place: dict[str, object] = {"artifactLocation": {"uri": _uri(file)}}
    if line > 0:
        ends = zip(("startColumn", "endLine", "endColumn"), rest, strict=True) if rest is not None else ()
        place["region"] = {"startLine": line, **dict(ends)}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": message},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    """A relative reference for files below the working folder, as code hosts expect; else a file URI."""
    path = Path(file).absolute()
    here = Path.cwd()
    if not path.is_relative_to(here):
        return path.as_uri()
    return path.as_uri().removeprefix(here.as_uri()).removeprefix("/")


FORMAT = Format(
    "sarif", "a result a claim that does not hold, for code hosts", lambda report, view: report_to_sarif(report)
)
