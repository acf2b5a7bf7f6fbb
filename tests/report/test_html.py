"""HTML reports: everything that was found is in them, they need no network, and foreign text is text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_samples import LEFT, RIGHT, report
from test_sweep_pages import sweep, withheld

import circuitdsl as cd
from benchmarks.robustness.evil_texts import TOGETHER, poisoned
from circuitdsl.compare.structure import compare
from circuitdsl.errors import InputError
from circuitdsl.outcome import CircuitDiff
from circuitdsl.report.words import measured, verdicts
from circuitdsl.visible import UNSEEN, visible_lines
from samples import examples

VOID = {"meta", "br", "link", "img", "input", "hr"}
OURS = re.compile(r"<script>.*?</script>|<style>.*?</style>", re.DOTALL)


class Read(HTMLParser):
    """The tags of a page with their attributes, its text, and what its links lead to."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [str(found[attribute]) for _, found in self.tags if attribute in found]


def paged():
    return {
        "report": report(),
        "sweep": sweep(),
        "withheld": withheld(),
        "diff": CircuitDiff(LEFT, RIGHT, compare(LEFT, RIGHT)),
        "atlas": cd.atlas(*cd.load("planted/ioi", "planted/colored_objects", "planted/induction").circuits),
    }


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: cd.show(what, "html") for name, what in paged().items()}


@pytest.fixture(scope="module", params=list(paged()))
def page(request, pages) -> str:
    return pages[request.param]


def test_it_is_one_file_of_bounded_size_in_which_all_tags_are_closed(page: str):
    assert page.startswith("<!doctype html>")
    assert len(page.encode()) < 3_000_000
    assert Read(page).open == []


def test_a_page_of_ten_circuits_is_of_bounded_size_too():
    (first,), shown = report().circuits, examples([f"{layer}.{head}" for layer in range(3) for head in range(10)], 60)
    circuits = tuple(
        replace(first, circuit=replace(first.circuit, name=f"ioi_{place}"), examples=shown) for place in range(10)
    )
    assert len(cd.show(replace(report(), circuits=circuits), "html").encode()) < 3_000_000


def test_it_asks_for_nothing_from_a_network(page: str):
    read = Read(page)
    assert not read.values("src") and not [tag for tag, _ in read.tags if tag in ("link", "iframe", "img", "object")]
    assert all(link.startswith("#") for link in read.values("href"))
    (policy,) = [found["content"] for tag, found in read.tags if found.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'")
    assert "@import" not in page and "url(" not in "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))


def test_links_lead_to_places_of_the_page(page: str):
    read = Read(page)
    anchors = read.values("id")
    assert len(set(anchors)) == len(anchors)
    assert {link.removeprefix("#") for link in read.values("href")} <= set(anchors)


def test_every_picture_is_said_in_words_and_can_be_reached_by_keys(page: str):
    read = Read(page)
    regions = [found for tag, found in read.tags if found.get("role") == "region"]
    assert all(found.get("aria-label") and found.get("tabindex") == "0" for found in regions)
    assert sum(tag == "figure" for tag, _ in read.tags) == sum(tag == "figcaption" for tag, _ in read.tags)
    assert [found.get("lang") for tag, found in read.tags if tag == "html"] == ["en"]


def test_a_report_has_every_claim_once_with_its_figure_and_what_does_not_hold_first(pages):
    page, found = Read(pages["report"]), report()
    for outcome in found.outcomes:
        assert outcome.claim.text in page.text
        if outcome.estimate.value is not None:
            assert measured(outcome) in page.text
    rows = [name for name in page.values("id") if "-claim-" in name]
    assert len(rows) == len(found.outcomes)
    assert verdicts(found.summary) in page.text
    assert page.text.index("What does not hold") < page.text.index(f"circuit {found.circuits[0].circuit.name}")


def test_a_graph_leads_to_the_claims_of_its_edges(pages):
    read = Read(pages["report"])
    edges = [outcome for outcome in report().circuits[0].claims if outcome.claim.kind in ("edge", "no edge")]
    assert edges
    arrows = [found for tag, found in read.tags if tag == "a" and "arrow" in str(found.get("class"))]
    assert len(arrows) == 2 * len(edges)  # the line, and its label
    assert {str(found["class"]).split()[1] for found in arrows} == {str(edge.verdict) for edge in edges}


def test_single_prompts_have_both_figures_and_what_each_head_looks_at(pages):
    text = " ".join(Read(pages["report"]).text.split())
    assert "Of 60 prompts those on which logit_diff with the circuit alone" in text
    assert "01-BABA5.50-1.25-6.75" in text and "01-BABA5.505.00-0.50" in text
    assert text.count("mover 2.0 at END8 , 90%") == 3  # on the typical prompt and on the two served worst


def test_every_prompt_of_which_it_is_known_where_heads_look_is_drawn():
    (first,), shown = report().circuits, examples(("2.0",), 15)
    looked_at = tuple(replace(prompt, looks=shown.typical.looks) for prompt in shown.worst)
    page = cd.show(replace(report(), circuits=(replace(first, examples=replace(shown, worst=looked_at)),)), "html")
    places = re.findall(r"Attention on prompt (\d) of those served worst", Read(page).text)
    assert list(dict.fromkeys(places)) == ["1", "2", "3"] and "Attention on a typical prompt" in page


def test_where_no_prompt_is_served_worse_than_by_the_model_that_is_said():
    (first,), shown = report().circuits, examples(("2.0",), 15)
    page = cd.show(replace(report(), circuits=(replace(first, examples=replace(shown, worst=())),)), "html")
    text = " ".join(Read(page).text.split())
    assert "On none of the worse half of 60 prompts logit_diff with the circuit alone" in text
    assert "01-BABA5.505.00-0.50" in text


def test_what_does_not_hold_has_what_to_try_next(pages):
    text = Read(pages["report"]).text
    assert "try: `circuitdsl draft --refine" in text[text.index("What does not hold") :]


@pytest.mark.parametrize("evil", TOGETHER, ids=range(len(TOGETHER)))
def test_foreign_text_is_shown_and_does_nothing(evil: str):
    made, left, right = poisoned(report(), evil), poisoned(LEFT, evil), poisoned(RIGHT, evil)
    for what in (made, CircuitDiff(left, right, poisoned(compare(left, right), evil))):
        page = OURS.sub("", cd.show(what, "html"))
        page.encode("utf-8")
        assert not UNSEEN.search(page.replace("\n", "").replace("\t", ""))
        read = Read(page)
        assert read.open == []
        kinds = {str(found.get("type")) for tag, found in read.tags if tag == "script"}
        assert kinds <= {"application/json"}
        assert not [name for _, found in read.tags for name in found if name.startswith("on")]
        shown = re.sub(r"\s+", " ", visible_lines(evil)).strip()
        assert shown in re.sub(r"\s+", " ", read.text)


def test_what_has_no_page_says_so():
    with pytest.raises(InputError, match="no page of a plan"):
        cd.show(cd.plan("planted/ioi", unexplained=False), "html")
