"""Files that are too large, too many or not files at all, and texts from elsewhere than a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from language_environment import ENVIRONMENT

from circuitdsl.language import budget
from circuitdsl.language.diagnostics import SpecError
from circuitdsl.language.resolve import MOST_DEPTH, lint_files, load_files, load_with_warnings, resolve_text
from circuitdsl.language.source import MOST_BYTES, Unreadable, read_source

CIRCUIT = "circuit {name} {{\n  model gpt2\n  task ioi\n  role mover at END {{ 9.6 }}\n}}\n"


def wrong(*paths: Path | str) -> SpecError:
    with pytest.raises(SpecError) as error:
        load_files(paths, ENVIRONMENT)
    return error.value


def test_a_file_of_four_megabytes_is_read_and_a_larger_one_is_not(tmp_path: Path):
    path = tmp_path / "large.circuit"
    text = CIRCUIT.format(name="large")
    path.write_text(text + "#" * (MOST_BYTES - len(text)))
    assert load_files([path], ENVIRONMENT).circuits[0].name == "large"
    path.write_text(text + "#" * (MOST_BYTES - len(text) + 1))
    (diagnostic,) = wrong(path).diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("C003", 0)
    assert "4 MB" in diagnostic.message
    assert "edge {1.0 1.1} -> 2.0.q" in diagnostic.remedy


EDGES = [f"{layer}.{index}" for layer in range(3) for index in range(12)]


def edges_of(statements: Iterable[str]) -> str:
    return "circuit a {\n  model gpt2\n  task ioi\n" + "\n".join(statements) + "\n}\n"


def test_edges_that_are_written_out_are_lawful_and_groups_that_stand_for_as_many_are_not(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(budget, "MOST_PATHS", 100)
    written = [f"  edge {sender} at END -> 11.{index}.q at END" for sender in EDGES for index in range(4)]
    assert len(resolve_text(edges_of(written), "a.circuit", ENVIRONMENT).circuits[0].claims) == 144
    rows = [f"  edge {{ {' '.join(EDGES)} }} at END -> 11.{index}.q at END" for index in range(4)]
    assert len(resolve_text(edges_of(rows), "a.circuit", ENVIRONMENT).circuits[0].claims) == 144
    together = f"  edge {{ {' '.join(EDGES)} }} at END -> {{ 11.0 11.1 11.2 11.3 }}.q at END"
    with pytest.raises(SpecError) as error:
        resolve_text(edges_of([together]), "a.circuit", ENVIRONMENT)
    assert [diagnostic.code for diagnostic in error.value.diagnostics] == ["C515"]


def test_a_role_is_not_multiplied_by_positions_without_end(monkeypatch: pytest.MonkeyPatch):
    """Keys are read where the sender writes: heads of the one times positions of the other."""
    monkeypatch.setattr(budget, "MOST_NODES", 500)
    role = "  role many { " + " ".join(f"{head} at END-{place}" for place, head in enumerate(EDGES[:12])) + " }"
    lawful = [role, "  role two { 9.0 9.1 }", "  edge many -> two.k"]
    assert resolve_text(edges_of(lawful), "a.circuit", ENVIRONMENT)
    wide = [role, "  role readers { 9.* 10.* 11.* 8.* }", "  edge many -> readers.k"]
    with pytest.raises(SpecError) as error:
        resolve_text(edges_of(wide), "a.circuit", ENVIRONMENT)
    assert [diagnostic.code for diagnostic in error.value.diagnostics] == ["C515"]


def chain(folder: Path, length: int) -> Path:
    """``length`` files, each using the next."""
    for number in range(length):
        use = f'use "{number + 1}.circuit"\n' if number + 1 < length else ""
        (folder / f"{number}.circuit").write_text(use + CIRCUIT.format(name=f"c{number}"))
    return folder / "0.circuit"


def test_use_is_followed_to_a_depth_and_no_further(tmp_path: Path):
    document = load_files([chain(tmp_path, MOST_DEPTH + 1)], ENVIRONMENT)
    assert [circuit.name for circuit in document.circuits] == ["c0"]
    assert len(document.used) == MOST_DEPTH
    (diagnostic,) = wrong(chain(tmp_path, MOST_DEPTH + 2)).diagnostics
    assert diagnostic.code == "C004"
    assert diagnostic.span.file == str(tmp_path / f"{MOST_DEPTH}.circuit")


def test_files_that_use_each_other_are_read_once(tmp_path: Path):
    (tmp_path / "a.circuit").write_text('use "b.circuit"\nuse "a.circuit"\n' + CIRCUIT.format(name="a"))
    (tmp_path / "b.circuit").write_text('use "a.circuit"\n' + CIRCUIT.format(name="b"))
    document = load_files([tmp_path / "a.circuit"], ENVIRONMENT)
    assert [circuit.name for circuit in document.circuits] == ["a"]
    assert [circuit.name for circuit in document.used] == ["b"]


def test_a_file_given_as_well_as_used_is_given(tmp_path: Path):
    (tmp_path / "a.circuit").write_text('use "b.circuit"\n' + CIRCUIT.format(name="a"))
    (tmp_path / "b.circuit").write_text(CIRCUIT.format(name="b"))
    for paths in (["a.circuit", "b.circuit"], ["b.circuit", "a.circuit"], ["a.circuit", "b.circuit", "./b.circuit"]):
        document = load_files([tmp_path / path for path in paths], ENVIRONMENT)
        assert sorted(circuit.name for circuit in document.circuits) == ["a", "b"]
        assert document.used == ()


def test_one_file_reached_by_two_names_is_one_file(tmp_path: Path):
    (tmp_path / "a.circuit").write_text(CIRCUIT.format(name="a"))
    (tmp_path / "link.circuit").symlink_to("a.circuit")
    assert len(load_files([tmp_path / "a.circuit", tmp_path / "link.circuit"], ENVIRONMENT).circuits) == 1


def test_what_is_wrong_in_several_files_is_said_together(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.circuit").write_text(CIRCUIT.format(name=name).replace("9.6", "12.0"))
    error = wrong(tmp_path / "a.circuit", tmp_path / "b.circuit", tmp_path / "c.circuit")
    assert [(d.code, Path(d.span.file).name) for d in error.diagnostics] == [
        ("C001", "c.circuit"),
        ("C301", "a.circuit"),
        ("C301", "b.circuit"),
    ]
    assert error.render().endswith("\n\n3 errors")


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.circuit")
    (diagnostic,) = wrong(tmp_path / "pipe.circuit").diagnostics
    assert diagnostic.code == "C001"
    assert "not a regular file" in diagnostic.message


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "", "missing/../missing.circuit"])
def test_names_that_no_file_has(name: str):
    with pytest.raises(Unreadable) as error:
        read_source(name)
    assert error.value.code == "C001"


def test_a_file_that_may_not_be_read(tmp_path: Path):
    path = tmp_path / "secret.circuit"
    path.write_text(CIRCUIT.format(name="a"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert wrong(path).diagnostics[0].code == "C001"


def test_a_text_uses_files_from_the_folder_that_its_name_gives(tmp_path: Path):
    (tmp_path / "b.circuit").write_text(CIRCUIT.format(name="b"))
    text = 'use "b.circuit"\n' + CIRCUIT.format(name="a")
    document = resolve_text(text, str(tmp_path / "unsaved.circuit"), ENVIRONMENT)
    assert [circuit.name for circuit in document.used] == ["b"]
    assert document.files == (str(tmp_path / "unsaved.circuit"),)


def test_no_files_and_empty_files_are_empty_documents(tmp_path: Path):
    (tmp_path / "empty.circuit").write_text("\n# nothing\n")
    loaded = load_with_warnings([tmp_path / "empty.circuit"], ENVIRONMENT)
    assert (loaded.document.circuits, loaded.warnings) == ((), ())
    assert load_files([], ENVIRONMENT).files == ()


# --- linting many files in one call ------------------------------------------------------------------

REPAIR = "intervention repair on {on} {{\n  ablate mover zero\n  expect accuracy >= 50%\n}}\n"


def linted(folder: Path, **files: str) -> list[tuple[str, str]]:
    """Codes and files of what linting these files together says."""
    for name, text in files.items():
        (folder / f"{name}.circuit").write_text(text)
    paths = [folder / f"{name}.circuit" for name in files]
    return [(d.code, Path(d.span.file).stem) for d in lint_files(paths, ENVIRONMENT).diagnostics]


def test_files_that_have_nothing_to_do_with_each_other_may_use_the_same_names(tmp_path: Path):
    pair = {name: CIRCUIT.format(name=name) + REPAIR.format(on=name) for name in ("one", "two")}
    assert linted(tmp_path, **pair) == []
    assert [d.code for d in wrong(*(tmp_path / f"{name}.circuit" for name in pair)).diagnostics] == ["C206"]


def test_two_versions_of_a_circuit_are_linted_each_by_itself(tmp_path: Path):
    text = CIRCUIT.format(name="a")
    assert linted(tmp_path, old=text, new=text.replace("9.6", "12.0")) == [("C301", "new")]


def test_files_joined_by_use_share_their_names(tmp_path: Path):
    used = CIRCUIT.format(name="a")
    repair = 'use "a.circuit"\n' + REPAIR.format(on="a")
    assert linted(tmp_path, a=used, b=repair, c=repair) == [("C206", "c")]


def test_a_file_that_speaks_of_a_circuit_of_another_belongs_to_it(tmp_path: Path):
    circuits = {name: CIRCUIT.format(name=name) for name in ("a", "b")}
    compare = "compare a with b {\n  expect overlap(heads) >= 50%\n}\n"
    assert linted(tmp_path, **circuits, c=compare) == []
    assert linted(tmp_path, a=circuits["a"], c=compare) == [("C204", "c")]
    # Which of the two is meant cannot be told, unless one of them is used.
    assert linted(tmp_path, **circuits, a2=circuits["a"], c=compare) == [("C206", "a2")]
    assert linted(tmp_path, **circuits, a2=circuits["a"], c='use "a.circuit"\n' + compare) == []
