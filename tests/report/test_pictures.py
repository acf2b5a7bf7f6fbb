"""Pictures of circuits: valid SVG that shows every head, and the same in text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from report_samples import LEFT, RIGHT, structure

import circuitdsl as cd
import samples
from circuitdsl.language.circuit import Circuit
from circuitdsl.report import output
from circuitdsl.report.pages.circuit import draw_circuit
from circuitdsl.report.pages.comparison import draw_comparison
from circuitdsl.report.palette import role_colours, text_on
from circuitdsl.report.pictures.circuit import circuit_svg
from circuitdsl.report.pictures.comparison import COLOURS, DASHES, comparison_svg

SPECS = Path(__file__).parents[2] / "specs"
SVG = "{http://www.w3.org/2000/svg}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BROWSER = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def shipped() -> list[Path]:
    """One circuit of each kind of model: small, wired, and as large as published ones."""
    names = ("mini/ioi", "mini/colored_objects", "planted/ioi", "gpt2/ioi", "gpt2-medium/ioi")
    return [SPECS / f"{name}.circuit" for name in names]


def circuit_of(path: Path) -> Circuit:
    return cd.load(path).circuits[0]


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


# --- SVG -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", shipped(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_head_and_every_role_of_a_circuit_appears(path: Path):
    circuit = circuit_of(path)
    root = ET.fromstring(circuit_svg(circuit))
    assert root.tag == f"{SVG}svg"
    shown = texts(root)
    assert {str(head) for head in circuit.heads} <= set(shown)
    assert all(any(text.startswith(role.name[:29]) for text in shown) for role in circuit.roles)
    assert circuit.name in shown


PAIRS = {
    "mini": ("mini/ioi", "mini/colored_objects", {}),
    "gpt2-medium": ("gpt2-medium/ioi", "gpt2-medium/colored_objects", {}),
    "encodings": ("gpt2/ioi", "gpt2/ioi_encodings", {"ours": "ioi", "theirs": "ioi_duplicates_feed_induction"}),
    "contradiction": (
        "gpt2/ioi_encodings",
        "gpt2/ioi_encodings",
        {"ours": "ioi_duplicates_feed_inhibition_only", "theirs": "ioi_duplicates_feed_induction"},
    ),
}


def pair(name: str) -> tuple[Circuit, Circuit]:
    left, right, names = PAIRS[name]
    found = []
    for path, key in ((left, "ours"), (right, "theirs")):
        circuits = cd.load(SPECS / f"{path}.circuit").circuits
        found.append(next(c for c in circuits if c.name == names.get(key, circuits[0].name)))
    return found[0], found[1]


def compared(name: str) -> ET.Element:
    left, right = pair(name)
    return ET.fromstring(comparison_svg(left, right, cd.compare(left, right)))


@pytest.mark.parametrize("picture", ["circuit", *PAIRS])
def test_everything_lies_within_the_picture(picture: str):
    one = SPECS / "gpt2" / "ioi.circuit"
    root = ET.fromstring(circuit_svg(circuit_of(one))) if picture == "circuit" else compared(picture)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for box in root.iter(f"{SVG}rect"):
        if box.get("width") != "100%":
            x, y, w, h = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
            assert 0 <= x <= x + w <= width
            assert 0 <= y <= y + h <= height


def test_a_head_of_two_roles_is_striped_in_both_colours():
    circuit = samples.circuit("two", {"a": "0.1", "b": "0.1 0.2"})
    root = ET.fromstring(circuit_svg(circuit))
    fills = [box.get("fill") for box in root.iter(f"{SVG}rect") if box.get("width") == "13"]
    assert fills == [role_colours(circuit)["a"], role_colours(circuit)["b"]]


def test_an_mlp_stands_beside_the_heads():
    root = ET.fromstring(circuit_svg(samples.circuit("mlps", {"a": "0.1 mlp3"}, ["a -> logits"])))
    assert {"0.1", "m3", "mlp"} <= set(texts(root))


def test_names_and_descriptions_are_escaped():
    from dataclasses import replace

    odd = replace(LEFT, about='a < b & "c"')
    assert 'a < b & "c"' in texts(ET.fromstring(circuit_svg(odd)))


def test_an_arrow_for_each_pair_of_roles_with_its_inputs():
    root = ET.fromstring(circuit_svg(LEFT))
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) == 2
    assert "q" in texts(root)


def test_a_comparison_shows_all_heads_of_both_in_the_grids_and_in_the_graph():
    root = ET.fromstring(comparison_svg(LEFT, RIGHT, structure()))
    shown = texts(root)
    grids = ["9.6", "9.9", "0.1", "9.6", "8.1", "11.10"]
    graph = ["0.1", "9.6", "9.9", "8.1", "11.10"]
    assert sorted(t for t in shown if re.fullmatch(r"\d+\.\d+", t)) == sorted(grids + graph)
    assert any(text.startswith("1 head shared of 3 and 3: 33% of the smaller circuit") for text in shown)
    assert {"in both", "left only", "right only", "in neither"} <= set(shown)
    assert {"mover", "early", "late", "logits", "The two graphs laid over each other"} <= set(shown)


def stroke(element: ET.Element) -> tuple[str | None, str]:
    return element.get("stroke"), element.get("stroke-dasharray", "")


def test_whose_an_edge_is_shows_in_its_colour_and_in_its_line():
    """early -> mover.q is the left one's alone, mover -> logits is in both; a right edge is added."""
    right = samples.circuit("right", {"mover": "9.6 8.1", "late": "11.10"}, ["mover -> logits", "late -> logits"])
    root = ET.fromstring(comparison_svg(LEFT, right, cd.compare(LEFT, right)))
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    ways = {whose: (COLOURS[whose], DASHES[whose]) for whose in COLOURS}
    assert len(set(DASHES.values())) == 3
    assert sorted(map(stroke, arrows)) == sorted(ways.values())
    assert [arrow.get("marker-end") for arrow in arrows] == [
        "url(#arrow-left)",
        "url(#arrow-both)",
        "url(#arrow-right)",
    ]
    assert "q" in texts(root)


