"""The documentation is built as a site, warnings are errors, and what it must have is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import circuitdsl as cd

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages."""
    built = tmp_path_factory.mktemp("site")
    options = ("-q", "-W", "--keep-going", "-b", "html", "-d", str(built / "trees"))
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(built / "html")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return built / "html"


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_page_is_there(site: Path):
    pages = [page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")]
    assert len(pages) > 20
    assert all((site / page).is_file() for page in pages)


def test_the_reference_has_every_public_name_with_its_docstring(site: Path):
    reference = text(site / "api.html")
    assert [name for name in cd.__all__ if f'id="circuitdsl.{name}"' not in reference] == []
    assert "Judge every claim of a document or a file" in reference


def test_pages_of_the_root_stand_in_the_site_and_links_lead_to_them(site: Path):
    assert 'id="principles"' in text(site / "contributing.html")
    assert 'id="unreleased"' in text(site / "changelog.html")
    assert 'href="contributing.html#a-format-of-circuits"' in text(site / "exchange.html")
    assert 'href="../contributing.html#a-task"' in text(site / "howto" / "task.html")


def test_links_to_headings_lead_somewhere(site: Path):
    for page in site.rglob("*.html"):
        for target, anchor in re.findall(r'href="([^":#?]*\.html)#([^"]+)"', text(page)):
            other = (page.parent / target).resolve()
            if other.is_relative_to(site.resolve()) and not target.endswith("genindex.html"):
                assert f'id="{anchor}"' in text(other), f"{page.name}: {target}#{anchor}"


def test_nothing_is_loaded_from_a_network(site: Path):
    loaded = re.compile(r'<(?:script|img|iframe)\b[^>]* src="([^"]+)"|<link rel="stylesheet"[^>]* href="([^"]+)"')
    for page in site.rglob("*.html"):
        assert [url for pair in loaded.findall(text(page)) for url in pair if "://" in url or url[:2] == "//"] == []


def test_specifications_have_colours(site: Path):
    assert '<span class="k">expect</span>' in text(site / "index.html")
