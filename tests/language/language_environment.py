"""A small fixed environment: what the language's tests resolve against, whatever the real registry holds."""

from circuitdsl.components import Geometry
from circuitdsl.language.environment import (
    NOT_NEGATIVE,
    PROPORTION,
    AnswersInfo,
    DictionaryInfo,
    Environment,
    Layout,
    LineFault,
    MeasureInfo,
    Parameter,
    PositionInfo,
    TaskInfo,
    TaskRef,
    UnknownName,
    VariableInfo,
)

GEOMETRIES = {
    "gpt2": Geometry("gpt2", 12, 12, 12, 768, 64, 3072, 50257, 1024),
    "gpt2-medium": Geometry("gpt2-medium", 24, 16, 16, 1024, 64, 4096, 50257, 1024),
    "attn-only-2l": Geometry("attn-only-2l", 2, 8, 8, 512, 64, 0, 48262, 1024),
    "grouped": Geometry("grouped", 4, 6, 2, 48, 8, 96, 100, 64),
    "parallel": Geometry("parallel", 6, 8, 8, 512, 64, 2048, 50304, 2048, parallel_attn_mlp=True),
}


def _positions(*names: str) -> tuple[PositionInfo, ...]:
    return tuple(PositionInfo(name, f"the {name} token", many=name == "DISTRACTORS") for name in names)


TASKS = {
    "ioi": TaskInfo(
        "ioi",
        "indirect object identification",
        _positions("IO", "S1", "S2", "END"),
        (("abc", "three other names"), ("s2_io", "S2 becomes IO"), ("flip_order", "names swapped")),
        "abc",
        15,
        variables=(
            VariableInfo("S_token", "the repeated name", "s2_io"),
            VariableInfo("S_position", "where it stands first", "flip_order"),
        ),
    ),
    "colored_objects": TaskInfo(
        "colored_objects",
        "the colour of one of three objects",
        _positions("C1", "C2", "C3", "ANSWER_COLOR", "DISTRACTORS", "QUERY", "END"),
        (("other_query", "another object is asked for"),),
        "other_query",
        9,
    ),
    "few": TaskInfo("few", "a task that lists its prompts", _positions("END"), (), None, 1, listed=12),
    "many": TaskInfo("many", "a task of too many", _positions("END"), (), None, 1, listed=1_000_000),
    "unsure": TaskInfo(
        "unsure",
        "no wrong answers",
        _positions("END"),
        (("other", "others"),),
        "other",
        2,
        lines=(1, 4),
        wrong=False,
        choice=False,
    ),
    "digits": TaskInfo(
        "digits",
        "answers of several tokens",
        _positions("A2", "A1", "END"),
        (("other", "others"),),
        "other",
        1,
        elsewhere=(AnswersInfo("A2", "the second digit"), AnswersInfo("A1", "the third", wrong=False, choice=False)),
    ),
    "plain": TaskInfo("plain", "no counterfactuals", _positions("END"), (), None, 1),
}
_HEADS = Parameter("heads", "heads", "the heads", only_heads=True)
_NODES = Parameter("heads", "heads", "the nodes")
_PATH = Parameter("path", "path", "senders -> receivers")
_ELEMENTS = Parameter("elements", "elements", "what is counted")
_BOTH = ("circuit", "intervention")