def test_moved_heads_and_contradictions_are_pointed_out():
    shown = texts(compared("mini"))
    assert {"1.0*", "1.1*", "1.5*", "1.7*"} <= set(shown)
    assert "* 1.0 1.1 1.5 1.7: lookup + caller in mini_ioi, lookup in mini_colored_objects" in shown
    shown = texts(compared("contradiction"))
    assert "q×" in shown
    assert any(text.startswith("× duplicate_token -> induction.q: an edge in") for text in shown)


def test_a_role_that_feeds_itself_has_a_loop():
    one, two = (samples.circuit(name, {"mover": "0.1 3.1"}, ["mover -> mover.q"]) for name in ("one", "two"))
    root = ET.fromstring(comparison_svg(one, two, cd.compare(one, two)))
    (arrow,) = (path for path in root.iter(f"{SVG}path") if path.get("marker-end"))
    assert arrow.attrib["d"].count("C") == 2


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")
@pytest.mark.parametrize("name", ["gpt2/ioi", *PAIRS])
def test_a_browser_shows_it_with_all_text_inside(name: str, tmp_path: Path):
    if name in PAIRS:
        ours, theirs = pair(name)
        picture = comparison_svg(ours, theirs, cd.compare(ours, theirs))
    else:
        picture = circuit_svg(circuit_of(SPECS / f"{name}.circuit"))
    page = tmp_path / "page.html"
    script = (
        "const s = document.querySelector('svg'), v = s.viewBox.baseVal; let n = 0, out = [];"
        "for (const t of s.querySelectorAll('text')) { const b = t.getBBox(); n += b.width > 0;"
        "if (b.x < 0 || b.y < 0 || b.x + b.width > v.width || b.y + b.height > v.height) out.push(t.textContent); }"
        "document.body.append(`shown=${n} outside=[${out.join('; ')}]`);"
    )
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{picture}<script>{script}</script>", encoding="utf-8")
    assert CHROMIUM is not None
    command = (CHROMIUM, *BROWSER, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri())
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    count = len(texts(ET.fromstring(picture)))
    assert f"shown={count} outside=[]" in seen


# --- text ------------------------------------------------------------------------------------------


def test_a_circuit_is_drawn_with_its_layers_roles_and_edges():
    shown = output.to_text(draw_circuit(LEFT), 80)
    lines = shown.splitlines()
    assert "3 heads in 2 roles; toy has 12 layers of 12 heads; task ioi" in shown
    assert [line.split()[-1] for line in lines if line.lstrip().startswith("9 ")] == ["9.9"]
    assert "     0  │  early 0.1" in lines
    assert any(re.fullmatch(r"\s*early\s+─q─▶\s+mover", line) for line in lines)
    assert any(re.fullmatch(r"\s*mover\s+───▶\s+logits", line) for line in lines)


def test_no_colours_in_plain_text():
    shown = output.to_text(draw_circuit(LEFT), 80) + output.to_text(draw_comparison(LEFT, RIGHT, structure(), 80), 80)
    assert "\x1b" not in shown


@pytest.mark.parametrize("colour", [*role_colours(LEFT).values(), "#000000", "#ffffff", "#d9dde2"])
def test_text_on_any_colour_can_be_read(colour: str):
    def luminance(written: str) -> float:
        channels = [int(written[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(colour), luminance(text_on(colour))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2, level AA
