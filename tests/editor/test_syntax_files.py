"""The syntax files for editors: their words are those of the grammar, and they see specifications as it does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lark import Token

from circuitdsl.language.grammar import grammar
from circuitdsl.language.source import Source
from cli.command_line import ROOT

VSCODE, VIM = ROOT / "editors" / "vscode", ROOT / "editors" / "vim"
TEXTMATE = VSCODE / "syntaxes" / "circuit.tmLanguage.json"
SPECS = [ROOT / "specs" / "mini" / f"{name}.circuit" for name in ("ioi", "reuse", "repair")]
SPECS += sorted((ROOT / "specs" / "gpt2").glob("*.circuit"))


def words_of(pattern: str) -> set[str]:
    """The words that a regular expression spells."""
    return set(re.findall(r"[a-z_]{2,}", re.sub(r"\[[^\]]*\]|\(\?[<!=][^)]*\)|\(\?[a-z]*:|\\.", " ", pattern)))


def language() -> set[str]:
    """The words of the language: those that its terminals spell."""
    terminals = grammar().lark.terminals
    return {word for each in terminals if each.name != "NAME" for word in words_of(each.pattern.to_regexp())}


def rules(found: object) -> Iterator[dict[str, object]]:
    """Every rule of a TextMate grammar with a pattern of its own."""
    if isinstance(found, dict):
        if "match" in found:
            yield found
        for each in found.values():
            yield from rules(each)
    elif isinstance(found, list):
        for each in found:
            yield from rules(each)


def test_the_words_of_the_textmate_grammar_are_those_of_the_language():
    patterns = [str(rule["match"]) for rule in rules(json.loads(TEXTMATE.read_text()))]
    assert set().union(*map(words_of, patterns)) == language()


def test_the_words_of_the_vim_file_are_those_of_the_language():
    lines = (VIM / "syntax" / "circuit.vim").read_text().splitlines()
    keywords = [line.split()[3:] for line in lines if line.startswith("syn keyword")]
    assert {word for words in keywords for word in words} == language()
    assert len([word for words in keywords for word in words]) == len(language())  # each in one group


def test_the_folder_for_vs_code_names_files_that_are_there():
    package = json.loads((VSCODE / "package.json").read_text())
    contributed = package["contributes"]
    (spoken,), (coloured,) = contributed["languages"], contributed["grammars"]
    assert spoken["extensions"] == [".circuit"] and coloured["language"] == spoken["id"]
    for path in (spoken["configuration"], coloured["path"], package["main"]):
        assert (VSCODE / path).is_file()
    assert json.loads(TEXTMATE.read_text())["scopeName"] == coloured["scopeName"]
    json.loads((VSCODE / spoken["configuration"]).read_text())


# --- as the editors see specifications ---------------------------------------------------------------


def kind_of(token: Token) -> str:
    """What kind of thing a token of the language is, as a syntax file should see it; "" for what is left open."""
    if token.type == "STRING":
        return "string"
    if token.type == "NAME":
        return "" if token in language() else "name"  # `strict` is an option and an edge's word
    if token.type in ("HEAD", "NUMBER"):
        return "number"
    return "word" if re.fullmatch(r"[a-z_]{2,}", token) and token in language() else ""


def expected(path: Path) -> Iterator[tuple[int, int, str, str]]:
    """Line and column from 0, kind and text of the tokens of a specification."""
    text = path.read_text()
    for token in grammar().lark.parse_interactive(text).iter_parse():
        if kind := kind_of(token):
            assert token.line and token.column
            yield token.line - 1, token.column - 1, kind, str(token)
    for comment in Source(str(path), text).comments():
        yield comment.line - 1, comment.column - 1, "comment", comment.text


@pytest.fixture(scope="session")
def textmate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library that VS Code reads TextMate grammars with."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not here, with which the grammar for VS Code is tried")
    folder = tmp_path_factory.mktemp("textmate")
    wanted = json.loads((VSCODE / "package.json").read_text())["devDependencies"]
    packages = [f"{name}@{version}" for name, version in wanted.items()]
    (folder / "package.json").write_text("{}")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *packages]
    try:
        ended = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm did not answer")
    if ended.returncode:
        pytest.skip(f"npm could not install {' '.join(packages)}: {ended.stderr.strip()[:200]}")
    return folder


SCOPES = {
    "string": ("string",),
    "comment": ("comment",),
    "name": ("variable.other", "entity.name"),
    "number": ("constant.numeric", "constant.other.head"),
    "word": ("keyword", "support", "constant.language"),
}


def test_vs_code_sees_specifications_as_the_language_does(textmate: Path):
    script = Path(__file__).with_name("tokenise.mjs")
    command = ["node", str(script), str(TEXTMATE), *map(str, SPECS)]
    ended = subprocess.run(command, cwd=textmate, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    seen = 0
    for path, lines in zip(SPECS, json.loads(ended.stdout), strict=True):
        for line, column, kind, text in expected(path):
            scopes = next(scopes for start, end, scopes in lines[line] if start <= column < end)
            assert any(scope.startswith(SCOPES[kind]) for scope in scopes), (path.name, line + 1, text, scopes)
            seen += 1
    assert seen > 1000


GROUPS = {
    "string": ("circuitString",),
    "comment": ("circuitComment",),
    "name": ("",),
    "number": ("circuitNumber", "circuitHead"),
    "word": tuple(
        f"circuit{each}"
        for each in ("Declaration", "Statement", "Setting", "Action", "Component", "Word", "Constant", "Operator")
    ),
}


@pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not here, with which its syntax file is tried")
def test_vim_sees_a_specification_as_the_language_does(tmp_path: Path):
    path = SPECS[0]
    wanted = list(expected(path))
    asked = "\n".join(
        f"call add(g:found, synIDattr(synID({line + 1}, {column + 1}, 1), 'name'))" for line, column, *_ in wanted
    )
    script = tmp_path / "ask.vim"
    script.write_text(
        f"set nocompatible\nset runtimepath^={VIM}\nfiletype on\nsyntax on\nedit {path}\n"
        f"let g:found = [&filetype]\n{asked}\ncall writefile(g:found, '{tmp_path / 'found'}')\nqall!\n"
    )
    command = ["vim", "-Nu", "NONE", "-i", "NONE", "-n", "-es", "-S", str(script)]
    subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    filetype, *groups = (tmp_path / "found").read_text().splitlines()
    if not groups or (set(groups) == {""}):
        pytest.skip("this vim is built without syntax")
    assert filetype == "circuit"
    for (line, _, kind, text), group in zip(wanted, groups, strict=True):
        assert group in GROUPS[kind], (line + 1, text, group)
