"""What a race loses on a model that was trained (``python -m benchmarks.estimates``)."""

from __future__ import annotations

from benchmarks import estimates


def test_samples_may_be_larger_than_the_specification_asks_for(capsys):
    """Of mini's IOI, which begins with 90 prompts: half of a sample is more."""
    estimates.main(["specs/mini/ioi.circuit", "--prompts", "12", "--sizes", "270", "--samples", "1"])
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:3] for row in rows] == [["270", "1", "no"], ["270", "1", "yes"]]
    without, with_them = (int(row[3].rstrip("%")) for row in rows)
    assert 0 < with_them < without < 100
