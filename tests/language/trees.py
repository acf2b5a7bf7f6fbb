"""Hypothesis strategies for syntax trees, as the parser would make them, and for other spellings of a text."""

from __future__ import annotations

from hypothesis import strategies as st

from circuitdsl.actions.attend import WHOLE
from circuitdsl.language import tree as t
from circuitdsl.language.parse import tokens

# Words that mean something elsewhere in the language but may be names are the interesting ones.
NAMES = (
    "mover",
    "of",
    "group",
    "name_mover",
    "S2",
    "END",
    "all",
    "answer",
    "baseline",
    "yes",
    "modelled",
    "at_END",
    "A1",
    "A[n]",
    "sum_[n+1]x[m-2]",
    "_",
    "q",
)
name_texts = st.sampled_from(NAMES)
names = st.builds(t.Name, name_texts)
of_dictionaries = st.sampled_from([name for name in NAMES if "[" not in name])
words = st.builds(t.Words, st.lists(name_texts, min_size=1, max_size=3).map(tuple)) | st.just(
    t.Words(("mean", "by", "template"))
)
texts = st.builds(t.Text, st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs",)), max_size=12))
number_texts = st.sampled_from(("0", "1", "-1", "+2", "95%", "-0.5%", "3.25", "1e3", "2.5E-2", "007", "100%"))
numbers = st.builds(t.Number, number_texts)
small = st.integers(0, 30)
offsets = st.integers(-9, 9)
places = st.builds(t.Place, name_texts, offsets)
maybe_places = st.none() | places

heads = st.builds(t.Component, st.just("HEAD"), st.tuples(small, st.none() | small))
mlps = st.builds(t.Component, st.just("mlp"), st.tuples(small, st.none() | small))
neurons = st.builds(t.Component, st.just("neuron"), st.tuples(small, st.none() | small))
streams = st.builds(t.Component, st.just("resid"), st.tuples(small))
features = st.builds(t.Component, st.just("FEATURE"), st.tuples(st.none() | small), of_dictionaries)
error_terms = st.builds(t.Component, st.just("ERROR_TERM"), st.just(()), of_dictionaries)
embeddings = st.builds(t.Component, st.sampled_from(("embed", "pos_embed")))
components = st.one_of(heads, heads, heads, mlps, neurons, streams, embeddings, features, error_terms)
members = st.builds(t.Member, components, maybe_places)
bare_members = st.builds(t.Member, components)
items = names | members
item_lists = st.lists(items, min_size=1, max_size=4).map(tuple)
inputs = st.sampled_from(("q", "k", "v", "kv", "qk", "qkv", "z"))
senders = st.builds(t.Group, item_lists, st.just(""), maybe_places)


def can_be_written(group: t.Group) -> bool:
    """Not `a1.57.z`: only `q`, `k` and `v` are read after a lone feature, so that `blocks.10.attn` is none."""
    lone = group.items[0] if len(group.items) == 1 else None
    return not (isinstance(lone, t.Member) and lone.component.rule == "FEATURE" and "z" in group.inputs)


readings = senders | st.builds(t.Group, item_lists, inputs, maybe_places, st.booleans()).filter(can_be_written)
receivers = readings | st.builds(t.Logits)


def is_operand(group: t.Group) -> bool:
    """A lone name is ``Words`` among arguments."""
    lone = len(group.items) == 1 and isinstance(next(iter(group.items)), t.Name)
    return bool(group.inputs or group.at) or not lone


operands = st.one_of(
    words,
    st.builds(t.Place, name_texts, offsets.filter(bool)),
    readings.filter(is_operand),
    st.builds(t.Logits),
)
counts = st.builds(t.Number, st.sampled_from(("0", "1", "10", "007")))
reads = st.builds(t.ReadAt, st.builds(t.Place, name_texts, offsets))
contrasts = words.map(lambda value: t.Words(("against", *value.words)))
arguments = st.one_of(
    operands,
    st.builds(t.Arrow, operands, operands),
    st.builds(t.Alike, operands, operands),
    counts,
    contrasts,
    reads,
)
operators = st.sampled_from((">=", "<=", ">", "<"))
judgements = st.one_of(
    st.builds(t.AtLeast, operators, numbers),
    st.builds(t.Between, numbers, numbers),
    st.builds(t.Outside, numbers, numbers),
    st.builds(t.Direction, st.sampled_from(("raises", "lowers"))),
    st.builds(t.Against, operators, words),
)
labels = st.none() | names | st.just(t.Name("as"))  # a word only where a label may stand
expects = st.builds(t.Expect, names, st.lists(arguments, max_size=3).map(tuple), judgements, st.booleans(), labels)
stated = {"strict": st.booleans(), "label": labels, "against": st.none() | names}
edges = st.builds(t.Edge, senders, receivers, st.none() | judgements, **stated) | st.builds(
    t.Edge, senders, receivers, st.none(), st.just(True), **stated
)

abouts = st.builds(t.About, texts)
cites = st.builds(t.Cite, texts)
task_arguments = st.builds(t.TaskArgument, st.none() | names, texts | numbers | names)
metrics = words | st.builds(
    t.Called, words, st.lists(words | contrasts | counts | reads, min_size=1, max_size=3).map(tuple)
)
settings = st.one_of(
    st.builds(t.Setting, st.just(t.Name("metric")), metrics.map(lambda value: (value,))),
    st.builds(
        t.Setting,
        st.builds(
            t.Name, st.sampled_from(("metric", "against", "ablate", "positions", "processing", "members", "errors"))
        ),
        words.map(lambda value: (value,)),
    ),
    st.builds(t.Setting, st.just(t.Name("positions")), st.just((t.Words(("role",)),))),
    st.builds(t.Setting, st.just(t.Name("prompts")), words.map(lambda value: (value,))),
    st.builds(t.Setting, st.just(t.Name("prompts")), st.lists(numbers, min_size=1, max_size=2).map(tuple)),
    st.builds(
        t.Setting,
        st.builds(t.Name, st.sampled_from(("floor", "confidence", "seed"))),
        numbers.map(lambda value: (value,)),
    ),
    st.builds(t.Setting, st.just(t.Name("bos")), st.sampled_from(("yes", "no")).map(lambda word: (t.Words((word,)),))),
    st.builds(
        t.Vary,
        st.builds(
            t.Name, st.sampled_from(("metric", "against", "ablate", "positions", "processing", "members", "errors"))
        ),
        st.lists(metrics | st.just(t.Words(("role",))), min_size=1, max_size=3).map(tuple),
    ),
)
model_names = st.sampled_from(("gpt2", "gpt2-medium", "models/here", "a.b", "7b", "expected"))
models = st.builds(t.Model, st.builds(t.Name, model_names)) | st.builds(
    t.Model, texts.map(lambda text: t.Name(text.value)), st.just(True)
)
role_bodies = st.lists(st.one_of(members, members, members, cites, expects), max_size=5).map(tuple)
roles = st.builds(t.Role, names, maybe_places, role_bodies)
tasks = st.builds(t.Task, names, st.lists(task_arguments, max_size=2).map(tuple))
bounds = st.builds(t.AtLeast, operators, numbers) | st.builds(t.Between, numbers, numbers)
statements = st.one_of(
    abouts,
    cites,
    models,
    tasks,
    st.builds(t.Dictionary, names, names, small, texts),
    st.builds(t.ControlTask, tasks, st.none() | bounds, labels),
    st.builds(t.Method, st.lists(settings, max_size=4).map(tuple)),
    roles,
    roles,
    edges,
    edges,
    expects,
)
ends = st.builds(t.Number, st.sampled_from(("0", "1", "2", "10")))
repeated = st.lists(st.one_of(roles, edges, expects), max_size=3)
inner_repeats = st.builds(t.Repeat, names, ends, ends, repeated.map(tuple))
repeats = st.builds(
    t.Repeat,
    names,
    ends,
    ends,
    st.lists(st.one_of(roles, edges, expects, inner_repeats), max_size=3).map(tuple),
)
shared = st.lists(st.builds(t.Target, places, numbers), min_size=1, max_size=4).map(tuple)
evenly = places.map(lambda place: (t.Target(place, t.Number(WHOLE)),))
attending = st.tuples(places, evenly | shared).map(lambda rows: (rows[0], *rows[1]))
actions = st.one_of(
    st.builds(t.Action, st.just("attend"), senders, attending),
    st.builds(t.Action, st.just("ablate"), senders, st.just(()) | st.tuples(words)),
    st.builds(t.Action, st.just("patch"), senders, st.tuples(names)),
    st.builds(t.Action, st.just("scale"), senders, st.tuples(numbers)),
    st.builds(t.Action, st.just("freeze"), senders),
    st.builds(t.Action, st.just("swap"), senders, st.tuples(places)),
    st.builds(t.Action, st.just("swap_attention"), senders, st.tuples(places, places)),
)
aligns = st.builds(t.Align, st.lists(st.tuples(names, names), min_size=1, max_size=3).map(tuple))
blocks = st.one_of(
    st.builds(t.Use, texts),
    st.builds(t.Circuit, names, st.lists(statements | repeats, max_size=5).map(tuple)),
    st.builds(t.Comparison, names, names, st.lists(abouts | cites | aligns | expects, max_size=4).map(tuple)),
    st.builds(t.Intervention, names, names, st.lists(abouts | cites | actions | expects, max_size=4).map(tuple)),
)
files = st.builds(t.File, st.lists(blocks, max_size=3).map(tuple))

GAPS = (
    " ",
    "  ",
    "\t",
    "\n",
    " # {\n",
    "\n# }\n",
    "\n\n",
    "\n\n\n   ",
    " # a\n",
    "\n# b\n",
    "\n\n    # c\n\n",
    "#\n",
    "\n#d # e\n# f\n",
)


@st.composite
def respelt(draw: st.DrawFn, text: str) -> str:
    """The same words with other white space, and comments, between any two of them."""
    gap = st.sampled_from(GAPS)
    parts = [draw(gap)]
    for token in tokens(text):
        parts += [str(token), draw(gap)]
    return "".join(parts)
