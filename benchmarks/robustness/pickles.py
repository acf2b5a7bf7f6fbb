"""Pickles that would run a command, in every file that is read: none may run."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import pickle
import random
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import circuitdsl as cd
from benchmarks.robustness.checks import Bench
from benchmarks.robustness.results import Result
from circuitdsl.errors import InputError
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.environment import TaskRef
from circuitdsl.models import geometry_of, open_model
from circuitdsl.models.folders import MINI

FILLER = 400_000  # numbers, so that a file is not refused for being small


def pickles(count: int, seed: int, folder: Path) -> Result:
    """So many pairs of a place where a file is read and a kind of file, each with a way to run a command."""
    result = Result(
        "pickles",
        f"Files that would make a file where a pickle in them is believed: {len(CALLS)} ways to call something, "
        f"{len(ENCODINGS)} kinds of file (pickles of every protocol, torch's formats, numpy's with objects, archives), "
        "in the place of weights, tokenizers and other files of a model's folder, of every format of exchange, of the "
        "results store and its means, of prompts and specifications. The file must never be there, and what is read "
        "ends with an error that has a remedy, or as if nothing were.",
    )
    for number, (call, encoding) in enumerate(itertools.product(CALLS, ("pickle 0", "pickle 4"))):
        marker = folder / f"believed {number}"
        pickle.loads(ENCODINGS[encoding](CALLS[call](marker)))
        if not marker.exists():  # then nothing else would be found out either
            result.fault(f"{call}, {encoding}: does nothing where it is believed")
    readers = doors(folder)
    pairs = list(itertools.product(readers, ENCODINGS))
    rng = random.Random(seed)
    rng.shuffle(pairs)
    result.notes.append(f"there are {len(pairs):,} pairs of a place and a kind of file")
    for number, (door, encoding) in enumerate(itertools.islice(itertools.cycle(pairs), count)):
        call = rng.choice(list(CALLS))
        marker, place = folder / f"ran {number}", folder / f"place {number}"
        place.mkdir()
        what = f"{door}, {encoding}, {call}, seed {seed}"
        try:
            readers[door](place, ENCODINGS[encoding](CALLS[call](marker)))
        except InputError as error:
            result.ended(f"{door.partition(':')[0]}: refused")
            if not (error.remedy or isinstance(error, SpecError)):  # which has one for each of its mistakes
                result.faults.append(f"{what}: no remedy for {error.message}")
        except Exception as error:  # what the campaign looks for
            result.fault(f"{what}: {type(error).__name__}: {error!s:.200}")
        else:
            result.ended(f"{door.partition(':')[0]}: read, and nothing was run")
        if marker.exists():
            result.faults.append(f"{what}: it ran")
        shutil.rmtree(place)
    return result


# --- ways to call something ----------------------------------------------------------------------------


class Calling:
    """An object that is pickled as a call."""

    def __init__(self, function: Callable[..., object], *arguments: object):
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


class Raw(bytes):
    """A pickle that was written by hand, of opcodes that Python no longer writes."""


CALLS: Mapping[str, Callable[[Path], Calling | Raw]] = {
    "os.system": lambda marker: Calling(os.system, f"touch '{marker}'"),
    "os.mkdir": lambda marker: Calling(os.mkdir, str(marker)),
    "exec": lambda marker: Calling(exec, f"open({str(marker)!r}, 'w').close()"),
    "eval": lambda marker: Calling(eval, f"open({str(marker)!r}, 'w').close()"),
    "shutil.copy": lambda marker: Calling(shutil.copy, __file__, str(marker)),
    "subprocess": lambda marker: Calling(subprocess.check_output, ["touch", str(marker)]),
    "INST": lambda marker: Raw(f"(S'touch \"{marker}\"'\nios\nsystem\n.".encode()),
    "OBJ": lambda marker: Raw(f"(cos\nsystem\nS'touch \"{marker}\"'\no.".encode()),
    "a call in a call": lambda marker: Raw(
        f"cbuiltins\ngetattr\n(cos\npath\nS'os'\ntRS'x'\n0cos\nmkdir\n(S'{marker}'\ntR.".encode()
    ),
}

# --- kinds of file ---------------------------------------------------------------------------------------


def _pickled(protocol: int, what: Calling | Raw) -> bytes:
    made = bytes(what) if isinstance(what, Raw) else pickle.dumps(what, protocol)
    return made + bytes(4 * FILLER)  # what comes after a pickle is not read


def _saved(new: bool, what: Calling | Raw) -> bytes:
    """As torch saves it, beside a tensor."""
    if isinstance(what, Raw):
        return _archive("archive/data.pkl", what) if new else _legacy(what)
    stream = io.BytesIO()
    torch.save({"weights": torch.zeros(FILLER), "more": what}, stream, _use_new_zipfile_serialization=new)
    return stream.getvalue()


def _legacy(raw: bytes) -> bytes:
    """Torch's older format, in which several pickles follow one another."""
    head = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})
    return b"".join(pickle.dumps(each, 2) for each in head) + raw + bytes(4 * FILLER)


def _archive(name: str, raw: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, raw)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(4 * FILLER))
    return stream.getvalue()


