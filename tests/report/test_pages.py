"""Texts about names: the generated pages, explanations, plans and prompts."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

import circuitdsl as cd
from circuitdsl.language.diagnostics import codes
from circuitdsl.language.resolve import resolve_text
from circuitdsl.measures.registry import measure_infos
from circuitdsl.report import output, reference
from circuitdsl.report.pages.explain import measure_text
from circuitdsl.report.pages.plan import render_plan
from circuitdsl.report.pages.prompts import render_prompts
from circuitdsl.tasks.prompts import Prompt, PromptSet

ROOT = Path(__file__).parents[2]


def test_the_reference_pages_are_those_that_the_code_writes():
    again = "run python -m circuitdsl.report.reference"
    docs = ROOT / "docs"
    assert (docs / "measurements.md").read_text("utf-8") == reference.measurements_page(measure_infos()), again
    assert (docs / "diagnostics.md").read_text("utf-8") == reference.diagnostics_page(codes()), again


def test_every_measurement_and_every_code_has_a_place_in_them():
    page = reference.measurements_page(measure_infos())
    assert all(f"## {name}\n" in page for name in measure_infos())
    rows = [line for line in reference.diagnostics_page(codes()).splitlines() if line.startswith("| C")]
    assert len(rows) == len(codes())
    assert all(line.replace("\\|", "").count("|") == 3 for line in rows)


@pytest.mark.parametrize("name", measure_infos())
def test_a_measurement_says_its_unit_and_where_it_comes_from(name: str):
    info = measure_infos()[name]
    text = measure_text(info)
    assert name in text
    assert info.unit.replace("share", "") in text
    assert all(parameter.name in text for parameter in info.parameters)


def test_a_plan_says_what_is_shared_and_what_it_costs():
    body = "model mini\n task ioi\n method { prompts 30 }\n role r at END { 3.0 3.1 }\n expect faithfulness >= 0%"
    plan = cd.plan(resolve_text(f"circuit c {{\n {body}\n}}\n", "c.circuit", cd.environment()))
    shown = output.to_text(render_plan(plan), 80)
    lines = shown.splitlines()
    assert lines[0] == f"{plan.distinct} experiments on 30 prompts at first"
    assert lines[1].startswith(f"{plan.asked} asked for, {plan.asked - plan.distinct} of them shared")
    one_by_one, fast = lines[3:5]
    assert one_by_one.split()[-3:] == [f"{plan.plain.total:.0f}", "forward", "passes"]
    assert f" about  {plan.fast.total:.0f}  forward passes, " in fast
    at = lines.index("c")
    assert [line.strip().split("  ")[0] for line in lines[at + 1 : at + 6]] == [
        *("the task", "claims", "what it keeps", "each of its heads", "each other head"),
    ]
    assert max(map(len, lines)) <= 80
    assert any(line.strip().startswith("c: role r at END: 3.0 matters") for line in lines)
    verbose = output.to_text(render_plan(plan, verbose=True), 80)
    assert all(f"    {line.job.about} " in verbose for line in plan.lines)


class Letters:
    """A tokenizer of one letter a token."""

    def decode(self, tokens: list[int]) -> str:
        return "".join(map(chr, tokens))


def test_prompts_are_shown_token_by_token_with_positions_answers_and_changes():
    tokens = tuple(map(ord, "ab\nc "))
    prompt = Prompt(
        template="one",
        text="ab\nc ",
        tokens=tokens,
        answer=ord("x"),
        wrong=(ord("y"), ord("z")),
        options=(ord("x"), ord("y"), ord("z")),
        positions=MappingProxyType({"S1": (1,), "END": (4,), "S2": (1,)}),
        counterfactuals=MappingProxyType({"abc": tuple(map(ord, "qb\nc "))}),
    )
    drawn = PromptSet((prompt,), notes=("18 of 20 names are one token",))
    lines = output.to_text(render_prompts(drawn, Letters()), 80).splitlines()
    assert lines[0] == "one, 5 tokens"
    assert lines[1] == "a b[S1 S2] ⏎ c ' '[END]"
    assert [line.split(None, 1) for line in lines[2:5]] == [
        ["answer", "'x'"],
        ["wrong", "'y', 'z'"],
        ["abc", "0: a → q"],
    ]
    assert lines[-1] == "note: 18 of 20 names are one token"


def test_the_page_on_plans_names_every_key_of_their_json():
    body = "model mini\n task ioi\n method { prompts 30 }\n expect logit_diff >= 0"
    plan = cd.plan(resolve_text(f"circuit c {{\n {body}\n}}\n", "c.circuit", cd.environment())).to_dict()
    page = (ROOT / "docs" / "plan.md").read_text("utf-8")
    keys = {*plan, *plan["experiments"], *plan["passes"], *plan["lines"][0]} - {"schema"}  # type: ignore[misc, index]
    assert sorted(key for key in keys if f"`{key}`" not in page) == []
    assert f"`{plan['schema']}`" in page
