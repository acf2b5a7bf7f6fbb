"""The worked examples of CONTRIBUTING.md do what the page says of them."""

from __future__ import annotations

import importlib
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuitdsl.components import ALL, END, Head, Node
from circuitdsl.engine.plain.cost import PlainCost
from circuitdsl.exchange.fields import Field
from circuitdsl.exchange.graph import Graph, GraphNode
from circuitdsl.language.environment import TaskRef
from circuitdsl.models.families.gpt2 import GPT2
from circuitdsl.models.word_level import BOS, PAD, UNK, by_words
from circuitdsl.report import words
from circuitdsl.report.output import View
from measures.answering import request, value
from samples import circuit, geometry, report

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
WHERE = {
    "A task": "language.environment tasks tasks.arguments tasks.drawing tasks.prompts tasks.words",
    "A measurement": "language.environment measures.estimands measures.experiments measures.measurement",
    "A component kind": "components",
    "An action": "actions",
    "A report format": "outcome report.formats report.output",
    "A format of circuits": "components exchange.fields exchange.graph exchange.names exchange.format",
    "An engine": "engine.base models",
    "A family of models": "models.families.base",
}
"""Modules of the package from which the names of an example are imported."""


def example(title: str, **given: Any) -> dict[str, Any]:
    """What there is by name after an example, which is ``given`` what it says is one's own."""
    names: dict[str, Any] = {"dataclass": dataclass, "json": json, "random": random, "words": words}
    for module in WHERE[title].split():
        names |= vars(importlib.import_module(f"circuitdsl.{module}"))
    names |= given
    exec(compile(f"from __future__ import annotations\n{EXAMPLES[title]}", title, "exec"), names)
    return names


def test_the_task_draws_prompts_whose_answer_is_the_word():
    opened = example("A task")["open_twice"](TaskRef("twice"))
    tokenizer = by_words(f"{PAD} {BOS} {UNK} They call by the name of Mary John Anna Tom".split(), 16)
    prompts = opened.draw(tokenizer, 6, seed=0, bos=False).prompts
    assert len({prompt.tokens for prompt in prompts}) > 1
    for prompt in prompts:
        (first,) = prompt.positions["FIRST"]
        assert prompt.tokens[first] == prompt.answer != prompt.counterfactuals["other"][first]


def test_the_measurement_is_what_the_answer_lacks_of_one():
    (measure,) = example("A measurement")["MEASURES"]
    asking = measure.estimator(request(circuit("c", {"r": "1.2 at END"}), "accuracy"))
    (asked,) = next(asking)
    with pytest.raises(StopIteration) as stop:
        asking.send({asked: np.array([0.5, 1.0])})
    assert value(stop.value.value) == 0.25


def test_the_component_stands_in_the_order_of_computation():
    kind = example("A component kind")["AttentionLayer"]
    (layer,) = kind.members((3,), None)
    assert str(layer) == kind.spelled((3,)) == kind.example
    assert Head(2, 0).writes < layer.writes == Head(3, 0).writes and layer.reads(False) == Head(3, 0).reads(False)
    assert layer.output == "blocks.3.hook_attn_out"


def test_the_action_changes_the_sign_of_outputs():
    class Run:
        def outputs(self, nodes: tuple[Node, ...]) -> dict[str, tuple[Node, ...]]:
            return {"hook": nodes}

    nodes = (Node(Head(0, 1), END),)
    ((name, mask, change),) = example("An action")["Negate"](nodes).writes(Run())
    assert (name, mask, float(change(torch.tensor(2.0)))) == ("hook", nodes, -2)


def test_the_report_format_has_a_line_a_claim():
    lines = example("A report format")["FORMAT"].render(report(), View()).splitlines()
    assert len(lines) == len(report().outcomes) and {line.count("\t") for line in lines} == {2}


def test_the_format_of_circuits_reads_what_it_writes():
    made = example("A format of circuits", _recognises=lambda content: True)["PAIRS"]
    shape = geometry(2, 3)
    graph = Graph(shape, nodes=(GraphNode(Node(Head(1, 2), ALL)),), recomputing=True)
    assert made.read(Field(json.loads(made.write(graph)), "found.json"), shape) == graph


def test_the_engine_states_its_cost_and_loads_nothing():
    assert example("An engine", MyCost=PlainCost)["MINE"].name == "mine"


def test_the_family_is_the_one_that_ships():
    assert example("A family of models")["GPT2"] == GPT2


def test_there_are_no_others():
    assert WHERE.keys() == EXAMPLES.keys()
