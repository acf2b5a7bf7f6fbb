"""What a node of a cluster answers, asked in this process."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import circuitdsl as cd
from circuitdsl.check.node import Ends, How, Node, Ready
from circuitdsl.check.panel import Column, gathered
from circuitdsl.engine.cluster.worker import Refused
from circuitdsl.errors import RunError
from circuitdsl.models.folders import MINI
from circuitdsl.models.listing import listed
from circuitdsl.report.data.recorded import record
from circuitdsl.version import JUDGED, versions

MEMORY = 200_000


def node(device: str) -> Node:
    """With as many threads as there are here."""
    how = How(False, "fast", device, None, "", MEMORY, None, record, str(Path.cwd()))
    return Node(how, torch.get_num_threads())


def test_what_it_has_is_told_as_far_as_verdicts_depend_on_it():
    ready = node("cpu").open()
    assert isinstance(ready, Ready) and ready.versions == versions(JUDGED)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU can be used here")
def test_a_node_whose_gpu_cannot_be_used_is_refused():
    assert isinstance(node("cuda").open(), Refused)


def test_where_no_model_can_be_checked_the_first_error_is_raised(tmp_path: Path):
    """As on one machine, with its remedy and its exit code, from node to driver."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((MINI / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    spec = tmp_path / "c.circuit"
    spec.write_text("circuit c { model mini task ioi method { prompts 10 } expect logit_diff > 0 }", "utf-8")
    model = listed(str(tmp_path))
    ends = node("cpu").begin(cd.load(spec, model=model.name), model)
    assert isinstance(ends, Ends)
    with pytest.raises(cd.InputError) as here:
        cd.panel(spec, [model], store=False, device="cpu")
    with pytest.raises(type(here.value)) as caught:
        gathered([model], [pickle.loads(pickle.dumps(ends)).column])
    assert str(caught.value) == str(here.value) and caught.value.exit_code == here.value.exit_code


def test_a_cluster_that_is_lost_says_how_many_models_were_done():
    def columns() -> Iterator[Column]:
        yield from ()
        raise RunError("the connection to the Ray cluster was lost", "look at it")

    with pytest.raises(RunError, match="was lost; 0 of 1 models were done by then"):
        gathered([listed("mini")], columns())
