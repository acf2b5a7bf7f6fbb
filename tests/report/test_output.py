"""Text goes to files in full, or they stay as they were."""

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


# --- what is no regular file is written, never replaced ------------------------------------------------


def test_a_named_pipe_is_written_and_stays_one(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        output.need_writable(pipe)
        output.write_file(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_to_a_named_pipe_is_followed(tmp_path: Path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        output.write_file(link, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert link.is_symlink() and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_and_stays_one(tmp_path: Path):
    """A node of the null device in a folder of its own: never the machine's."""
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.write_text("")
    except OSError:
        pytest.skip("devices cannot be made here")
    assert not output.is_replaced(device)
    output.need_writable(device)
    output.write_file(device, "text")
    assert stat.S_ISCHR(device.stat().st_mode)
    assert list(tmp_path.iterdir()) == [device]


def test_an_open_file_goes_on_where_it_stands(tmp_path: Path):
    """As ``-o /dev/stdout`` with standard output sent to the end of a log."""
    path = tmp_path / "log"
    path.write_text("before\n")
    with path.open("a") as log:
        output.need_writable(Path(f"/dev/fd/{log.fileno()}"))
        output.write_file(Path(f"/dev/fd/{log.fileno()}"), "text\n")
    assert path.read_text() == "before\ntext\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_that_has_gone_is_no_wrong_input(tmp_path: Path):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with pytest.raises(BrokenPipeError):
            output.write_file(Path(f"/dev/fd/{writer}"), "text")
    finally:
        os.close(writer)


def test_links_in_a_ring_are_named(tmp_path: Path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(InputError, match="cannot write"):
        output.need_writable(one)
    with pytest.raises(InputError, match="cannot write"):
        output.write_file(one, "text")
