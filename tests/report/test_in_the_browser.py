"""HTML reports in headless Chromium, with circuits of models of four shapes: drawn, readable, and reached by keys."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import LEFT, RIGHT, functional_of_two, report
from test_pictures import BROWSER, CHROMIUM

import circuitdsl as cd
import samples
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import Circuit
from circuitdsl.outcome import CircuitDiff, CircuitReport, ClaimOutcome, HeadOutcome, Report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")

SHAPES = {
    "mini (4 x 8)": "mini/ioi",
    "gpt2 (12 x 12)": "gpt2/ioi",
    "smollm2 (30 x 9)": "smollm2-135m/ioi",
    "gpt2-medium (24 x 16)": "gpt2-medium/ioi",
}


def made_up(circuit: Circuit) -> Report:
    """A report of a circuit whose figures and verdicts are drawn at random, so that no model is needed."""
    rng = random.Random(circuit.name)

    def estimate() -> Estimate:
        value = rng.uniform(-1, 1)
        return Estimate(value, value - rng.random() / 5, value + rng.random() / 5)

    verdicts = list(Verdict)
    units = cd.environment().measures
    claims = tuple(
        ClaimOutcome(claim, units[claim.term.measure].unit, estimate(), rng.choice(verdicts), 0.95, 60)
        for claim in circuit.claims
    )
    heads = tuple(
        HeadOutcome(str(node.component), str(node.position), (role.name,), estimate())
        for role in circuit.roles
        for node in role.nodes
    )
    part = CircuitReport(
        circuit=circuit,
        model=circuit.model,
        processing="weights as they are",
        prompts=60,
        claims=claims,
        heads=heads,
        examples=samples.examples(list(dict.fromkeys(head.head for head in heads))[:30], 60),
    )
    return replace(report(), circuits=(part,), comparisons=(), interventions=())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(BROWSER))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    written = {}
    for number, (name, spec) in enumerate(SHAPES.items()):
        written[name] = folder / f"{number}.html"
        written[name].write_text(cd.show(made_up(cd.load(spec).circuits[0]), "html"), encoding="utf-8")
    written["every verdict"] = folder / "sample.html"
    written["every verdict"].write_text(cd.show(report(), "html"), encoding="utf-8")
    found = functional_of_two()
    written["two circuits"] = folder / "two.html"
    written["two circuits"].write_text(
        cd.show(CircuitDiff(LEFT, RIGHT, found.structure, functional=found), "html"), "utf-8"
    )
    return written


def opened(browser, file: Path, **options) -> tuple[Any, list[str]]:
    """A page when it is drawn, and what its console said; nothing may be asked of a network."""
    page = browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=120_000)
    return page, said


@pytest.mark.parametrize("name", [*SHAPES, "every verdict", "two circuits"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn_without_a_complaint_and_fits_a_phone(browser, files, name: str, scheme: str):
    page, said = opened(browser, files[name], viewport={"width": 390, "height": 844}, color_scheme=scheme)
    try:
        assert said == []
        charts = page.query_selector_all(".chart svg")
        assert len(charts) == len(page.query_selector_all("script.spec")) >= 1
        assert all(chart.bounding_box()["height"] > 40 for chart in charts)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390  # wide things scroll by themselves
    finally:
        page.close()


CONTRAST = """() => {
  const light = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const parsed = (text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const of = (text) => { const [r, g, b] = parsed(text).map(light); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = of(getComputedStyle(document.body).backgroundColor);
  const found = {};
  for (const element of document.querySelectorAll("h1, h2, p, td, th, dt, dd, a:not(.arrow), summary, figcaption")) {
    const ink = of(getComputedStyle(element).color);
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (ratio < 4.5) found[element.className + " " + element.tagName] = ratio;
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, files, scheme: str):
    """By the 4.5 of WCAG 2.1, AA."""
    page, _ = opened(browser, files["every verdict"], color_scheme=scheme)
    try:
        assert page.evaluate(CONTRAST) == {}
    finally:
        page.close()


def test_an_edge_is_reached_by_keys_and_leads_to_its_claim(browser, files):
    page, _ = opened(browser, files["mini (4 x 8)"])
    try:
        for _ in range(400):  # after the links to what does not hold
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.classList.contains('arrow')"):
                break
        else:
            raise AssertionError("no arrow is reached")
        anchor = page.evaluate("document.activeElement.getAttribute('href')")
        assert str(anchor).startswith("#circuit-1-claim-")
        page.keyboard.press("Enter")
        row = page.query_selector("tr:target")
        assert row is not None and "edge" in row.inner_text()
    finally:
        page.close()


def test_labels_cover_no_box_and_no_other_label(browser, files):
    for name in SHAPES:
        page, _ = opened(browser, files[name])
        try:
            boxes = page.evaluate(
                "[...document.querySelectorAll('.graph .chip, .graph .box')].map(e => { const b = e.getBBox();"
                " return [b.x, b.y, b.width, b.height]; })"
            )
            covered = sum(
                a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
                for place, a in enumerate(boxes)
                for b in boxes[:place]
            )
            assert covered <= len(boxes) // 10, name  # where arrows are too short or too many
        finally:
            page.close()


def test_on_paper_all_tables_are_open(browser, files, tmp_path: Path):
    page, _ = opened(browser, files["every verdict"])
    try:
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("[...document.querySelectorAll('details.behind')].every(each => each.open)")
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        page.pdf(path=str(tmp_path / "page.pdf"))
        assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    finally:
        page.close()
