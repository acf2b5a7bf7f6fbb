"""Reports read back from their JSON, which anybody may have written: within limits, with the place of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, cast, get_args

from circuitdsl.errors import InputError, listed
from circuitdsl.exchange.fields import Field, short
from circuitdsl.exchange.files import read_bytes
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.singles import Asked, Singles
from circuitdsl.language.circuit import Bound, Op
from circuitdsl.outcome.drift import Recorded, Standing
from circuitdsl.outcome.panel import SCHEMA as PANEL
from circuitdsl.outcome.report import SCHEMA, Report
from circuitdsl.report.data.recorded_singles import read_asked, read_singles

_REMEDY = "write it again: circuitdsl check ... --format json -o report.json"


def read_report(path: str | Path) -> Recorded:
    """A report's file, of at most 128 MiB, or a model of a panel's: ``panel.json:LABEL``. Raises InputError."""
    file, colon, label = parted(str(path))
    data = _read(Path(file))
    return read_model(data, file, label) if colon else recorded(data, file)


def parted(written: str) -> tuple[str, str, str]:
    """A file, and the label of a model in it if a colon comes after the file's name."""
    ends = [place for place, sign in enumerate(written) if sign == ":"]
    for end in () if _is_file(written) else ends:
        if _is_file(written[:end]):
            return written[:end], ":", written[end + 1 :]
    return written, "", ""


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name too long for a file, or with a null character
        return False


def _read(path: Path) -> object:
    name = str(path)
    try:
        text = read_bytes(path).decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is not UTF-8", _REMEDY) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}", _REMEDY
        ) from error
    except RecursionError as error:
        raise InputError(f"{name} is nested too deep", _REMEDY) from error
    except ValueError as error:  # NaN, or a whole number of thousands of digits
        raise InputError(f"{name}: not JSON: {error}", _REMEDY) from error


def record(report: Report) -> Recorded:
    """What a report says."""
    return recorded(report.to_dict(), "the report")


def recorded(data: object, name: str) -> Recorded:
    """What a report's data say. ``name`` is what errors call it. Raises InputError."""
    whole = dict(Field(data, name).items())
    schema = of(whole, "schema", Field(data, name)).text()
    if schema == PANEL:
        raise InputError(f"{name} is a panel of many models", f"say which of them is meant: {name}:LABEL")
    if schema not in _READ:
        problem = f"{name} has the schema {short(schema)}, and {SCHEMA} is read"
        raise InputError(problem, "both reports have to be written by versions with this schema; " + _REMEDY)
    top = Field(data, name)
    facts = {f"version of {key}": value.text() for key, value in of(whole, "versions", top).items()}
    facts |= {key: of(whole, key, top).text() for key in ("engine", "dtype", "device")}
    weights: dict[str, tuple[str, str]] = {}
    claims: dict[str, Standing] = {}
    prompts = {key: read_asked(value) for key, value in whole["prompts"].items()} if "prompts" in whole else {}
    for circuit in of(whole, "circuits", top).elements():
        has = dict(circuit.items())
        block = of(has, "name", circuit).text()
        facts |= {f"{key} of {block}": _said(of(has, key, circuit)) for key in _FACTS}
        facts |= {f"{key} of {block}": _said(value) for key, value in of(has, "method", circuit).items()}
        called, revision = of(has, "model", circuit).text(), _said(of(has, "revision", circuit))
        called = called if not revision or "@" in called else f"{called}@{revision}"
        weights[block] = (of(has, "fingerprint", circuit).text(), called)
        _add(claims, block, of(has, "claims", circuit), prompts)
    for kind, names in (("comparisons", ("left", "right")), ("interventions", ("name",))):
        for each in of(whole, kind, top).elements():
            has = dict(each.items())
            block = " with ".join(_called(of(has, key, each)) for key in names)
            _add(claims, block, of(has, "claims", each), prompts)
    return Recorded(facts, weights, claims)


_READ = ("circuitdsl/report/6", "circuitdsl/report/7", "circuitdsl/report/8", "circuitdsl/report/9", SCHEMA)
"""The schemas whose claims are what they are today; the two oldest say nothing of single prompts."""

_FACTS = ("model", "revision", "fingerprint", "identity", "processing", "task", "dictionaries")


def _called(name: Field) -> str:
    """The name of a circuit, by itself or as the ``name`` of an object."""
    return name.text() if isinstance(name.value, str) else of(dict(name.items()), "name", name).text()


def _add(claims: dict[str, Standing], block: str, several: Field, prompts: Mapping[str, Asked]) -> None:
    for standing in _standings(block, several, prompts):
        if standing.id in claims:
            several.wrong(f"the claim {short(standing.id)} stands twice", _REMEDY)
        claims[standing.id] = standing


