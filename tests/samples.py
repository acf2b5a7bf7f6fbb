"""Circuits and reports made by hand, for tests that need no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from circuitdsl.actions import Attend
from circuitdsl.compare.structure import Structure, compare
from circuitdsl.components import Component, Geometry, Head, Mlp, Node, Position
from circuitdsl.judge.estimates import Estimate, Verdict
from circuitdsl.language.circuit import (
    Bound,
    Circuit,
    Claim,
    Comparison,
    Control,
    Intervention,
    LogitsReceiver,
    Method,
    Nodes,
    Path,
    Receivers,
    Role,
    Term,
)
from circuitdsl.language.environment import PositionInfo, TaskInfo, TaskRef
from circuitdsl.outcome import (
    CircuitReport,
    ClaimOutcome,
    ComparisonReport,
    Cost,
    Examples,
    HeadLook,
    HeadOutcome,
    InterventionReport,
    Part,
    Report,
    Search,
    SinglePrompt,
    Variant,
)

TASK = TaskInfo(
    name="ioi",
    about="Indirect object identification",
    positions=tuple(PositionInfo(name, f"the token {name}") for name in ("IO", "S1", "S2", "END")),
    counterfactuals=(("abc", "three unrelated names"),),
    default_counterfactual="abc",
    templates=15,
)

FINGERPRINT = "1a2b3c4d5e6f" + 52 * "0"


def known(value: float | None) -> float:
    """A value that must not be undefined."""
    assert value is not None
    return value


def geometry(layers: int = 12, heads: int = 12, model: str = "toy") -> Geometry:
    return Geometry(
        model=model,
        n_layers=layers,
        n_heads=heads,
        n_kv_heads=heads,
        d_model=64,
        d_head=8,
        d_mlp=0,
        d_vocab=100,
        n_ctx=64,
    )


def component(written: str) -> Component:
    if written.startswith("mlp"):
        return Mlp(int(written.removeprefix("mlp")))
    layer, index = written.split(".")
    return Head(int(layer), int(index))


def position(written: str) -> Position:
    name, plus, offset = written.partition("+")
    return Position(name, int(offset) if plus else 0)


def role(name: str, written: str, line: int = 0) -> Role:
    """A role from ``"9.6 9.9 at END"``; an MLP is written ``mlp5``."""
    nodes, _, at = written.partition(" at ")
    place = position(at or "END")
    return Role(name, tuple(Node(component(node), place) for node in nodes.split()), line=line)


def edge_path(roles: Iterable[Role], written: str) -> Path:
    """A path from ``"a -> b.kv"``; ends are roles, single heads, groups ``"a + b"`` or ``logits``."""
    by_name = {role.name: role for role in roles}

    def nodes(end: str) -> tuple[Node, ...]:
        found = [
            by_name[name].nodes if name in by_name else (Node(component(name), Position("END")),)
            for name in end.split(" + ")
        ]
        return tuple(node for group in found for node in group)

    sender, _, target = written.partition(" -> ")
    senders = Nodes(sender, nodes(sender))
    if target == "logits":
        return Path(senders, LogitsReceiver())
    end, _, letters = target.rpartition(".")
    return Path(senders, Receivers(end, nodes(end), letters))


def edge_claim(circuit: str, roles: Iterable[Role], written: str, line: int) -> Claim:
    return Claim(
        id=f"{circuit}:{line}",
        line=line,
        text=f"edge {written}",
        kind="edge",
        term=Term("effect", (("path", edge_path(roles, written)),)),
        bound=Bound("outside", -0.01, 0.01),
    )


def expect(circuit: str, line: int, measure: str, bound: Bound | Control, text: str = "") -> Claim:
    return Claim(
        id=f"{circuit}:{line}",
        line=line,
        text=text or f"expect {measure}",
        kind="expect",
        term=Term(measure),
        bound=bound,
    )


def circuit(
    name: str,
    roles: Mapping[str, str],
    edges: Iterable[str] = (),
    shape: Geometry | None = None,
    claims: Iterable[Claim] = (),
) -> Circuit:
    """A circuit from roles written as :func:`role` reads them and edges as :func:`edge_path` does."""
    made = tuple(role(key, written, line) for line, (key, written) in enumerate(roles.items(), start=2))
    first = len(made) + 2
    shape = shape or geometry()
    return Circuit(
        name=name,
        file=f"specs/{name}.circuit",
        model=shape.model,
        geometry=shape,
        task=TaskRef("ioi"),
        task_info=TASK,
        method=Method(against="abc"),
        roles=made,
        claims=tuple(edge_claim(name, made, edge, line) for line, edge in enumerate(edges, start=first))
        + tuple(claims),
        line=1,
    )


def member(circuit: str, line: int, role: str, head: str) -> Claim:
    return Claim(
        id=f"{circuit}:{line}:{head}",
        line=line,
        text=f"{head} at END matters",
        kind="member",
        term=Term("minimality"),
        bound=Bound(">=", low=0.01),
        role=role,
    )


def outcome(claim: Claim, verdict: Verdict, value: float | None, spread: float = 0.01, **rest) -> ClaimOutcome:
    estimate = Estimate(None, None, None) if value is None else Estimate(value, value - spread, value + spread)
    defaults = {"unit": "share", "confidence": 0.95, "prompts": 200}
    return ClaimOutcome(claim=claim, estimate=estimate, verdict=verdict, **(defaults | rest))


def examples(heads: Iterable[str], length: int) -> Examples:
    """Single prompts of so many tokens, on which every head looks at the token after the last name."""
    words = ("When", " Mary", " and", " John", " went", " to", " the", " store", ",", " John", " gave", " a")
    tokens = tuple(words[index % len(words)] for index in range(length))
    positions = {"IO": (1,), "S1": (3,), "S2": (9,), "END": (length - 1,)}
    first = max(0, length - 48)
    paid = tuple(0.9 if index == length - 7 else 0.1 / (length - first) for index in range(first, length))
    looks = tuple(HeadLook(head, "END", ("mover",), first, paid) for head in heads)

    def prompt(alone: float, looked_at: bool) -> SinglePrompt:
        return SinglePrompt("".join(tokens), "01-BABA", tokens, positions, 5.5, alone, looks if looked_at else ())

    return Examples(60, (prompt(-1.25, True), prompt(0.5, True), prompt(2.0, False)), prompt(5.0, True))


def report(structure: Structure | None = None) -> Report:
    """A report with every verdict, variants, parts, controls, a comparison and an intervention."""
    made = circuit("ioi", {"inhibition": "1.2 1.5 at END", "mover": "2.0 2.4 at END"}, shape=geometry(4, 8, "mini"))
    edge = edge_claim("ioi", made.roles, "inhibition -> mover.q", 5)
    outcomes = (
        *(outcome(member("ioi", 3, "inhibition", head), Verdict.HOLDS, 0.05) for head in ("1.2", "1.5")),
        outcome(member("ioi", 4, "mover", "2.0"), Verdict.HOLDS, 0.3),
        outcome(member("ioi", 4, "mover", "2.4"), Verdict.FAILS, 0.002, 0.001),
        outcome(
            edge,
            Verdict.HOLDS,
            -0.4,
            variants=(
                Variant("ablate", "zero", Estimate(-0.3, -0.32, -0.28), Verdict.HOLDS, 200),
                Variant("ablate", "resample", Estimate(-0.005, -0.02, 0.01), Verdict.UNDECIDED, 200),
                Variant("against", "s2_io", Estimate(None, None, None), Verdict.ERROR, 0, "no such counterfactual"),
            ),
        ),
        outcome(
            expect("ioi", 7, "logit_diff", Bound("in", 3.0, 4.5), "expect logit_diff in 3.0 .. 4.5"),
            Verdict.HOLDS,
            3.52,
            0.08,
            unit="logits",
            p_value=0.0001,
            p_holm=0.2,
        ),
        outcome(
            expect("ioi", 8, "attention", Bound(">=", low=0.4), "expect attention(mover, END -> IO) >= 40%"),
            Verdict.FAILS,
            0.3997,
            0.0002,
            parts=(Part("2.0", Estimate(0.7, 0.69, 0.71), 200), Part("2.4", Estimate(0.1, 0.09, 0.11), 200)),
            note="averaged over the role's heads",
        ),
        outcome(
            expect("ioi", 9, "faithfulness", Control("random heads"), "expect faithfulness > random heads"),
            Verdict.UNDECIDED,
            0.8,
            0.1,
            control=Estimate(0.75, 0.6, 0.9),
            prompts=2000,
        ),
        outcome(
            expect("ioi", 10, "copying", Bound(">=", low=0.9), "expect copying(mover, IO) >= 90%"),
            Verdict.ERROR,
            None,
            note="the patch changed nothing",
        ),
    )
    overlap = Claim("reuse:3", 3, "expect overlap(heads) >= 70%", "expect", Term("overlap"), Bound(">=", low=0.7))
    repair = expect("repair", 4, "accuracy", Bound(">=", low=0.9), "expect accuracy >= 90%")
    return Report(
        circuits=(
            CircuitReport(
                circuit=made,
                model="mini",
                processing="weights as they are",
                prompts=200,
                claims=outcomes,
                heads=(
                    HeadOutcome("1.2", "END", ("inhibition",), Estimate(-0.2, -0.22, -0.18)),
                    HeadOutcome("2.0", "END", ("mover",), Estimate(0.05, 0.04, 0.06)),
                ),
                unexplained=(HeadOutcome("3.1", "all", (), Estimate(-0.03, -0.04, -0.02)),),
                unexplained_note="28 of 28 heads looked at",
                search=Search(((50, 28), (100, 9), (200, 4)), 0.05, 0.058, 200),
                notes=("18 of 20 names are one token",),
                example="When Mary and John went to the store, John gave a drink to",
                examples=examples(("2.0", "2.4"), 15),
                fingerprint=FINGERPRINT,
                identity=FINGERPRINT[::-1],
                revision="step3000",
            ),
        ),
        comparisons=(
            ComparisonReport(
                Comparison("ioi", "ioi", "specs/reuse.circuit", (), (overlap,), "one circuit on both sides", line=1),
                structure or compare(made, made),
                (outcome(overlap, Verdict.HOLDS, 1.0, 0.0),),
            ),
        ),
        interventions=(
            InterventionReport(
                Intervention(
                    "repair",
                    "ioi",
                    "specs/repair.circuit",
                    (Attend((), (), text="attend { 2.0 } from END to IO evenly"),),
                    (repair,),
                    "heads made to look at the answer",
                ),
                "mini",
                200,
                (outcome(repair, Verdict.HOLDS, 0.95),),
                200,
                fingerprint=FINGERPRINT,
            ),
        ),
        versions={"circuitdsl": "0.1.0", "torch": "2.13.0"},
        seconds=12.34,
        cost=Cost(experiments=131, prompt_passes=26200, passes=131.0, planned=40.0, plain=1300.0),
    )
