"""The workers of a model on a cluster of which only the answers are here: what is started, refused and given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from circuitdsl.engine.cluster.distributed import Distributed
from circuitdsl.engine.cluster.worker import Known, Refused, Wanted, versions
from circuitdsl.engine.cluster.workers import Workers
from circuitdsl.engine.manifest import Facts
from circuitdsl.engine.references import NO_REFERENCES
from circuitdsl.errors import InputError, RunError
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import Data
from circuitdsl.models.geometry import Geometry

exceptions = pytest.importorskip("ray.exceptions", reason="Ray is not installed: pip install 'circuitdsl[ray]'")

RpcError = pytest.importorskip("grpc").RpcError

FACTS = Facts("mini", Geometry("mini", 1, 1, 1, 8, 8, 8, 8, 8), "f", "i", "fast", (), "float32", "cpu", "")
KNOWN = Known(FACTS, None, 0, versions(), "CPUs with AVX2")
DATA = Data(TaskRef("none"), 0, False)
WANTED = Wanted("mini", "none", None, None, None, "fast", 0, str(Path.cwd()))


class Ref:
    """Of an answer to come."""

    def __init__(self, answer: Any):
        self.answer = answer


@dataclass
class Actor:
    """A worker that was started, with what it was given; ``opened`` is what it answers, or raises."""

    given: Sequence[Any]
    opened: Any

    @property
    def open(self) -> Any:
        return Method(lambda: self.opened)


@dataclass
class Method:
    answer: Any

    def remote(self, *given: Any) -> Ref:
        return Ref(self.answer())


@dataclass
class Answering:
    """A library whose cluster has these nodes, and whose workers answer one after the other as is said, the last of it
    again and again."""

    resources: Sequence[Mapping[str, float]]
    opened: list[Any]
    actors: list[Actor] = field(default_factory=list)
    options_given: list[dict[str, Any]] = field(default_factory=list)
    lost: BaseException | None = None
    closed: bool = False

    def is_initialized(self) -> bool:
        return not self.closed

    def nodes(self) -> list[dict[str, Any]]:
        if self.lost:
            raise self.lost
        return [
            {"Alive": True, "Resources": each, "NodeID": f"{number:056x}", "NodeManagerHostname": f"host{number}"}
            for number, each in enumerate(self.resources)
        ]

    def remote(self, kind: Any = None, *given: Any) -> Any:
        if isinstance(kind, type):
            return self
        self.actors.append(Actor((kind, *given), self.opened.pop(0) if len(self.opened) > 1 else self.opened[0]))
        return self.actors[-1]

    def options(self, **given: Any) -> Answering:
        self.options_given.append(given)
        return self

    def wait(self, refs: Sequence[Ref], num_returns: int) -> tuple[Sequence[Ref], Sequence[Ref]]:
        if self.lost:
            raise self.lost
        assert refs, "there is nothing to wait for"
        return refs[:num_returns], refs[num_returns:]

    def get(self, ref: Ref) -> Any:
        if isinstance(ref.answer, BaseException):
            raise ref.answer
        return ref.answer

    def kill(self, actor: Actor) -> None:
        if self.lost:
            raise self.lost


def workers(resources: Sequence[Mapping[str, float]], *opened: Any) -> tuple[Workers, Answering]:
    library = Answering(resources, [*opened])
    return Workers(library, WANTED), library


def test_workers_that_all_end_while_they_open_end_the_call():
    some, library = workers([{"CPU": 1}], exceptions.RayActorError())
    some.place()
    with pytest.raises(RunError, match="no worker on the cluster is left, of 3 that were started"):
        while True:
            list(some.next())
    assert len(library.actors) == 3


@pytest.mark.parametrize("raised", [ConnectionError, RpcError, exceptions.RaySystemError])
def test_a_cluster_that_is_lost_is_an_error_with_a_remedy(raised: type[Exception]):
    some, library = workers([{"CPU": 1}], KNOWN)
    some.first()
    library.lost = raised("the channel is closed")
    for asked in (some.place, lambda: list(some.next())):
        with pytest.raises(RunError, match=r"the connection to the Ray cluster was lost: .*the channel is closed"):
            asked()


def test_a_connection_that_is_closed_is_asked_for_nothing():
    some, library = workers([{"CPU": 1}], KNOWN)
    some.first()
    library.closed = True
    library.wait = library.nodes = library.kill = AssertionError  # pyright: ignore[reportAttributeAccessIssue]
    for asked in (some.place, lambda: list(some.next())):
        with pytest.raises(RunError, match="the connection to the Ray cluster was lost: ConnectionError: it is closed"):
            asked()
    some.close()


def test_workers_that_cannot_be_ended_hide_no_interrupt():
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    some, library = workers([{"CPU": 1}], KNOWN)
    engine = Distributed(some, some.first().facts, None, interrupt)  # pyright: ignore[reportArgumentType]
    library.put = interrupt  # pyright: ignore[reportAttributeAccessIssue]
    library.kill = broken  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(KeyboardInterrupt):
        engine.run(DATA, [], 0, 0, [], NO_REFERENCES)
    assert not some.ready


OTHER_FACTS = replace(KNOWN, facts=replace(FACTS, fingerprint="g"))
OTHER_VERSIONS = replace(KNOWN, versions={**KNOWN.versions, "torch": "1.0"})
OTHER_HARDWARE = replace(KNOWN, hardware="CPUs with AVX512")
REFUSED = Refused("there is no model mini", "look at its name", 2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (REFUSED, "there is no model mini (on the node host"),
        (OTHER_VERSIONS, " has torch 1.0 for "),
        (OTHER_HARDWARE, " has CPUs with AVX512, and others have CPUs with AVX2"),
        (OTHER_FACTS, "the model mini is another on the node host"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_node_that_is_unlike_the_others_runs_nothing_and_the_note_says_why(answer: Any, said: str, first: bool):
    differs = answer in (OTHER_FACTS, OTHER_HARDWARE)  # of two such, the first one says what the others are to have
    some, library = workers([{"CPU": 1}] * 2, *((answer, KNOWN) if first and not differs else (KNOWN, answer)))
    engine = Distributed(some, some.first().facts, None, lambda _: None)  # pyright: ignore[reportArgumentType]
    assert len(some.all()) == 1
    some.place()
    assert len(library.actors) == 2
    assert "ran nothing" in engine.note and said in engine.note


@pytest.mark.parametrize("answer", [REFUSED, OTHER_VERSIONS])
def test_nodes_that_are_all_refused_are_wrong_input(answer: Any):
    some, _ = workers([{"CPU": 1}] * 2, answer)
    with pytest.raises(InputError) as raised:
        some.first()
    assert raised.value.exit_code == 2 and "host1" in raised.value.message


def broken(*_: object) -> None:
    raise ConnectionError
