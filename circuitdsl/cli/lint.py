"""``circuitdsl lint`` and ``circuitdsl fmt``."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import circuitdsl as cd
from circuitdsl.cli.app import EXIT_INPUT, app, coloured
from circuitdsl.cli.options import ModelName, OutputFile, Revision, warn
from circuitdsl.errors import InputError
from circuitdsl.language.source import MOST_BYTES
from circuitdsl.library import find_spec
from circuitdsl.report import output
from circuitdsl.visible import visible, visible_lines

if TYPE_CHECKING:
    from circuitdsl.language.diagnostics import Diagnostic


@app.command()
def lint(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Spec files; those that ship are found by name (specs/mini/...). - for standard input. With --model "
            "files of prompts (my.jsonl), too."
        ),
    ],
    model: ModelName = None,
    lint_format: Annotated[
        Literal["text", "line", "json", "sarif"],
        typer.Option("--format", "-f", help="line: file:line:col: code message."),
    ] = "text",
    fix: Annotated[
        bool, typer.Option("--fix", help="Correct in the files what can be corrected in one way only.")
    ] = False,
    output_file: OutputFile = None,
    revision: Revision = None,
) -> None:
    """Read and resolve spec files, and report all that is wrong in them. Runs no model.

    Files of prompts are read with the model's tokenizer, line by line. With --fix and standard input, the corrected
    text is printed, and what is left goes to standard error.
    """
    if "-" in files and len(files) > 1:
        raise InputError("standard input is linted by itself", "name - alone, or files")
    if files == ["-"]:
        _lint_standard_input(model, revision, lint_format, fix, output_file)
        return
    if fix:
        for name in (name for name in files if not name.endswith(".jsonl")):
            _fix(find_spec(name), model, revision)
    _say(cd.lint(*files, model=model, revision=revision), lint_format, output_file)


def _lint_standard_input(
    model: str | None, revision: str | None, lint_format: str, fix: bool, output_file: Path | None
) -> None:
    text = _standard_input()
    if not fix:
        _say(cd.lint_text(text, "-", model, revision), lint_format, output_file)
        return
    corrected = cd.fix_text(text, "-", model, revision)
    output.put(corrected.text, output_file)
    left = cd.lint_text(corrected.text, "-", model, revision)
    if left:
        warn(left)
    _end(left)


def _fix(path: str, model: str | None, revision: str | None) -> None:
    """Correct a file, and say so, if something in it can be corrected."""
    corrected = cd.fix_text(_read(path), path, model, revision)
    if corrected.corrected:
        output.write_file(Path(path), corrected.text)
        print(f"{visible(path)}: {len(corrected.corrected)} corrected", file=sys.stderr)


def _say(found: cd.api.Findings, lint_format: str, output_file: Path | None) -> None:
    """Write what was found, in one of the formats, and end as it says."""
    match lint_format:
        case "line":
            output.put("".join(f"{visible(line)}\n" for line in map(_line, found)), output_file)
        case "json":
            from circuitdsl.report.data.json import to_json

            output.put(to_json([diagnostic.to_dict() for diagnostic in found]), output_file)
        case "sarif":
            from circuitdsl.language.diagnostics import codes
            from circuitdsl.report.data.sarif import diagnostics_to_sarif

            output.put(diagnostics_to_sarif(found, codes()), output_file)
        case _:
            text = found.render(color=coloured(sys.stdout) and output_file is None)
            output.put(f"{text or 'nothing is wrong'}\n", output_file)
    _end(found)


def _line(diagnostic: Diagnostic) -> str:
    """``file:line:col: code message``, as compilers write it; of a file as a whole its beginning."""
    span = diagnostic.span
    return f"{span.file}:{max(1, span.line)}:{max(1, span.column)}: {diagnostic.code} {diagnostic.message}"


def _end(found: cd.api.Findings) -> None:
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise typer.Exit(EXIT_INPUT)


@app.command()
def fmt(
    files: Annotated[list[str], typer.Argument(help="Spec files to format in place; - for standard input.")],
    check_only: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if a file would change.")] = False,
    show_diff: Annotated[bool, typer.Option("--diff", help="Change nothing; print what would change.")] = False,
) -> None:
    """Format spec files. Comments are kept; formatting twice changes nothing more."""
    changed = False
    for name in files:
        before = _standard_input() if name == "-" else _read(name)
        after = cd.format(before, name)
        changed |= after != before
        if show_diff:
            shown = visible(name)
            lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), shown, f"{shown} (formatted)")
            output.put(visible_lines("".join(lines)))
        elif check_only and after != before:
            output.put(f"{visible(name)} would be formatted\n")
        elif name == "-":
            output.put(after)
        elif not check_only and after != before:
            output.write_file(Path(name), after)
            output.put(f"{visible(name)} formatted\n")
    raise typer.Exit(1 if changed and (check_only or show_diff) else 0)


def _standard_input() -> str:
    """What stands there, of which no more is read than a specification may have."""
    try:
        text = sys.stdin.read(MOST_BYTES + 1)
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8: byte {error.start}", "give it as UTF-8") from error
    if len(text) > MOST_BYTES:
        raise InputError("standard input is larger than 4 MB", "give each circuit a file of its own")
    return text


def _read(name: str) -> str:
    try:
        return Path(name).read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}", "name a file that exists and may be read") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8: byte {error.start}", "save it as UTF-8") from error
