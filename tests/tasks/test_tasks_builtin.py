"""The tasks that write their own prompts, for both tokenizers."""

import json
import re
import subprocess
import sys

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from circuitdsl.language.environment import TaskRef, UnknownName
from circuitdsl.tasks import TaskError, describe, open_task, task_names
from shared_data import SHARED

PUBLISHED = SHARED
REFS = [
    TaskRef("ioi"),
    TaskRef("colored_objects"),
    TaskRef("colored_objects", (("shots", 0),)),
    TaskRef("induction"),
    TaskRef("induction", (("length", 7),)),
]
COLORS = "red|orange|yellow|green|blue|purple|brown|black"
THINGS = (
    "pencil|notebook|pen|cup|plate|jug|mug|puzzle|textbook|leash|necklace|bracelet|bottle|ball|envelope|lighter|bowl"
)
THING = rf"(?:an (?=[aeiou])|a (?![aeiou]))({COLORS}) ({THINGS})"
SCENE = (
    rf"Q: On the (?:table|desk|floor), (?:there is|you see|I see) {THING}, {THING}, and {THING}\. "
    rf"What color is the ({THINGS})\?\nA:"
)
NAMED = "the Mary John Tom Anna James store book"
TASKS = (
    "acronyms",
    "addition",
    "agreement",
    "brackets",
    "colored_objects",
    "facts",
    "greater_than",
    "induction",
    "ioi",
    "pronouns",
    "subtraction",
    "file",
)
FEW_WORDS = f"{NAMED} Then and went to gave a , .".split()
ZERO_SHOT = re.compile(SCENE)
ONE_SHOT = re.compile(rf"{SCENE} (\w+)\n{SCENE}")


