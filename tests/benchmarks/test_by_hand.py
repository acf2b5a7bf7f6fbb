"""The script with TransformerLens alone measures what a check measures, and the benchmark of both runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import circuitdsl as cd
from benchmarks import verdict
from benchmarks.by_hand import ByHand, measured

SPEC = """circuit c {
  model mini
  task  ioi
  method { prompts 30  ablate counterfactual  floor 1% }
  role lookup  at S2  { 1.0  1.6 }
  role fetcher at END { 2.3  2.7 }
  edge lookup  -> fetcher.kv : raises
  edge fetcher -> logits
  expect knockout(fetcher)                <= 0%
  expect attention(fetcher, END -> S2)    >= 50%
  expect logit_diff                       >= 5
  expect copying(fetcher, S2)             <= 90%
  expect faithfulness                     >= -900%
}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hand") / "c.circuit"
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_its_figures_are_those_of_a_check(spec: Path):
    """A prompt a template: means by template are the prompt's own counterfactual, and every prompt counts the same."""
    document = cd.load(spec)
    figures, left_out = measured(ByHand(document.circuits[0], 30))
    report = cd.check(document, prompts=30, unexplained=False)
    assert [text.split(" ", 1)[1].split("(")[0] for text in left_out] == ["expect copying"]
    found = {f"{outcome.claim.line} {outcome.claim.text}": outcome.estimate.value for outcome in report.outcomes}
    compared = {text: (figures[text], value) for text, value in found.items() if text in figures and "role" not in text}
    assert len(compared) == 6
    for text, (ours, theirs) in compared.items():
        assert ours == pytest.approx(theirs, abs=2e-4), text
    assert sum(text.startswith("unlisted") for text in figures) == 32 - 4


INDUCTION = "model planted-induction task induction\n method { reference 2 }\n role r at END { 1.1 1.3 }"
IOI = "model gpt2 task ioi\n method { reference 2 }\n role r at END { 1.1 1.3 }"


@pytest.mark.parametrize(
    ("block", "options", "ways"),
    [
        (INDUCTION, (), ["check", "check, plain engine", "by hand"]),
        (IOI, ("--shape", "tiny", "--no-plain", "--no-search"), ["check", "by hand"]),
    ],
    ids=["its own model", "a model of a shape"],
)
def test_the_benchmark_has_a_row_for_each_way(
    tmp_path: Path,
    block: str,
    options: tuple[str, ...],
    ways: list[str],
    warm: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """What a fork takes counts as its server's, so that seconds may be none here."""
    monkeypatch.chdir(Path(__file__).parents[2])
    (tmp_path / "c.circuit").write_text(f"circuit c {{ {block}\nedge r -> logits }}\n")
    verdict.main([str(tmp_path / "c.circuit"), "--prompts", "8", *options], warm)
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows[2:]] == ways
    for row in rows[2:]:
        passes, *seconds, peak, ratio = (float(cell.replace(",", "")) for cell in row[3:])
        assert min(passes, peak) > 0 <= min(*seconds, ratio)
