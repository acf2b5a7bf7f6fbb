"""What the repository says of itself in several places is the same everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from circuitdsl.version import __version__

ROOT = Path(__file__).parents[2]


def test_the_version_to_cite_is_the_version():
    said = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in said


def test_the_changelog_has_the_version_on_the_day_of_its_citation():
    day = re.search(r"^date-released: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert day is not None
    assert f"\n## [{__version__}] - {day[1]}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_keywords_and_licence_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nlicense: {project['license']}\n" in cited
    assert all(f"  - {keyword}\n" in cited for keyword in project["keywords"] if keyword != "TransformerLens")


LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]*))?\)")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    checked = 0
    for page in pages:
        for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            file = page.parent / target
            assert file.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in map(_anchor, headings), f"{page.name}: {target}#{anchor}"
            checked += 1
    assert checked > 10


def test_tests_that_pages_name_are_there():
    named = [
        (page.name, *found)
        for page in (ROOT / "docs").rglob("*.md")
        for found in re.findall(r"(tests/[\w/]+\.py)::(\w+)", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 40
    for page, file, test in named:
        assert f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{page}: {file}::{test}"


def test_every_pitfall_names_the_tests_that_keep_it_right():
    _, *pitfalls = re.split(r"^## ", (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(pitfalls) > 7
    for pitfall in pitfalls:
        assert re.search(r"^\* `tests/.*::", pitfall, re.MULTILINE), pitfall.splitlines()[0]
