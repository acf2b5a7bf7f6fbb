"""The controls of claims: what each compares with, its null hypothesis, and the test; for reports and ``explain``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuitdsl.language.circuit import Claim, Control
from circuitdsl.language.environment import CHANCE, CONTROL_TASK, RANDOM_EDGES, RANDOM_HEADS, SHAM

SUFFICIENCY, NECESSITY, INDEPENDENCE = "sufficiency", "necessity", "independence"
"""The three questions of Shi et al. 2024, as controls of a circuit."""

_MONTE_CARLO = (
    "Monte Carlo: (1 + b) / (1 + 99), b of 99 random sets doing as well as the real one, all measured on the same "
    "prompts. The p-value is exact if the real set is as good as drawn like the others (Davison and Hinkley 1997). Of "
    "57 prompts or more, few are looked at first by a circuit's claims (with a confidence of at most 98%): where none "
    "of 99 does as well there, that decides; at the second look, on all, it is (2 + b) / (1 + 99). The claim fails "
    "where more than 1 - confidence of all random sets surely do as well."
)


@dataclass(frozen=True)
class ControlInfo:
    """A control. ``claim`` shows how it is written; ``null`` is the null hypothesis, which the ``test`` rejects where
    the claim holds."""

    name: str
    about: str
    claim: str
    null: str
    test: str
    source: str


CONTROLS: Mapping[str, ControlInfo] = {
    each.name: each
    for each in (
        ControlInfo(
            RANDOM_HEADS,
            "The same done to random heads: each head of the claim is exchanged for a random one of its layer, "
            "distinct ones for distinct ones, the same one wherever it stands, and each feature for one of its "
            "dictionary. A random set may have heads of the claim. MLPs and embeddings stay, and features do in an "
            "intervention.",
            "expect knockout(name_mover) < random heads",
            "The heads of the claim do no better than any others of their layers, as many and at the same positions.",
            _MONTE_CARLO,
            "Wang et al. 2022; Shi et al. 2024",
        ),
        ControlInfo(
            RANDOM_EDGES,
            "The sizes of the effects of random edges: every head that sends or receives is exchanged for a random one "
            "of its layer, and every feature for one of its dictionary, so that the order of computation, the inputs "
            "and the positions stay. MLPs, embeddings and the logits stay. What is compared is the size of the "
            "effect, |F patched - F| / |F|, whatever its sign: who took the sign from the effect itself would test at "
            "twice the level.",
            "expect effect(s_inhibition -> name_mover.q) > random edges",
            "The edge is no larger than edges between any other heads of the same layers.",
            _MONTE_CARLO + " An effect of less than a millionth of F counts as none.",
            "the test is that of random heads",
        ),
        ControlInfo(
            SHAM,
            "The same patch, of the same nodes into the same receivers, with values from another prompt of the same "
            "kind, unchanged, in place of the counterfactual's or the means: same template and length and, where there "
            "are such, the same answer and positions. Each prompt has one for itself as long as they last, of 2,000 "
            "that are drawn with another seed, or 10,000 where none of these has the answer (of a file: of its lines). "
            "It shows what it does to exchange an output for what it is elsewhere. Where no prompt of the template has "
            "the same answer, the sham is one with another answer, and is as strong as a counterfactual.",
            "expect effect(name_mover -> logits) > sham",
            "The patch changes F by no more than its sham does: the size of its effect, less the size of the sham's, "
            "is not above zero.",
            "Paired, on the same prompts: |a| - |b| is the larger of the smaller of a - b and a + b, and of the "
            "smaller of -a - b and b - a, a and b being mean changes of F. Each of the four is tested as a share of F "
            "is; the smaller of two holds where both do, the larger where one does, at half the level. A difference "
            "of less than a millionth of F counts as none.",
            "an active control",
        ),
        ControlInfo(
            CHANCE,
            "What there would be by chance. Of `overlap`: circuits whose heads are permuted at random within their "
            "layers. Of `dependence`: prompts whose F without the circuit is that of another prompt.",
            "expect overlap(heads) > chance",
            "Of `overlap`: the heads of the two circuits are placed at random in their layers. Of `dependence`: F(M) "
            "and F without the circuit are independent on prompts of the same template.",
            "Of `overlap`: exact, hypergeometric, by layer. Of `dependence`: 999 permutations of prompts within their "
            "templates, (1 + b) / (1 + 999), exact at any number of prompts; multiplied by the number of looks. Not to "
            "find dependence proves nothing: `> chance` holds or is undecided, and there is no `< chance`.",
            "Merullo et al. 2024; Szekely and Rizzo 2013; Shi et al. 2024",
        ),
        ControlInfo(
            CONTROL_TASK,
            "A negative control: `control task T` claims that the circuit's heads, knocked out at all positions on the "
            "task T, change F there by less than the method's floor (or within the bound that is written). Outputs are "
            "ablated as the method says, with T's own default counterfactual. It is undecided where the model does not "
            "do T: where F on it is not surely above zero and above chance.",
            "control task induction : in -10% .. 10%",
            "The heads matter for T as well: the change of F there is at or beyond the bound, on either side.",
            "Two one-sided tests, at half of 1 - confidence each, of a ratio of means (as all shares of F are tested): "
            "that nothing is found is not enough, the whole interval has to lie within the bound.",
            "two one-sided tests: Schuirmann 1987",
        ),
        ControlInfo(
            SUFFICIENCY,
            "Whether the circuit alone does what no random circuit of its size does.",
            "expect faithfulness > random heads",
            "The circuit keeps no more of F than circuits of other heads of the same layers, as many and at the same "
            "positions.",
            _MONTE_CARLO,
            "Shi et al. 2024, sufficiency",
        ),
        ControlInfo(
            INDEPENDENCE,
            "Whether what is left without the circuit still tells what the model did: the dependence, over prompts of "
            "a template, of F(M) and F with the whole circuit knocked out. A circuit that holds all of the mechanism "
            "leaves none. `dependence > chance` says that something was missed. That nothing was missed is said by "
            "`dependence <= 0.3`: a bound that the whole interval has to meet.",
            "expect dependence <= 0.3",
            "Of `dependence <= a`: the distance correlation is a or more. Of `dependence > chance`: there is none.",
            "Of a bound: Student's t with the jackknife's variance, of the bias-corrected squared distance "
            "correlation. Of `> chance`: see `circuitdsl explain chance`.",
            "Shi et al. 2024, independence (they use HSIC, which is the same up to the choice of a kernel: Sejdinovic "
            "et al. 2013)",
        ),
    )
}
"""Every control by its name; ``necessity`` is explained as the measurement that it is."""

KNOWN = (SUFFICIENCY, NECESSITY, INDEPENDENCE, RANDOM_HEADS, RANDOM_EDGES, SHAM, CONTROL_TASK)
"""The controls that a circuit can pass, in the order of a report."""

_OF_MEASURES: Mapping[tuple[str, str], str] = {
    ("faithfulness", RANDOM_HEADS): SUFFICIENCY,
    ("necessity", RANDOM_HEADS): NECESSITY,
    ("dependence", CHANCE): INDEPENDENCE,
    ("dependence", ""): INDEPENDENCE,
}


def control_of(claim: Claim) -> str:
    """The control that a circuit's claim tries, by its name; "" for none."""
    if claim.kind == CONTROL_TASK:
        return CONTROL_TASK
    name = claim.bound.name if isinstance(claim.bound, Control) else ""
    name = _OF_MEASURES.get((claim.term.measure, name), name)
    return name if name in KNOWN else ""
