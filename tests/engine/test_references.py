"""What means and resampled outputs are taken from: a stream of its own, in groups, whatever is measured."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ioi_data import IOI

from arrays import array
from circuitdsl.components import Head, Node, Position
from circuitdsl.engine import mean_store
from circuitdsl.engine.fast import caches
from circuitdsl.engine.fast.engine import FastEngine
from circuitdsl.engine.plain.engine import PlainEngine
from circuitdsl.engine.references import groups_of_each, prompts_had, reference_over, reference_seed
from circuitdsl.engine.session import Session
from circuitdsl.engine.store import Store
from circuitdsl.language.environment import TaskRef
from circuitdsl.measures.experiments import (
    Ablated,
    Clean,
    Data,
    Experiment,
    FromCounterfactual,
    Isolated,
    Mean,
    Metric,
    Resample,
    Zero,
)
from circuitdsl.measures.measurement import Failure
from circuitdsl.tasks import open_task

HEADS = frozenset(Node(Head(3, index), Position("END")) for index in (0, 2, 6))
BY_TEMPLATE, OVER_ALL, RESAMPLED = Mean("abc", 4, True), Mean("abc", 4, False), Resample("abc", 4, 0)
TAKEN = [BY_TEMPLATE, OVER_ALL, RESAMPLED]


def asked(source, data: Data = IOI) -> Experiment:
    return Experiment(data, Isolated(HEADS, source, mlps=False), Metric("logit_diff"))


# --- groups ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("templates", range(1, 40))
def test_there_are_ten_more_groups_than_templates_at_least(templates):
    groups = groups_of_each(templates)
    assert groups >= 2 and templates * (groups - 1) >= 10
    assert groups == 2 or templates * (groups - 2) < 10  # and no more than are needed


def test_the_reference_is_another_stream_of_the_same_task(mini):
    session = Session(PlainEngine(mini))
    templates = {prompt.template for prompt in session.prompts(IOI, 60)}
    stream = open_task(IOI.task).draw(mini.tokenizer, 240, reference_seed(IOI.seed), IOI.bos).prompts
    reference = session.reference(IOI, BY_TEMPLATE)
    assert set(reference.groups) == templates
    for template, groups in reference.groups.items():
        drawn = [prompt.text for prompt in stream if prompt.template == template]
        assert [[prompt.text for prompt in group] for group in groups] == [drawn[:4], drawn[4:8]]
    (together,) = session.reference(IOI, OVER_ALL).groups.values()
    assert [prompt.text for group in together for prompt in group] == [prompt.text for prompt in stream[:44]]
    assert {len(group) for group in together} == {4}


def test_prompts_take_turns_at_the_groups(mini):
    session = Session(PlainEngine(mini))
    prompts = session.prompts(IOI, 120)
    assert [prompt.number for prompt in prompts] == list(range(120))
    turns = Counter()
    for prompt, label in zip(prompts, session.groups(IOI, BY_TEMPLATE, 120), strict=True):
        assert prompt.turn == turns[prompt.template]
        assert label == f"{prompt.template} {prompt.turn % 2}"
        turns[prompt.template] += 1
    assert session.groups(IOI, RESAMPLED, 120) == session.groups(IOI, BY_TEMPLATE, 120)
    assert session.groups(IOI, OVER_ALL, 23) == tuple(f" {number % 11}" for number in range(23))
    assert session.groups(IOI, Zero(), 3) == session.groups(IOI, FromCounterfactual("abc"), 3) == ("", "", "")


@pytest.mark.parametrize("engine", [PlainEngine, FastEngine])
@pytest.mark.parametrize("source", TAKEN)
def test_the_figure_of_a_prompt_does_not_depend_on_how_many_are_measured(mini, engine, source):
    few, many = (array(Session(engine(mini)).run([asked(source)], count)[asked(source)]) for count in (40, 100))
    np.testing.assert_allclose(many[:40], few, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("source", [BY_TEMPLATE, OVER_ALL])
def test_means_are_the_same_to_the_bit_in_pieces_of_any_size(mini, monkeypatch, source):
    """Passes of 700 tokens end within groups."""
    found = []
    for piece in (1, 100, 4096):
        monkeypatch.setattr(caches, "PIECE", piece)
        session = Session(FastEngine(mini, tokens=700))
        session.run([asked(source)], 40)
        found.append(session.means.known)
    ((key, first),) = found[0].items()
    assert len(first) > 1
    for label, means in first.items():
        for name, values in means.items():
            assert all(torch.equal(values, others[key][label][name]) for others in found[1:])


def test_prompts_of_one_group_share_the_mean_and_others_do_not(mini):
    """The same prompt, measured as one of either group: its figure is that of its group."""
    session = Session(PlainEngine(mini))
    prompt = session.prompts(IOI, 1)[0]
    stream = [replace(prompt, turn=turn) for turn in range(4)]
    references = session.references(IOI, [asked(BY_TEMPLATE)])
    found = array(PlainEngine(mini).run(IOI, stream, 0, 4, [asked(BY_TEMPLATE)], references)[asked(BY_TEMPLATE)])
    np.testing.assert_allclose(found[2:], found[:2], rtol=1e-5)
    assert abs(found[0] - found[1]) > 1e-3


def test_a_larger_reference_comes_to_the_same_figure_within_its_noise(mini):
    """What is a mean of two is another thing: partial resampling."""
    session = Session(FastEngine(mini))
    figures = {size: array(session.run([e := asked(Mean("abc", size, True))], 60)[e]).mean() for size in (2, 8, 20)}
    assert abs(figures[8] - figures[20]) < abs(figures[2] - figures[20])


# --- resampling ------------------------------------------------------------------------------------


def test_a_partner_is_neither_the_prompt_nor_its_counterfactual(mini):
    """Of three prompts in a group one is the prompt itself, and one's counterfactual is the prompt's own."""
    session = Session(PlainEngine(mini))
    prompt, template = session.prompts(IOI, 1)[0], session.prompts(IOI, 1)[0].template
    others = [p for p in session.prompts(replace(IOI, seed=9), 90) if p.template == template]
    same = replace(others[0], counterfactuals={**others[0].counterfactuals, "abc": prompt.counterfactuals["abc"]})
    source = Resample("abc", 3, 0)
    experiment = asked(source)

    def figure(*group):
        references = replace(session.references(IOI, []), of={source: reference_over(group, source)})
        return PlainEngine(mini).run(IOI, [prompt], 0, 1, [experiment], references)[experiment]

    left = figure(prompt, same, others[1])
    alone = figure(others[1])
    assert isinstance(left, np.ndarray)
    np.testing.assert_allclose(left, array(alone), rtol=1e-5)
    none = figure(prompt, same)
    assert isinstance(none, Failure) and "to resample" in none.message


# --- files -----------------------------------------------------------------------------------------


def of_file(folder: Path, mini, lines: dict[str, int], counterfactual: bool = True) -> Data:
    """A file with so many lines of each template, taken from IOI's."""
    prompts = open_task(IOI.task).draw(mini.tokenizer, 60, 5, False).prompts
    length = Counter(len(prompt.tokens) for prompt in prompts).most_common(1)[0][0]
    alike = [prompt for prompt in prompts if len(prompt.tokens) == length]
    rows = []
    for template, count in lines.items():
        for number in range(count):
            prompt = alike[number % len(alike)]
            row = {
                "prompt": prompt.text,
                "answer": " " + mini.tokenizer.decode([prompt.answer]).strip(),
                "wrong": [" " + mini.tokenizer.decode([prompt.wrong[0]]).strip()],
                "template": template,
            }
            if counterfactual:
                row["counterfactuals"] = {"abc": mini.tokenizer.decode(prompt.counterfactuals["abc"])}
            rows.append(json.dumps(row))
    (folder / "my.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return Data(TaskRef("file", (("", "my.jsonl"),), str(folder)), 0, False)


def test_a_file_gives_as_many_groups_as_it_has_lines_for(mini, tmp_path):
    data = of_file(tmp_path, mini, {"many": 90, "some": 9, "few": 3})
    session = Session(PlainEngine(mini))
    info = open_task(data.task).info
    found = session.reference(data, BY_TEMPLATE)
    sizes = {template: [len(group) for group in groups] for template, groups in found.groups.items()}
    assert sizes == {"many": [4] * 5, "some": [4] * 2, "few": [3]}
    assert prompts_had(BY_TEMPLATE, info) == 20 + 8 + 3
    assert [len(group.prompts) for group in session.reference(data, Mean("abc", 20, False)).labelled()] == [20] * 5
    assert prompts_had(Mean("abc", 20, False), info) == 100


def test_a_single_line_has_no_mean_by_template(mini, tmp_path):
    data = of_file(tmp_path, mini, {"one": 1, "two": 2})
    for engine in (PlainEngine(mini), FastEngine(mini)):
        failure = Session(engine).run([asked(BY_TEMPLATE, data)], 3)[asked(BY_TEMPLATE, data)]
        assert isinstance(failure, Failure)
        assert "the template one has one prompt" in failure.message
        assert "`ablate counterfactual`" in failure.message and "`ablate mean`" in failure.message


@pytest.mark.parametrize("by_template", [True, False])
def test_where_there_is_no_counterfactual_means_are_over_the_prompts(mini, tmp_path, by_template):
    data = of_file(tmp_path, mini, {"a": 8}, counterfactual=False)
    source = Mean("", 4, by_template)
    experiments = [asked(source, data), Experiment(data, Clean(), Metric("logit_diff"))]
    plain, fast = (Session(engine).run(experiments, 8) for engine in (PlainEngine(mini), FastEngine(mini)))
    for experiment in experiments:
        np.testing.assert_allclose(array(fast[experiment]), array(plain[experiment]), rtol=1e-4, atol=1e-4)
    assert np.abs(array(plain[experiments[0]]) - array(plain[experiments[1]])).max() > 0.01


# --- kept on disk ----------------------------------------------------------------------------------


def counted(
    mini, folder: Path | None, engine: type[PlainEngine | FastEngine] = FastEngine
) -> tuple[Session, list[int]]:
    ticks: list[int] = []
    return Session(engine(mini, tick=ticks.append), None if folder is None else Store.in_folder(folder)), ticks


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "means").glob("*"))


