"""``circuitdsl lint`` and ``circuitdsl fmt``."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import circuitdsl as cd
from circuitdsl.cli.app import EXIT_INPUT, app, coloured
from circuitdsl.cli.options import Files, ModelName, OutputFile, Revision
from circuitdsl.errors import InputError
from circuitdsl.report import output
from circuitdsl.visible import visible, visible_lines


@app.command()
def lint(
    files: Files,
    model: ModelName = None,
    lint_format: Annotated[Literal["text", "json", "sarif"], typer.Option("--format", "-f")] = "text",
    output_file: OutputFile = None,
    revision: Revision = None,
) -> None:
    """Read and resolve spec files, and report all that is wrong in them. Runs no model."""
    found = cd.lint(*files, model=model, revision=revision)
    match lint_format:
        case "text":
            text = found.render(color=coloured(sys.stdout) and output_file is None)
            output.put(f"{text or 'nothing is wrong'}\n", output_file)
        case "json":
            from circuitdsl.report.data.json import to_json

            output.put(to_json([diagnostic.to_dict() for diagnostic in found]), output_file)
        case "sarif":
            from circuitdsl.language.diagnostics import codes
            from circuitdsl.report.data.sarif import diagnostics_to_sarif

            output.put(diagnostics_to_sarif(found, codes()), output_file)
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
        before = sys.stdin.read() if name == "-" else _read(name)
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


def _read(name: str) -> str:
    try:
        return Path(name).read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}", "name a file that exists and may be read") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8: byte {error.start}", "save it as UTF-8") from error