MEASURES = {
    info.name: info
    for info in (
        MeasureInfo(
            "logit_diff",
            "logits",
            "answer - wrong",
            "Wang et al.",
            options=(("against max", "the largest of the wrong"),),
            output=True,
        ),
        MeasureInfo("hit", "share", "", "", (Parameter("k", "count", "how many"),), limits=PROPORTION, output=True),
        MeasureInfo("kl", "nats", "", "", limits=NOT_NEGATIVE, of_whole=True, output=True, from_clean=True),
        MeasureInfo(
            "accuracy",
            "share",
            "top token is the answer",
            "Merullo et al.",
            options=(("among options", "among the task's options"),),
            limits=PROPORTION,
            output=True,
        ),
        MeasureInfo(
            "probability", "share", "", "", (Parameter("token", "token", "the token"),), limits=PROPORTION, output=True
        ),
        MeasureInfo(
            "attention",
            "share",
            "mean attention",
            "Wang et al.",
            (_HEADS, Parameter("attends", "attends", "query -> key")),
            limits=PROPORTION,
        ),
        MeasureInfo("copying", "share", "", "", (_HEADS, Parameter("reads", "reads", "where")), limits=PROPORTION),
        MeasureInfo("induction_score", "score", "", "", (_HEADS,)),
        MeasureInfo(
            "effect",
            "share",
            "path patching",
            "Wang et al.",
            (_PATH,),
            (("strict", "MLPs and norms frozen"), ("normalised", "by the change"), ("recovered", "the other way")),
            alternatives=("normalised", "recovered"),
            of_circuits=("normalised", "recovered"),
            of_metric=True,
        ),
        MeasureInfo("knockout", "share", "", "", (_NODES,), controls=("random heads",), of_metric=True),
        MeasureInfo(
            "faithfulness",
            "share",
            "",
            "",
            options=(("edges", "as edges"),),
            controls=("random heads",),
            of_whole=True,
            of_metric=True,
        ),
        MeasureInfo(
            "interchange",
            "share",
            "",
            "",
            (_NODES, Parameter("variable", "variable", "of the task")),
            places=("circuit",),
            limits=PROPORTION,
        ),
        MeasureInfo("faithfulness_gap", "metric", "", "", limits=NOT_NEGATIVE, of_whole=True, of_metric=True),
        MeasureInfo("minimality", "share", "", "", (_NODES,), limits=NOT_NEGATIVE, of_whole=True, of_metric=True),
        MeasureInfo(
            "completeness",
            "metric",
            "",
            "",
            (Parameter("without", "heads", "K", required=False),),
            limits=NOT_NEGATIVE,
            of_whole=True,
            of_metric=True,
        ),
        MeasureInfo("loss_at", "score", "", "", (Parameter("position", "position", "where"),)),
        MeasureInfo(
            "overlap", "share", "", "", (_ELEMENTS,), places=("compare",), controls=("chance",), limits=PROPORTION
        ),
        MeasureInfo(
            "transfer",
            "share",
            "",
            "",
            (Parameter("direction", "direction", "from -> to"),),
            places=("compare",),
        ),
        MeasureInfo(
            "dissociation",
            "share",
            "",
            "",
            (Parameter("circuits", "circuits", "the two circuits"),),
            places=("compare",),
        ),
    )
}


def _geometry(name: str) -> Geometry:
    if name not in GEOMETRIES:
        raise UnknownName(f"there is no model `{name}`", tuple(GEOMETRIES), "")
    return GEOMETRIES[name]


def _task(reference: TaskRef) -> TaskInfo:
    if reference.name == "broken":
        faults = (LineFault("my.jsonl", 3, "no JSON", "write an object"), LineFault("my.jsonl", 5, "empty", "fill it"))
        raise UnknownName("my.jsonl, line 3: no JSON", faults=faults, usable=4)
    if reference.name == "file":
        return TASKS["ioi"]
    if reference.name not in TASKS:
        raise UnknownName(f"there is no task `{reference.name}`", tuple(TASKS), "")
    if reference.arguments and reference.name != "colored_objects":
        raise UnknownName(f"task `{reference.name}` takes no arguments", (), f"write `task {reference.name}`")
    return TASKS[reference.name]


def _layouts(reference: TaskRef) -> tuple[Layout, ...]:
    """Those of ioi, whose first names change places; of a file, with a line that lacks S1; of digits, one after
    another."""
    if reference.name == "digits":
        return (Layout(9, {"A2": (6,), "A1": (7,), "END": (8,)}),)
    if reference.name not in ("ioi", "file"):
        return ()
    places = {"IO": (2,), "S1": (4,), "S2": (10,), "END": (14,)}
    other = {"IO": (4,), "S2": (12,), "END": (16,)} | ({"S1": (2,)} if reference.name == "ioi" else {})
    return Layout(15, places), Layout(17, other)


DICTIONARIES = {
    "saes/attn1": DictionaryInfo(
        256, 768, "1f" * 32, False, "saes/attn1", ("blocks.1.hook_attn_out", "blocks.1.hook_attn_out")
    ),
    "saes/stream3": DictionaryInfo(
        256, 768, "2f" * 32, False, "saes/stream3", ("blocks.2.hook_resid_post", "blocks.2.hook_resid_post")
    ),
    "saes/unplaced": DictionaryInfo(64, 768, "3f" * 32, False, "saes/unplaced"),
    "saes/skips": DictionaryInfo(
        64, 768, "4f" * 32, True, "saes/skips", ("blocks.5.ln2.hook_normalized", "blocks.5.hook_mlp_out")
    ),
    "saes/elsewhere": DictionaryInfo(
        64, 768, "5f" * 32, False, "saes/elsewhere", ("model.layers.1.self_attn", "model.layers.1.self_attn")
    ),
    "saes/narrow": DictionaryInfo(64, 512, "6f" * 32, False, "saes/narrow"),
}


def _dictionary(path: str, folder: str) -> DictionaryInfo:
    if path not in DICTIONARIES:
        raise UnknownName(f"there is no folder {path} ({folder}/{path})", (), "it counts from the spec's folder")
    return DICTIONARIES[path]


ENVIRONMENT = Environment(_geometry, _task, MEASURES, layouts=_layouts, dictionary=_dictionary)