def another(source) -> Experiment:
    """An experiment that no earlier session ran, with the same means."""
    return Experiment(IOI, Ablated(HEADS, source), Metric("probability"))


@pytest.mark.parametrize("engine", [PlainEngine, FastEngine])
@pytest.mark.parametrize("source", [BY_TEMPLATE, OVER_ALL])
def test_a_second_session_makes_no_means_and_gives_the_same_figures(mini, tmp_path, engine, source):
    first, passes = counted(mini, tmp_path, engine)
    first.run([asked(source)], 30)
    assert sum(passes) >= (240 if source.by_template else 44)
    second, again = counted(mini, tmp_path, engine)
    found = array(second.run([another(source)], 30)[another(source)])
    assert 30 <= sum(again) <= 60  # the prompts themselves
    fresh, all_again = counted(mini, None, engine)
    np.testing.assert_array_equal(found, array(fresh.run([another(source)], 30)[another(source)]))
    assert sum(all_again) > sum(again)


LACKING = "beside the results store a file of means lacks its checksum: these means were made again"


def test_without_a_store_nothing_is_kept(mini, tmp_path, monkeypatch):
    monkeypatch.setenv("CIRCUITDSL_CACHE", str(tmp_path))
    counted(mini, None)[0].run([asked(BY_TEMPLATE)], 30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 4096])
