"""``python -m benchmarks.first_hour JOB FOLDER``: what the jobs of docs/first-hour.md take, command by command.

Seconds are the user time of each command's process and of what it starts. Readings that the results store has cost
nothing: another ``XDG_CACHE_HOME`` begins with none. The folder should be empty.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from circuitdsl.library import find_spec

CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Germany": "Berlin",
    "Japan": "Tokyo",
    "Russia": "Moscow",
    "Austria": "Vienna",
    "Greece": "Athens",
    "Egypt": "Cairo",
    "Ireland": "Dublin",
    "Norway": "Oslo",
    "England": "London",
    "China": "Beijing",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Portugal": "Lisbon",
}
TEXTS = {
    "capital": "The capital of {} is",
    "city": "Everybody in {} knows that the capital is",
    "visit": "She moved to {}, and lives in the capital,",
}
OTHER = 5
"""The wrong capital is that of the country so many places on."""

OWN = """circuit mine {
  model "mymodel"
  task ioi
  role late at END { 2.0 2.1 }
  edge late -> logits : raises
  expect accuracy >= 50%
}
"""
GUESS = """circuit guess {
  model mini
  task  ioi
  role lookup  at S2  { 1.0  1.6 }
  role fetcher at END { 2.7  3.0 }
  edge lookup  -> fetcher.v : raises
  expect faithfulness >= 50%
}
"""
WRONG = """circuit my {
  model mini
  task ioi
  role fetcher at END { 3.0 3.7 }
  edge fetcher -> logits : raises
  expect faithfulness >= 50%
}
"""
CELLS = (
    'import circuitdsl as cd\nreport = cd.check("mini/ioi")\nreport',
    "print(report)",
    "report.to_frame()",
    "report.chart()",
    f'document = cd.load(text="""{GUESS}""")\nprint(cd.plan(document))',
    "cd.check(document)",
    'cd.diff("mini/ioi", "mini/colored_objects")',
    'cd.sweep("ioi", model="mini", prompts=30)',
)


def behaviour(folder: Path) -> None:
    """From prompts of one's own to a judged specification, of SmolLM2-135M."""
    lines = "".join(f"{json.dumps(line)}\n" for line in capitals())
    (folder / "capitals.jsonl").write_text(lines, encoding="utf-8")
    of_model = ("capitals.jsonl", "--model", "smollm2-135m")
    _command(folder, "lint", *of_model)
    _command(folder, "sweep", *of_model)
    _command(folder, "draft", *of_model, "-o", "capitals.circuit")
    _command(folder, "check", "capitals.circuit", "--html", "report.html")


def capitals() -> Iterator[Mapping[str, Any]]:
    """Every country in every text, as lines of a file of prompts."""
    names = tuple(CAPITALS)
    for template, text in TEXTS.items():
        for place, country in enumerate(names):
            other = names[(place + OTHER) % len(names)]
            yield {
                "prompt": text.format(country),
                "answer": f" {CAPITALS[country]}",
                "wrong": [f" {CAPITALS[other]}"],
                "counterfactuals": {"other": text.format(other)},
                "positions": {"COUNTRY": country},
                "template": template,
                "item": country,
            }