def _numpy(write: Callable[..., object], what: Calling | Raw) -> bytes:
    stream = io.BytesIO()
    held = np.empty(1, dtype=object)
    held[0] = what if isinstance(what, Calling) else Calling(eval, "0")
    write(stream, held, allow_pickle=True)
    return stream.getvalue() + bytes(4 * FILLER)


def _zipped_arrays(what: Calling | Raw) -> bytes:
    return _archive("weights.npy", _numpy(np.save, what))


ENCODINGS: Mapping[str, Callable[[Any], bytes]] = {
    **{f"pickle {protocol}": partial(_pickled, protocol) for protocol in range(6)},
    "torch, an archive": partial(_saved, True),
    "torch, the older format": partial(_saved, False),
    "an archive made by hand": lambda what: _archive("archive/data.pkl", _pickled(2, what)),
    "npy with objects": partial(_numpy, np.save),
    "npz with objects": _zipped_arrays,
    "gzip": lambda what: gzip.compress(_pickled(4, what), 1) + bytes(4 * FILLER),
}

# --- places where files are read -----------------------------------------------------------------------

Read = Callable[[Path, bytes], object]

WEIGHTS = (
    "pytorch_model.bin",
    "model.safetensors",
    "pytorch_model.pt",
    "model.pth",
    "tf_model.h5",
    "flax_model.msgpack",
)
BESIDE = (
    *("config.json", "generation_config.json", "adapter_model.bin", "training_args.bin", "optimizer.pt"),
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.pkl"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
)
NATIVE = {"d_model": 16, "d_head": 4, "n_layers": 1, "n_heads": 4, "n_ctx": 32, "d_vocab": 208, "act_fn": "relu"}


def doors(folder: Path) -> Mapping[str, Read]:
    """What reads bytes as a file of some name: given a folder of its own, and the bytes."""
    bench = Bench.in_folder(folder)
    bench.check(store=cd.Store.in_folder(folder / "whole"))
    shapes = geometry_of("mini")
    exchanged = [*((ending, "") for ending in ("pt", "pth", "npz", "pkl", "json", "txt"))]
    exchanged += [("pt", form) for form in cd.exchange.formats()]
    return {
        **{f"weights: {name}": partial(_weights, name) for name in WEIGHTS},
        "weights: in pieces": _in_pieces,
        "weights: TransformerLens's own": _native,
        **{f"a model's folder: {name}": partial(_beside, name) for name in BESIDE},
        **{
            f"exchange: .{ending} as {form or 'it is found'}": partial(_exchanged, f"circuit.{ending}", form, shapes)
            for ending, form in exchanged
        },
        "results store: the file": partial(_store, bench, folder / "whole", "file"),
        "results store: its rows": partial(_store, bench, folder / "whole", "rows"),
        "results store: means": partial(_store, bench, folder / "whole", "means"),
        "prompts": _prompts,
        "specification": _specification,
    }


def _copied(place: Path, *without: str) -> Path:
    model = place / "model"
    shutil.copytree(MINI, model, ignore=shutil.ignore_patterns("__pycache__", "*.py", *without))
    return model


def _weights(name: str, place: Path, data: bytes) -> object:
    model = _copied(place, "model.safetensors")
    (model / name).write_bytes(data)
    return open_model(model)


def _in_pieces(place: Path, data: bytes) -> object:
    model = _copied(place, "model.safetensors")
    piece = "pytorch_model-00001-of-00001.bin"
    (model / piece).write_bytes(data)
    index = {"metadata": {"total_size": len(data)}, "weight_map": {"transformer.wte.weight": piece}}
    (model / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return open_model(model)


def _native(place: Path, data: bytes) -> object:
    model = _copied(place, "model.safetensors", "config.json")
    (model / "config.json").write_text(json.dumps(NATIVE))
    (model / "model.pth").write_bytes(data)
    return open_model(model)


def _beside(name: str, place: Path, data: bytes) -> object:
    model = _copied(place)
    (model / name).write_bytes(data)
    if name.startswith("adapter"):
        (model / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "."}')
    return open_model(model)


def _exchanged(name: str, form: str, shapes: Any, place: Path, data: bytes) -> object:
    (place / name).write_bytes(data)
    return cd.exchange.read(place / name, shapes, form)


def _store(bench: Bench, whole: Path, what: str, place: Path, data: bytes) -> object:
    shutil.copytree(whole, place / "store")
    path = place / "store" / "results.sqlite"
    if what == "rows":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE readings SET numbers = ?", (data[:2000],))
    else:
        path.unlink()
        for file in (place / "store" / "means").iterdir() if what == "means" else [path]:
            file.write_bytes(data)
    return bench.check(store=cd.Store.in_folder(place / "store"))


def _prompts(place: Path, data: bytes) -> object:
    (place / "my.jsonl").write_bytes(data)
    return cd.tasks.describe(TaskRef("file", (("", "my.jsonl"),), str(place)))


def _specification(place: Path, data: bytes) -> object:
    (place / "my.circuit").write_bytes(data)
    return cd.load(place / "my.circuit")