def _standings(block: str, several: Field, prompts: Mapping[str, Asked]) -> Iterator[Standing]:
    for claim in several.elements():
        has = dict(claim.items())
        about = json.dumps([of(has, key, claim).value for key in ("measure", "unit", "subject")], sort_keys=True)
        singles = read_singles(has["singles"], prompts) if "singles" in has else None
        yield standing_of(claim, of(has, "id", claim).text(), block, of(has, "unit", claim).text(), about, singles)


def standing_of(claim: Field, name: str, block: str, unit: str, about: str, singles: Singles | None) -> Standing:
    """How a claim of this name stood, by an object that says its text, estimate, verdict and bound."""
    has = dict(claim.items())
    verdict, confidence = of(has, "verdict", claim), of(has, "confidence", claim)
    if verdict.text() not in set(Verdict):
        verdict.wrong(f"{short(verdict.value)} is no verdict", f"known: {', '.join(Verdict)}")
    value, low, high = (_number(of(has, key, claim)) for key in ("value", "low", "high"))
    if value is not None and ((low is not None and low > value) or (high is not None and high < value)):
        claim.wrong("the value lies outside of its interval", _REMEDY)
    exact = low is not None and low == value == high
    if not 0 < confidence.number() < 1 and not (exact and confidence.value == 1):
        confidence.wrong(f"{short(confidence.value)} is no confidence", "it lies between 0 and 1")
    bound = of(has, "bound", claim)
    return Standing(
        name,
        block,
        of(has, "text", claim).text(),
        unit,
        about,
        Estimate(value, low, high),
        confidence.number(),
        Verdict(verdict.text()),
        of(has, "prompts", claim).whole(),
        of(has, "note", claim).text(),
        None if bound.value is None else _bound(bound),
        singles,
    )


def _bound(wanted: Field) -> Bound | None:
    """What a claim wants; a control counts as its own value."""
    has = dict(wanted.items())
    op = of(has, "op", wanted)
    if "control" not in has:
        if op.text() not in get_args(Op):
            op.wrong(f"{short(op.value)} is no comparison", f"known: {', '.join(get_args(Op))}")
        low, high = (_number(of(has, end, wanted)) for end in ("low", "high"))
        return Bound(cast(Op, op.text()), low, high)
    value = _number(of(has, "value", wanted))
    if value is None:
        return None
    return Bound(">", low=value) if op.text() == ">" else Bound("<", high=value)


def of(has: Mapping[str, Field], key: str, whole: Field) -> Field:
    """What an object has under a key. Raises InputError where it has nothing."""
    if key not in has:
        whole.wrong(f"there is no `{key}`", _REMEDY)
    return has[key]


def _number(field: Field) -> float | None:
    return None if field.value is None else field.number()


def _said(field: Field) -> str:
    """A value of any kind as text; what is not there says nothing."""
    if field.value is None:
        return ""
    return field.value if isinstance(field.value, str) else json.dumps(field.value, sort_keys=True)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


# --- a model of a panel ------------------------------------------------------------------------------

_SHOWN = 8  # labels that a message names


def read_model(data: object, name: str, label: str) -> Recorded:
    """What a panel's data say of the model with this label. ``name`` is what errors call it. Raises InputError."""
    top = Field(data, name)
    whole = dict(top.items())
    if of(whole, "schema", top).text() != PANEL:
        raise InputError(f"{name} is no panel of models that is read ({PANEL})", "name a report by its file alone")
    models = [dict(model.items()) for model in of(whole, "models", top).elements()]
    labels = [of(model, "label", top).text() for model in models]
    if label not in labels:
        known = listed(labels, _SHOWN) or "none"
        raise InputError(f"no model of the panel {name} is called {short(label)}", f"there are: {known}")
    place = labels.index(label)
    model = models[place]
    if of(model, "error", top).value is not None:
        raise InputError(f"the panel {name} has no figures of {short(label)}", "name a model that was checked")
    facts = {key: value.text() for key, value in of(model, "facts", top).items()}
    weights: dict[str, tuple[str, str]] = {}
    for circuit, each in of(model, "weights", top).items():
        has = each.fields(("fingerprint", "name"))
        weights[circuit] = has["fingerprint"].text(), has["name"].text()
    prompts = {key: read_asked(value) for key, value in of(whole, "prompts", top).items()}
    standings = (_standing_in(claim, place, prompts) for claim in of(whole, "claims", top).elements())
    return Recorded(facts, weights, {each.id: each for each in standings if each is not None})


def _standing_in(claim: Field, place: int, prompts: Mapping[str, Asked]) -> Standing | None:
    """How a claim of a panel stood in the model at this place; None where it was not checked."""
    has = dict(claim.items())
    standings = list(of(has, "standings", claim).elements())
    if place >= len(standings):
        claim.wrong("it has fewer standings than there are models", _REMEDY)
    each = standings[place]
    if each.value is None:
        return None
    says = dict(each.items())
    name, block, unit = (of(has, key, claim).text() for key in ("id", "block", "unit"))
    singles = read_singles(of(says, "singles", each), prompts)
    return standing_of(each, name, block, unit, of(says, "about", each).text(), singles)
