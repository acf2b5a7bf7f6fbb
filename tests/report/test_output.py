"""Text goes to files whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from circuitdsl.errors import InputError
from circuitdsl.report import output


def test_a_file_is_written_and_nothing_else_is_left(tmp_path: Path):
    output.write_file(tmp_path / "a.txt", "Köpfe\r\n")
    assert (tmp_path / "a.txt").read_bytes() == "Köpfe\r\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_old_text_stays_where_writing_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(InputError, match="No space left"):
        output.write_file(path, "new")
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_leaves_the_old_text_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="File too large"):
            output.write_file(path, "new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["a.txt"]


def test_half_a_letter_is_escaped(tmp_path: Path):
    output.write_file(tmp_path / "a.txt", "my\udcff.circuit")
    assert (tmp_path / "a.txt").read_text("ascii") == "my\\udcff.circuit"


def test_the_rights_of_a_file_are_kept_and_new_ones_are_usual(tmp_path: Path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("")
    old.chmod(0o640)
    mask = os.umask(0o022)
    try:
        output.write_file(old, "x")
        output.write_file(new, "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o644


def test_a_link_is_followed(tmp_path: Path):
    target = tmp_path / "target"
    target.write_text("old")
    (tmp_path / "link").symlink_to(target)
    output.write_file(tmp_path / "link", "new")
    assert target.read_text() == "new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["missing/a.txt", "", "file/a.txt"])
def test_what_cannot_be_written_says_so(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        output.write_file(tmp_path / name, "x")
    assert str(tmp_path / name) in error.value.message
    assert "folder that exists" in error.value.remedy


@pytest.mark.parametrize(("columns", "width"), [("72", 72), ("10", 40), ("wide", 100), ("", 100)])
def test_columns_set_the_width_of_plain_text(columns: str, width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert output.plain_width() == width