def word_level(words, **special):
    """A word-level tokenizer that knows ``words`` and nothing else."""
    vocabulary = {word: i for i, word in enumerate(["?", *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    inner.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="?", **special)


def words_at(prompt, tokenizer, name):
    return [tokenizer.decode([prompt.tokens[i]]).strip() for i in prompt.positions[name]]


def one_shot_form(text):
    """The colours and things of a text of the published form; fails if the text has another form."""
    found = ONE_SHOT.fullmatch(text)
    assert found, text
    groups = found.groups()
    example, answer, scene = groups[:7], groups[7], groups[8:]
    assert answer == dict(zip(example[1:6:2], example[:6:2], strict=True))[example[6]].capitalize()
    assert not {*example[:6]} & {*scene[:6]}, "the example's colours and things must not come again"
    for one in (example, scene):
        assert len({*one[:6]}) == 6
    return dict(zip(scene[1:6:2], scene[:6:2], strict=True)), scene[6]


@pytest.mark.parametrize("ref", REFS, ids=str)
@pytest.mark.parametrize("bos", [False, True])
def test_a_smaller_draw_is_the_beginning_of_a_larger_one(ref, bos, mini):
    task = open_task(ref)
    many = task.draw(mini, 60, seed=3, bos=bos).prompts
    assert len(many) == 60
    assert task.draw(mini, 17, seed=3, bos=bos).prompts == many[:17]
    assert task.draw(mini, 17, seed=4, bos=bos).prompts != many[:17]
    assert task.draw(mini, 0, seed=3, bos=bos).prompts == ()


@pytest.mark.parametrize("ref", REFS, ids=str)
def test_every_round_shows_every_template_once(ref, tokenizer):
    task = open_task(ref)
    size = task.info.templates
    prompts = task.draw(tokenizer, 3 * size, seed=0, bos=False).prompts
    rounds = [[p.template for p in prompts[i : i + size]] for i in range(0, 3 * size, size)]
    assert all(len(set(templates)) == size for templates in rounds)
    assert len({tuple(templates) for templates in rounds}) > 1, "the order within a round is shuffled"


@pytest.mark.parametrize("ref", REFS, ids=str)
@pytest.mark.parametrize("bos", [False, True])
def test_prompts_keep_what_the_description_promises(ref, bos, tokenizer):
    info = describe(ref)
    task = open_task(ref)
    assert task.info == info
    many = {position.name: position.many for position in info.positions}
    for prompt in task.draw(tokenizer, 80, seed=1, bos=bos).prompts:
        assert set(prompt.positions) - {"BOS"} == set(many)
        assert prompt.positions.get("BOS") == ((0,) if bos else None)
        assert set(prompt.counterfactuals) == {name for name, _ in info.counterfactuals}
        assert info.default_counterfactual in prompt.counterfactuals
        for name, indices in prompt.positions.items():
            assert list(indices) == sorted(set(indices))
            assert indices and all((bos and name != "BOS") <= i < len(prompt.tokens) for i in indices)
            assert many.get(name) or len(indices) == 1
        assert prompt.positions["END"] == (len(prompt.tokens) - 1,)
        for tokens in (prompt.tokens, *prompt.counterfactuals.values()):
            assert len(tokens) == len(prompt.tokens)
            assert (tokens[0] == tokenizer.bos_token_id) == bos
            assert tokens == prompt.tokens or prompt.counterfactuals
        assert all(tokens != prompt.tokens for tokens in prompt.counterfactuals.values())
        assert set(prompt.predicted) == {variable.name for variable in info.variables}
        assert prompt.answer not in prompt.predicted.values()
        assert prompt.wrong and prompt.answer not in prompt.wrong
        assert prompt.answer in prompt.options and set(prompt.wrong) <= set(prompt.options)


@pytest.mark.parametrize("ref", REFS[:3], ids=str)
def test_prompts_of_one_template_have_their_positions_at_the_same_places(ref, tokenizer):
    by_template = {}
    for prompt in open_task(ref).draw(tokenizer, 120, seed=2, bos=False).prompts:
        fixed = {k: v for k, v in prompt.positions.items() if k not in ("ANSWER_COLOR", "DISTRACTORS")}
        assert by_template.setdefault(prompt.template, fixed) == fixed


def test_bos_moves_every_position_by_one(gpt2):
    task = open_task(TaskRef("colored_objects"))
    with_bos, without = (task.draw(gpt2, 20, seed=0, bos=bos).prompts for bos in (True, False))
    for one, other in zip(with_bos, without, strict=True):
        assert one.tokens == (gpt2.bos_token_id, *other.tokens)
        moved = {name: tuple(i + 1 for i in at) for name, at in other.positions.items()}
        assert one.positions == {"BOS": (0,)} | moved
        assert one.answer == other.answer


def test_ioi_positions_and_counterfactuals_mean_what_they_say(tokenizer):
    for prompt in open_task(TaskRef("ioi")).draw(tokenizer, 90, seed=5, bos=False).prompts:
        ((io,), (s1,), (s2,)) = (words_at(prompt, tokenizer, name) for name in ("IO", "S1", "S2"))
        assert s1 == s2 != io
        assert tokenizer.decode([prompt.answer]).strip() == io
        assert [tokenizer.decode([token]).strip() for token in prompt.wrong] == [s1]
        at = {name: prompt.positions[name][0] for name in ("IO", "S1", "S2")}
        assert (at["IO"] < at["S1"]) == prompt.template.endswith("ABBA")
        assert max(at["IO"], at["S1"]) < at["S2"] < prompt.positions["END"][0]

        changed = {
            name: {i for i, (a, b) in enumerate(zip(prompt.tokens, tokens, strict=True)) if a != b}
            for name, tokens in prompt.counterfactuals.items()
        }
        assert changed["abc"] == set(at.values())
        assert changed["s2_io"] == {at["S2"]}
        assert changed["flip_order"] == {at["IO"], at["S1"]}
        abc, s2_io, flipped = (prompt.counterfactuals[name] for name in ("abc", "s2_io", "flip_order"))
        unrelated = {abc[i] for i in at.values()}
        assert len(unrelated) == 3 and not unrelated & {prompt.answer, *prompt.wrong}
        assert s2_io[at["S2"]] == prompt.tokens[at["IO"]]
        assert (flipped[at["IO"]], flipped[at["S1"]]) == (prompt.tokens[at["S1"]], prompt.tokens[at["IO"]])
        assert not prompt.text.endswith(" ")


@pytest.mark.parametrize("shots", [0, 1])
def test_colored_objects_positions_and_counterfactual_mean_what_they_say(shots, tokenizer):
    ref = TaskRef("colored_objects", (("shots", shots),))
    for prompt in open_task(ref).draw(tokenizer, 90, seed=5, bos=False).prompts:
        colors = [words_at(prompt, tokenizer, f"C{i}")[0] for i in (1, 2, 3)]
        things = [words_at(prompt, tokenizer, f"O{i}")[0] for i in (1, 2, 3)]
        if shots:
            scene, asked = one_shot_form(prompt.text)
        else:
            found = ZERO_SHOT.fullmatch(prompt.text)
            assert found
            scene = dict(zip(found.groups()[1:6:2], found.groups()[:6:2], strict=True))
            asked = found.group(7)
        assert scene == dict(zip(things, colors, strict=True))
        assert words_at(prompt, tokenizer, "QUERY") == [asked]
        assert words_at(prompt, tokenizer, "ANSWER_COLOR") == [scene[asked]]
        assert words_at(prompt, tokenizer, "DISTRACTORS") == [c for c in colors if c != scene[asked]]
        assert tokenizer.decode([prompt.answer]).strip() == scene[asked].capitalize()
        assert [tokenizer.decode([t]).strip() for t in prompt.options] == [c.capitalize() for c in colors]

        (query,) = prompt.positions["QUERY"]
        other = prompt.counterfactuals["other_query"]
        assert [i for i, t in enumerate(other) if t != prompt.tokens[i]] == [query]
        wrong = tokenizer.decode(prompt.wrong).strip().lower()
        assert scene[tokenizer.decode([other[query]]).strip()] == wrong != scene[asked]

        exchanged = prompt.counterfactuals["exchanged_colors"]
        (answer,) = prompt.positions["ANSWER_COLOR"]
        (wrong_at,) = (
            i for i in prompt.positions["DISTRACTORS"] if tokenizer.decode([prompt.tokens[i]]).strip() == wrong
        )
        assert (exchanged[answer], exchanged[wrong_at]) == (prompt.tokens[wrong_at], prompt.tokens[answer])
        changed = [i for i, t in enumerate(exchanged) if t != prompt.tokens[i]]
        articles = [i for i in changed if i not in (answer, wrong_at)]  # "a red" and "an orange"
        assert {i + 1 for i in articles} <= {answer, wrong_at}
        assert all(tokenizer.decode([exchanged[i]]).strip() in ("a", "an") for i in articles)

        exchanged = prompt.counterfactuals["exchanged_objects"]
        assert {i for i, t in enumerate(exchanged) if t != prompt.tokens[i]} == {answer + 1, wrong_at + 1}
        assert (exchanged[answer + 1], exchanged[wrong_at + 1]) == (
            prompt.tokens[wrong_at + 1],
            prompt.tokens[answer + 1],
        )


def test_example_positions_lie_in_the_example(tokenizer):
    for prompt in open_task(TaskRef("colored_objects")).draw(tokenizer, 30, seed=6, bos=False).prompts:
        example = re.findall(THING, prompt.text)[:3]
        for i, (color, thing) in enumerate(example, start=1):
            assert words_at(prompt, tokenizer, f"X_C{i}") == [color]
            assert words_at(prompt, tokenizer, f"X_O{i}") == [thing]
            assert prompt.positions[f"X_O{i}"] < prompt.positions["C1"]


@pytest.mark.parametrize("name", ["colored_objects_1000.json", "colored_objects_1000_minimal_pairs.json"])
def test_the_published_prompts_have_our_form(name):
    if not (PUBLISHED / name).is_file():
        pytest.skip(f"no {name}")
    published = json.loads((PUBLISHED / name).read_text())
    assert len(published) == 1000
    for text, answer in published:
        scene, asked = one_shot_form(text)
        assert answer == f" {scene[asked].capitalize()}"


def test_induction_repeats_and_its_counterfactual_does_not(tokenizer):
    for prompt in open_task(TaskRef("induction", (("length", 9),))).draw(tokenizer, 60, seed=0, bos=True).prompts:
        length, repeated = map(int, prompt.template.split("-"))
        tokens, other = prompt.tokens[1:], prompt.counterfactuals["other"][1:]
        assert len(tokens) == length + repeated
        assert tokens[length:] == tokens[:repeated] == other[length:]
        assert len(set(other)) == len(other), "no token of the counterfactual comes twice"
        ((end,), (first,), (after,)) = (prompt.positions[name] for name in ("END", "FIRST", "NEXT"))
        assert prompt.tokens[end] == prompt.tokens[first]
        assert after == first + 1 and prompt.tokens[after] == prompt.answer
        assert not {*tokens, *other} & set(tokenizer.all_special_ids)


def test_notes_say_how_many_words_are_left(mini, gpt2):
    assert open_task(TaskRef("ioi")).draw(mini, 5, 0, False).notes == (
        "48 of 100 names are one token each for this tokenizer",
    )
    assert open_task(TaskRef("ioi")).draw(gpt2, 5, 0, False).notes == ()
    assert open_task(TaskRef("colored_objects")).draw(mini, 5, 0, False).notes == ()


def test_templates_with_unknown_words_are_left_out():
    drawn = open_task(TaskRef("ioi")).draw(word_level(FEW_WORDS), 20, 0, False)
    assert {prompt.template for prompt in drawn.prompts} == {"00-ABBA", "00-BABA"}
    assert "2 of 30 templates are in its words for this tokenizer" in drawn.notes


@pytest.mark.parametrize(
    ("ref", "known", "message"),
    [
        (TaskRef("ioi"), "the Mary John Tom Anna store book", "needs 5 names, but 4 of 100 names"),
        (TaskRef("ioi"), "the Mary John Tom Anna James book", "needs 1 places, but 0 of 20"),
        (TaskRef("ioi"), "the Mary John Tom Anna James book store", "needs 1 templates, but 0 of 30"),
        (
            TaskRef("colored_objects"),
            "the red Red blue Blue green Green black Black brown Brown yellow",
            "needs 6 colours, but 5 of 8",
        ),
        (TaskRef("induction"), "a b c", "needs 40 tokens, but the vocabulary has 3"),
    ],
)
def test_too_small_a_vocabulary_is_an_error(ref, known, message):
    with pytest.raises(TaskError, match=message) as caught:
        open_task(ref).draw(word_level(known.split()), 5, 0, False)
    assert caught.value.remedy


def test_a_missing_bos_token_is_an_error():
    for ref in (TaskRef("ioi"), TaskRef("induction", (("length", 4),))):
        with pytest.raises(TaskError, match="no BOS token"):
            open_task(ref).draw(word_level(FEW_WORDS), 5, 0, True)


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (TaskRef("ioj"), "no task called ioj"),
        (TaskRef("ioi", (("shots", 1),)), "takes no arguments"),
        (TaskRef("colored_objects", (("shots", 2),)), "shots of the task colored_objects is 2, not a whole number"),
        (TaskRef("colored_objects", (("shots", 0.5),)), "is 0.5, not a whole number from 0 to 1"),
        (TaskRef("colored_objects", (("shots", float("nan")),)), "is nan, not a whole number"),
        (TaskRef("colored_objects", (("shots", float("inf")),)), "is inf, not a whole number"),
        (TaskRef("colored_objects", (("shots", "one"),)), 'is "one", not a whole number'),
        (TaskRef("colored_objects", (("shot", 1),)), "no argument called shot"),
        (TaskRef("colored_objects", (("", 1),)), "no argument without a name"),
        (TaskRef("colored_objects", (("shots", 1), ("shots", 0))), "given 2 times"),
        (TaskRef("induction", (("length", 3),)), "not a whole number from 4 to 500"),
    ],
)
def test_wrong_references_are_explained(ref, message):
    with pytest.raises(UnknownName) as caught:
        describe(ref)
    assert message in caught.value.message
    assert caught.value.remedy


def test_an_unknown_task_names_the_known_ones():
    with pytest.raises(UnknownName) as caught:
        describe(TaskRef("iio"))
    assert caught.value.known == task_names() == TASKS


def test_without_an_example_there_are_no_example_positions():
    names = {
        shots: {p.name for p in describe(TaskRef("colored_objects", (("shots", shots),))).positions} for shots in (0, 1)
    }
    assert names[1] - names[0] == {f"X_{kind}{i}" for kind in "CO" for i in (1, 2, 3)}
    assert names[0] < names[1]


def test_describing_imports_no_model_library():
    code = (
        "import sys; from circuitdsl.tasks import describe; from circuitdsl.language.environment import TaskRef; "
        "describe(TaskRef('ioi')); "
        "print({'torch', 'transformers', 'transformer_lens', 'tokenizers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
