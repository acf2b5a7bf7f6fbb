"""Reports read back from their JSON, which anybody may have written: within limits, with the place of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, cast, get_args

from circuitdsl.errors import InputError
from circuitdsl.exchange.fields import Field, short
from circuitdsl.exchange.files import read_bytes
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.judge.singles import Asked
from circuitdsl.language.circuit import Bound, Op
from circuitdsl.outcome.drift import Recorded, Standing
from circuitdsl.outcome.report import SCHEMA
from circuitdsl.report.data.recorded_singles import read_asked, read_singles

_REMEDY = "write it again: circuitdsl check ... --format json -o report.json"


def read_report(path: str | Path) -> Recorded:
    """A report's file, of at most 128 MiB. Raises InputError."""
    name = str(path)
    try:
        text = read_bytes(Path(path)).decode("utf-8-sig")
        found = json.loads(text, parse_constant=_no_constant)
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
    return recorded(found, name)


def recorded(data: object, name: str) -> Recorded:
    """What a report's data say. ``name`` is what errors call it. Raises InputError."""
    whole = dict(Field(data, name).items())
    schema = _of(whole, "schema", Field(data, name)).text()
    if schema not in _READ:
        problem = f"{name} has the schema {short(schema)}, and {SCHEMA} is read"
        raise InputError(problem, "both reports have to be written by versions with this schema; " + _REMEDY)
    top = Field(data, name)
    facts = {f"version of {key}": value.text() for key, value in _of(whole, "versions", top).items()}
    facts |= {key: _of(whole, key, top).text() for key in ("engine", "dtype", "device")}
    weights: dict[str, tuple[str, str]] = {}
    claims: dict[str, Standing] = {}
    prompts = {key: read_asked(value) for key, value in whole["prompts"].items()} if "prompts" in whole else {}
    for circuit in _of(whole, "circuits", top).elements():
        has = dict(circuit.items())
        block = _of(has, "name", circuit).text()
        facts |= {f"{key} of {block}": _said(_of(has, key, circuit)) for key in _FACTS}
        facts |= {f"{key} of {block}": _said(value) for key, value in _of(has, "method", circuit).items()}
        called, revision = _of(has, "model", circuit).text(), _said(_of(has, "revision", circuit))
        called = called if not revision or "@" in called else f"{called}@{revision}"
        weights[block] = (_of(has, "fingerprint", circuit).text(), called)
        _add(claims, block, _of(has, "claims", circuit), prompts)
    for kind, names in (("comparisons", ("left", "right")), ("interventions", ("name",))):
        for each in _of(whole, kind, top).elements():
            has = dict(each.items())
            block = " with ".join(_called(_of(has, key, each)) for key in names)
            _add(claims, block, _of(has, "claims", each), prompts)
    return Recorded(facts, weights, claims)


_READ = ("circuitdsl/report/6", "circuitdsl/report/7", SCHEMA)
"""The schemas whose claims are what they are today; the older ones say nothing of single prompts."""

_FACTS = ("model", "revision", "fingerprint", "identity", "processing", "task", "dictionaries")


def _called(name: Field) -> str:
    """The name of a circuit, by itself or as the ``name`` of an object."""
    return name.text() if isinstance(name.value, str) else _of(dict(name.items()), "name", name).text()


def _add(claims: dict[str, Standing], block: str, listed: Field, prompts: Mapping[str, Asked]) -> None:
    for standing in _standings(block, listed, prompts):
        if standing.id in claims:
            listed.wrong(f"the claim {short(standing.id)} stands twice", _REMEDY)
        claims[standing.id] = standing


def _standings(block: str, listed: Field, prompts: Mapping[str, Asked]) -> Iterator[Standing]:
    for claim in listed.elements():
        has = dict(claim.items())
        verdict, confidence = _of(has, "verdict", claim), _of(has, "confidence", claim)
        if verdict.text() not in set(Verdict):
            verdict.wrong(f"{short(verdict.value)} is no verdict", f"known: {', '.join(Verdict)}")
        if not 0 < confidence.number() < 1:
            confidence.wrong(f"{short(confidence.value)} is no confidence", "it lies between 0 and 1")
        value, low, high = (_number(_of(has, key, claim)) for key in ("value", "low", "high"))
        if value is not None and ((low is not None and low > value) or (high is not None and high < value)):
            claim.wrong("the value lies outside of its interval", _REMEDY)
        yield Standing(
            _of(has, "id", claim).text(),
            block,
            _of(has, "text", claim).text(),
            _of(has, "unit", claim).text(),
            json.dumps([_of(has, key, claim).value for key in ("measure", "unit", "subject")], sort_keys=True),
            Estimate(value, low, high),
            confidence.number(),
            Verdict(verdict.text()),
            _of(has, "prompts", claim).whole(),
            _of(has, "note", claim).text(),
            _bound(_of(has, "bound", claim)),
            read_singles(has["singles"], prompts) if "singles" in has else None,
        )


def _bound(wanted: Field) -> Bound | None:
    """What a claim wants; a control counts as its own value."""
    has = dict(wanted.items())
    op = _of(has, "op", wanted)
    if "control" not in has:
        if op.text() not in get_args(Op):
            op.wrong(f"{short(op.value)} is no comparison", f"known: {', '.join(get_args(Op))}")
        low, high = (_number(_of(has, end, wanted)) for end in ("low", "high"))
        return Bound(cast(Op, op.text()), low, high)
    value = _number(_of(has, "value", wanted))
    if value is None:
        return None
    return Bound(">", low=value) if op.text() == ">" else Bound("<", high=value)


def _of(has: dict[str, Field], key: str, whole: Field) -> Field:
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