def model(folder: Path) -> None:
    """A Llama of random weights in a folder; and a specification that was written for another shape."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from circuitdsl.models import tokenizer_of

    torch.manual_seed(0)
    tokenizer = tokenizer_of("mini")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "mymodel")
    tokenizer.save_pretrained(folder / "mymodel")
    (folder / "mine.circuit").write_text(OWN, encoding="utf-8")
    _command(folder, "check", "mine.circuit")
    _command(folder, "check", "mini/ioi", "--model", "mymodel")


def notebook(folder: Path) -> None:
    """Eight cells, in a kernel."""
    import nbformat
    from nbclient import NotebookClient

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    with _told(f"{len(CELLS)} cells"):
        NotebookClient(made, timeout=1200, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(made, folder / "notebook.ipynb")


def editor(folder: Path) -> None:
    """A file is opened with a mistake, the mistake corrected, and a claim checked by its lens."""
    with _told("circuitdsl lsp"):
        for said in asyncio.run(_edited(folder / "my.circuit")):
            print(said)


async def _edited(path: Path) -> list[str]:
    """What the server says in turn."""
    from lsprotocol import types as lsp
    from pygls.lsp.client import LanguageClient

    client, diagnosed = LanguageClient("first-hour", "1"), asyncio.Queue[Sequence[lsp.Diagnostic]]()

    @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def _diagnosed(params: lsp.PublishDiagnosticsParams) -> None:
        diagnosed.put_nowait(params.diagnostics)

    right = Path(find_spec("mini/ioi")).read_text(encoding="utf-8")
    wrong, uri = right.replace(">= 65%\n", ">= 65\n", 1), path.as_uri()
    lines = right.split("\n")
    row = next(number for number, line in enumerate(lines) if line.strip().startswith("expect faithfulness"))
    document, place = lsp.TextDocumentIdentifier(uri), lsp.Position(row, lines[row].index("faithfulness") + 1)

    async def hover() -> str:
        found = await client.text_document_hover_async(lsp.HoverParams(document, place))
        return str(found.contents.value) if found and isinstance(found.contents, lsp.MarkupContent) else ""

    await client.start_io(sys.executable, "-m", "circuitdsl", "lsp")
    await client.initialize_async(lsp.InitializeParams(lsp.ClientCapabilities()))
    client.initialized(lsp.InitializedParams())
    opened = lsp.TextDocumentItem(uri, "circuit", 0, wrong)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(opened))
    said = [f"with the mistake: {[each.message for each in await diagnosed.get()]}"]
    change = lsp.TextDocumentContentChangeWholeDocument(right)
    version = lsp.VersionedTextDocumentIdentifier(1, uri)
    client.text_document_did_change(lsp.DidChangeTextDocumentParams(version, [change]))
    said.append(f"without it: {list(await diagnosed.get())}")
    said.append(f"hover: {(await hover())[:80]!r}")
    words = await client.text_document_completion_async(lsp.CompletionParams(document, place))
    items = words.items if isinstance(words, lsp.CompletionList) else words or ()
    said.append(f"completion: {len(items)} words")
    lenses = await client.text_document_code_lens_async(lsp.CodeLensParams(document)) or ()
    said.append(f"{len(lenses)} lenses")
    command = next(lens.command for lens in lenses if lens.range.start.line == row and lens.command)
    await client.workspace_execute_command_async(lsp.ExecuteCommandParams(command.command, command.arguments))
    said.append(f"hover once the claim is checked: {(await hover())[-90:]!r}")
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()
    return said


def ci(folder: Path) -> None:
    """Claims as tests, of a specification that is right and of one that is wrong on purpose."""
    circuits = folder / "circuits"
    circuits.mkdir()
    (circuits / "ioi.circuit").write_bytes(Path(find_spec("mini/ioi")).read_bytes())
    (circuits / "my.circuit").write_text(WRONG, encoding="utf-8")
    _run(folder, "pytest", "circuits", "-q")


JOBS: Mapping[str, Callable[[Path], None]] = {job.__name__: job for job in (behaviour, model, notebook, editor, ci)}


def _command(folder: Path, *arguments: str) -> None:
    _run(folder, "circuitdsl", *arguments)


def _run(folder: Path, *module: str) -> None:
    """A module in the folder, what it prints to be seen."""
    with _told(" ".join(module)):
        ended = subprocess.run([sys.executable, "-m", *module], cwd=folder, check=False)
        print(f"exit code {ended.returncode}")


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Say what the processes took that ended meanwhile."""
    print(f"### {name}", flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    yield
    print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before:.1f} CPU s: {name}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    description = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_hour", description=description)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    JOBS[asked.job](asked.folder.resolve())


if __name__ == "__main__":
    main()