def test_a_damaged_file_is_made_again(mini, tmp_path, content):
    expected = array(counted(mini, tmp_path)[0].run([asked(OVER_ALL)], 30)[asked(OVER_ALL)])
    (path,) = kept(tmp_path)
    whole = path.read_bytes()
    (tmp_path / "results.sqlite").unlink()
    for damaged in (content, whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        session, ticks = counted(mini, tmp_path)
        np.testing.assert_array_equal(
            array(session.run([another(OVER_ALL), asked(OVER_ALL)], 30)[asked(OVER_ALL)]), expected
        )
        assert sum(ticks) >= 44 and path.read_bytes() == whole and kept(tmp_path) == [path]
        assert session.remarks == (LACKING,)
        (tmp_path / "results.sqlite").unlink()


def test_a_file_that_lacks_a_group_is_made_again(mini, tmp_path):
    from safetensors.torch import load_file, save_file

    counted(mini, tmp_path)[0].run([asked(OVER_ALL)], 30)
    (path,) = kept(tmp_path)
    tensors = load_file(path)
    fewer = {name: each for name, each in tensors.items() if not name.endswith(" 3")}
    save_file(fewer, path, {"checksum": mean_store._checksum(path.name, fewer)})
    session, ticks = counted(mini, tmp_path)
    assert isinstance(session.run([another(OVER_ALL)], 30)[another(OVER_ALL)], np.ndarray)
    assert sum(ticks) >= 44 + 30 and set(load_file(path)) == set(tensors) and session.remarks == ()


def test_other_prompts_seeds_and_weights_have_means_of_their_own(mini, tmp_path):
    counted(mini, tmp_path)[0].run([asked(OVER_ALL), asked(BY_TEMPLATE), asked(OVER_ALL, replace(IOI, seed=4))], 30)
    counted(mini, tmp_path, PlainEngine)[0].run([asked(OVER_ALL)], 30)
    assert len(kept(tmp_path)) == 4


def test_what_is_too_large_is_not_kept_and_what_was_used_least_lately_goes(mini, tmp_path, monkeypatch):
    counted(mini, tmp_path)[0].run([asked(OVER_ALL)], 30)
    (first,) = kept(tmp_path)
    monkeypatch.setattr(mean_store, "MOST_BYTES", first.stat().st_size + 100)
    counted(mini, tmp_path)[0].run([asked(OVER_ALL, replace(IOI, seed=4))], 30)
    (second,) = kept(tmp_path)
    assert second != first
    monkeypatch.setattr(mean_store, "MOST_BYTES_OF_FILE", 1000)
    session, ticks = counted(mini, tmp_path)
    session.run([another(OVER_ALL)], 30)
    assert sum(ticks) >= 44 and kept(tmp_path) == [second]


def test_a_folder_that_cannot_be_written_costs_only_time(mini, tmp_path):
    (tmp_path / "means").write_text("in the way")
    found = counted(mini, tmp_path)[0].run([asked(OVER_ALL)], 30)[asked(OVER_ALL)]
    assert isinstance(found, np.ndarray)
