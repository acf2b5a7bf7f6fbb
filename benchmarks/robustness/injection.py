"""Evil texts through every door, names of files among them, into all that the commands print and write."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from benchmarks.commands import run
from benchmarks.robustness.evil_texts import EVIL, harm_of, harm_of_xml
from benchmarks.robustness.results import Result
from benchmarks.robustness.small_models import save
from circuitdsl.language.format import quoted
from circuitdsl.models.quiet import quiet

EXITS = (0, 1, 2, 3)
WIDE = {"COLUMNS": "100000"}  # so that no line is folded where a forged one would begin


def injection(count: int, seed: int, folder: Path) -> Result:
    """So many commands, each on files with an evil text, or two, in them and in their names."""
    rng = random.Random(seed)
    result = Result(
        "injection",
        f"{len(COMMANDS)} commands on files in which abouts, cites, prompts, templates, items, names of files and "
        f"models hold one or two of {len(EVIL)} evil texts (sequences of terminals, HTML, XML, letters that turn a "
        "line, control characters, no characters): what is printed moves no cursor and begins no line, SVG and JUnit "
        "are XML without elements of the text's, JSON and SARIF are JSON.",
    )
    with quiet():
        save("gpt2", folder / "small")
    for number in range(count):
        name = list(COMMANDS)[number % len(COMMANDS)]
        evil = "".join(rng.sample(EVIL, rng.choice((1, 1, 2))))
        files = Files(evil, folder / f"place {number}")
        files.write(folder / "small", rng)
        with patch.dict("os.environ", WIDE):
            code, out, err = run(*COMMANDS[name](files))
        said = f"{out}\n{err}"
        harm = [*harm_of(said), *(found for path in sorted(files.folder.glob("out.*")) for found in _harm(path))]
        result.ended(f"{name}: exit {code}")
        if code not in EXITS:
            harm.append(f"exit {code}: {said[-200:]}")
        result.faults += [f"{name}, {evil!r}: {each}" for each in harm]
        shutil.rmtree(files.folder)
    return result


def _harm(path: Path) -> Iterator[str]:
    """What is wrong with a file that a command has written."""
    text = path.read_text("utf-8")
    if path.suffix in (".svg", ".xml"):
        yield from harm_of_xml(text)
        return
    yield from harm_of(text)
    if path.suffix == ".json":
        json.loads(text)


# --- files -------------------------------------------------------------------------------------------

SPEC = """circuit c {{
  about "{evil}"
  cite "{evil}"
  model "{model}"
  task file("{prompts}")
  method {{ prompts 4 ablate zero }}
  role a at END {{ 0.1 1.2 cite "{evil}" }}
  edge a -> logits : raises
  expect logit_diff >= 0
}}
circuit d {{
  about "{evil}"
  model "{model}"
  task file("{prompts}")
  method {{ prompts 4 ablate zero }}
  role b at END {{ 1.2 }}
}}
compare c with d {{
  about "{evil}"
  expect overlap(heads) >= 10%
}}
intervention i on c {{
  cite "{evil}"
  scale {{ 0.1 }} at END by 0
  expect accuracy >= 20%
}}
"""
GRAPH = {"nodes": {}, "edges": {}}


@dataclass(frozen=True)
class Files:
    """Files that hold an evil text, and have it in their names as far as a name can hold it."""

    evil: str
    folder: Path

    @property
    def name(self) -> str:
        short = self.evil.replace("/", "").replace("\x00", "")[:30]
        return short.encode("utf-8", "replace").decode("utf-8")

    @property
    def spec(self) -> Path:
        return self.folder / f"{self.name}.circuit"

    @property
    def wrong(self) -> Path:
        return self.folder / f"{self.name} wrong.circuit"

    @property
    def prompts(self) -> Path:
        return self.folder / f"{self.name}.jsonl"

    @property
    def model(self) -> Path:
        return self.folder / f"{self.name} model"

    @property
    def graph(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def task(self) -> str:
        return f'file("{_quoted(str(self.prompts))}")'

    def out(self, ending: str) -> Path:
        return self.folder / f"out.{ending}"

    def write(self, model: Path, rng: random.Random) -> None:
        shutil.copytree(model, self.model)
        named = {"evil": self.evil, "model": str(self.model), "prompts": self.prompts.name}
        text = SPEC.format(**{name: _quoted(each) for name, each in named.items()})
        at = rng.randrange(len(text))
        for path, written in ((self.spec, text), (self.wrong, text[:at] + self.evil + text[at:])):
            path.write_bytes(written.encode("utf-8", "surrogatepass" if path == self.wrong else "replace"))
        lines = [self._line(number) for number in range(6)]
        self.prompts.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        self.graph.write_text(json.dumps({self.evil: self.evil, "nodes": {self.evil: 1}}), encoding="utf-8")

    def _line(self, number: int) -> dict[str, object]:
        who = ("Mary", "John", "Anna")[number % 3]
        text = f"{self.evil} then {who} and Tom met. Tom gave {self.evil} to"
        return {
            "prompt": text,
            "answer": f" {who}",
            "wrong": [" Tom"],
            "counterfactuals": {"abc": text.replace("Tom gave", "Kate gave")},
            "template": f"{self.evil}{number % 2}",
            "item": f"{self.evil}{number // 2}",
        }


def _quoted(text: str) -> str:
    """As a string of the language has it between its quotation marks: on one line."""
    return quoted(" ".join(text.splitlines()))[1:-1]


Arguments = list[str | Path]
SETTINGS: Arguments = ["--no-cache", "--no-unexplained"]
COMMANDS: Mapping[str, Callable[[Files], Arguments]] = {
    "lint": lambda f: ["lint", f.spec],
    "lint, something wrong": lambda f: ["lint", f.wrong],
    "lint, SARIF": lambda f: ["lint", f.wrong, "-f", "sarif", "-o", f.out("json")],
    "plan": lambda f: ["plan", f.spec],
    "show": lambda f: ["show", f"{f.spec}:c"],
    "show, SVG": lambda f: ["show", f"{f.spec}:c", "--svg", f.out("svg")],
    "fmt, what would change": lambda f: ["fmt", "--diff", f.spec],
    "tasks show": lambda f: ["tasks", "show", f.task, "-m", f.model],
    "check": lambda f: ["check", f.spec, *SETTINGS],
    "check, all heads": lambda f: ["check", f.spec, "--no-cache", "-v"],
    "check, JSON": lambda f: ["check", f.spec, *SETTINGS, "-f", "json", "-o", f.out("json")],
    "check, JUnit": lambda f: ["check", f.spec, *SETTINGS, "-f", "junit", "-o", f.out("xml")],
    "check, SARIF": lambda f: ["check", f.spec, *SETTINGS, "-f", "sarif", "-o", f.out("json")],
    "sweep": lambda f: ["sweep", f.prompts, "-m", f.model, "--no-cache"],
    "sweep, SVG": lambda f: ["sweep", f.prompts, "-m", f.model, "--no-cache", "--svg", f.out("svg")],
    "diff": lambda f: ["diff", f"{f.spec}:c", f"{f.spec}:d"],
    "diff, SVG": lambda f: ["diff", f"{f.spec}:c", f"{f.spec}:d", "--svg", f.out("svg")],
    "export": lambda f: ["export", f"{f.spec}:c", "--format", "eap", "-o", f.out("json")],
    "import": lambda f: ["import", f.graph, "--model", f.model, "--task", f.task],
    "explain": lambda f: ["explain", f"x{f.name}"],
    "models add": lambda f: ["models", "add", f"x{f.name}"],
    "no such file": lambda f: ["check", f"{f.spec}{f.name}"],
    "no such model": lambda f: ["check", f.spec, "--model", f"{f.model}{f.name}", *SETTINGS],
    "no such option": lambda f: ["check", f"--{f.name}"],
    "no such command": lambda f: [f"x{f.name}"],
}
"""What is run, by name; files that are written begin with ``out``."""
