"""Mutated specifications and files of prompts: an answer or a clear error, in a second, and no other exception."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path

import circuitdsl as cd
from benchmarks.robustness.results import Result
from circuitdsl.errors import InputError
from circuitdsl.language.environment import TaskRef
from circuitdsl.models import describe_dictionary

SPECS = Path(__file__).parents[2] / "specs"
LIMIT = 5.0
"""CPU seconds after which a text counts as a hang. Other work on the machine makes a second of ours longer than one."""

MOST_BYTES = 500 << 20
"""By how much one text may raise the most memory that the process has had."""

_LINES = (
    {"prompt": "When Mary and John met, John waved to", "answer": " Mary", "wrong": [" John"]},
    {
        "prompt": "Then Anna and Tom sat. Tom gave a cup to",
        "answer": " Anna",
        "wrong": [" Tom"],
        "options": [" Anna", " Tom"],
        "positions": {"S2": [23, 26]},
        "counterfactuals": {"abc": "Then Paul and Kate sat. Eric gave a cup to"},
        "template": "one",
        "item": "7",
    },
    {
        "prompt": "12 + 15 = 2 7",
        "answer": " 7",
        "right": [" 7"],
        "positions": {"A1": " 2"},
        "at": {"A1": {"answer": " 2", "wrong": [" 3", {"first": " 41"}]}},
        "counterfactuals": {
            "other": {"text": "13 + 25 = 3 8", "predicts": {"TENS": {"answer": " 3", "at": "A1"}, "ONES": " 8"}}
        },
    },
)
_RELATIONS = (
    {
        "name": "capital",
        "relation_words": ["capital"],
        "prompt_templates": ["The capital of {} is", "{} has the capital"],
        "held_out_templates": ["What is the capital of {}? It is"],
        "samples": [{"subject": "France", "object": "Paris"}, {"subject": "Japan", "object": "Tokyo"}],
    },
    {
        "name": "language",
        "relation_words": ["language"],
        "prompt_templates": ["The language of {} is"],
        "prompt_templates_zs": ["The language of {} is"],
        "samples": [{"subject": "France", "object": "French"}, {"subject": "Japan", "object": "Japanese"}],
    },
)
_PIECES = (
    "\x00",
    "\x1b[2J",
    "\ud800",
    "\ufffe",
    "\u202e",
    '"',
    "\\",
    "{",
    "}",
    "9" * 400,
    "1e999",
    "#",
    "\r",
    "NaN",
    "",
)


def specs(count: int, seed: int, folder: Path) -> Result:
    """Shipped specifications, changed in a few places, through everything that reads text."""
    texts = [path.read_text("utf-8") for path in sorted(SPECS.rglob("*.circuit"))]
    for dictionaries in ("mini", "brackets"):  # which specifications of features name beside them
        (folder / dictionaries).symlink_to(SPECS / "features" / dictionaries)

    def read(text: str) -> None:
        path = folder / "mutated.circuit"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        cd.lint(path).render(color=True)
        cd.format(text)

    about = (
        "Shipped specifications with a few places changed (cut, doubled, swapped, foreign characters): lint and fmt."
    )
    return _campaign("mutated specifications", about, texts, read, count, random.Random(seed))


def prompts(count: int, seed: int, folder: Path) -> Result:
    """Files of prompts, changed in the same way."""
    texts = ["\n".join(map(json.dumps, _LINES * repeats)) for repeats in (1, 4)]

    def read(text: str) -> None:
        (folder / "mutated.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
        cd.tasks.describe(TaskRef("file", (("", "mutated.jsonl"),), str(folder)))

    about = "Files of prompts (JSONL) changed in the same way: described as a specification's task is."
    return _campaign("mutated files of prompts", about, texts, read, count, random.Random(seed))


def relations(count: int, seed: int, folder: Path) -> Result:
    """Files of relations, changed in the same way."""
    texts = ["\n".join(map(json.dumps, _RELATIONS)), json.dumps(_RELATIONS[0], indent=1)]
    rng = random.Random(seed)

    def read(text: str) -> None:
        (folder / "mutated.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
        shots = (("shots", 1.0),) if rng.random() < 0.5 else ()
        cd.tasks.describe(TaskRef("facts", (("", "mutated.jsonl"), *shots), str(folder)))

    about = "Files of relations (`task facts`) changed in the same way: described, with demonstrations or without."
    return _campaign("mutated files of relations", about, texts, read, count, random.Random(seed))


def dictionaries(count: int, seed: int, folder: Path) -> Result:
    """Folders of dictionaries: settings changed in the same way, and weights damaged in their header or their bytes."""
    whole = SPECS / "features" / "mini" / "mlp1"
    settings, weights = (whole / "cfg.json").read_text("utf-8"), (whole / "sae_weights.safetensors").read_bytes()
    header = weights[8 : 8 + int.from_bytes(weights[:8], "little")].decode()
    rng = random.Random(seed)

    def read(text: str) -> None:
        config, _, named = text.partition(_PART)
        changed = bytearray(weights[8 + len(header) :])
        for _ in range(rng.choice((0, 1, 9))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        if rng.random() < 0.1:
            del changed[rng.randrange(len(changed)) :]
        said = named.encode("utf-8", "surrogatepass")
        length = len(said) if rng.random() < 0.9 else rng.choice((0, len(said) + 1, 2**31, 2**63, 2**64 - 1))
        (folder / "cfg.json").write_bytes(config.encode("utf-8", "surrogatepass"))
        (folder / "sae_weights.safetensors").write_bytes(length.to_bytes(8, "little") + said + changed)
        describe_dictionary(str(folder))

    about = (
        "A folder of a dictionary (`cfg.json`, `sae_weights.safetensors`): settings and header changed in the same "
        "way, lengths that are not the header's, bytes of weights changed or cut off."
    )
    return _campaign("damaged dictionaries", about, [settings + _PART + header], read, count, random.Random(seed))


_PART = "\n---\n"


def _campaign(
    name: str, about: str, texts: list[str], read: Callable[[str], None], count: int, rng: random.Random
) -> Result:
    result = Result(name, about)
    slowest, before = 0.0, _most_memory()
    most = before
    for _ in range(count):
        text = mutated(rng.choice(texts), rng)
        started = time.process_time()
        try:
            read(text)
        except InputError as error:
            result.ended("a clear error" if str(error).strip() else "an error without words")
        except Exception as error:  # what the campaign looks for
            result.ended("another exception")
            result.faults.append(f"{type(error).__name__}: {error!s:.80} for {text!r:.200}")
        else:
            result.ended("read")
        took = time.process_time() - started
        slowest = max(slowest, took)
        if took > LIMIT:
            result.faults.append(f"{took:.1f} s for {text!r:.200}")
        if _most_memory() - most > MOST_BYTES:
            result.faults.append(f"{(_most_memory() - most) >> 20} MiB more for {text!r:.200}")
        most = max(most, _most_memory())
    result.notes.append(f"the slowest text took {slowest:.2f} CPU seconds")
    result.notes.append(f"the process took at most {(most - before) / 2**20:.1f} MiB more than before the first text")
    return result


def _most_memory() -> int:
    """Bytes of physical memory that this process has had at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def mutated(text: str, rng: random.Random) -> str:
    """A text with one to four changes."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 1, 5, 40, 400)))
        other = rng.randrange(len(text) + 1)
        match rng.randrange(5):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:end] + text[start:end] + text[end:]
            case 2:
                text = text[:start] + text[other : other + end - start] + text[end:]
            case 3:
                text = text[:start] + rng.choice(_PIECES) + text[end:]
            case _:
                text = text[:start] + chr(rng.choice((rng.randrange(128), rng.randrange(0x3000)))) + text[end:]
    return text
