"""The benchmark of the screen, on the smallest shape: it loses no head, and has a line for every share."""

from __future__ import annotations

from benchmarks.screening import COLUMNS, main


def test_every_share_has_its_costs(capsys):
    main(["--shape", "tiny", "--prompts", "4", "--cases", "a", "--shares", "0.1,0.25"])
    header, _, *lines = (line for line in capsys.readouterr().out.splitlines() if line.startswith("|"))
    assert [cell.strip() for cell in header.strip("|").split("|")] == list(COLUMNS)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:2] for row in rows] == [["a", "10%"], ["a", "25%"]]
    for row in rows:
        again, of_all = map(int, row[2].split(" of "))
        assert 0 < again <= of_all == 16
        assert all(float(cell) > 0 for cell in row[3:])
