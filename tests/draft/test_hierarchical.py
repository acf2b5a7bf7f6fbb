"""Hierarchical attribution on a network of a few numbers, worked out by hand (Ge et al. 2024)."""

from __future__ import annotations

from math import inf

import pytest
import torch

from circuitdsl.draft.hierarchical import Cut, candidate

W1, W2, W3, W4 = map(torch.tensor, ([1.0, 2.0], [1.0, 1.0], [1.0, 1.0], [2.0, 1.0]))


def attributed(cut: Cut, w4: torch.Tensor = W4) -> tuple[dict[str, list[float]], dict[str, list[bool]]]:
    """Two layers with a residual: h1 = x W1, r2 = x + h1 W2, h3 = r2 W3, y = r2 + h3 W4, at x = 1."""
    attributions: dict[str, list[float]] = {}
    kept: dict[str, list[bool]] = {}

    def passes(name: str, values: torch.Tensor) -> torch.Tensor:
        def note(attribution: torch.Tensor, keeps: torch.Tensor) -> None:
            attributions[name], kept[name] = attribution.tolist(), keeps.tolist()

        return candidate(values, cut, note)

    x = torch.tensor(1.0, requires_grad=True)
    h1 = passes("h1", W1 * x)
    r2 = x + W2 @ h1
    h3 = passes("h3", W3 * r2)
    (r2 + w4 @ h3).backward()
    return attributions, kept


def test_all_that_adds_is_kept_at_zero():
    attributions, kept = attributed(Cut(0.0))
    assert attributions == {"h1": [4.0, 8.0], "h3": [8.0, 4.0]}
    assert kept == {"h1": [True, True], "h3": [True, True]}


def test_with_an_infinite_threshold_only_direct_paths_count():
    attributions, kept = attributed(Cut(inf))
    assert attributions == {"h1": [1.0, 2.0], "h3": [8.0, 4.0]}
    assert not any(kept["h1"] + kept["h3"])


def test_what_is_below_the_threshold_hands_nothing_on():
    attributions, kept = attributed(Cut(5.0))
    assert attributions == {"h1": [3.0, 6.0], "h3": [8.0, 4.0]}  # without the second of h3, by 3 in place of 4
    assert kept == {"h1": [False, True], "h3": [True, False]}


@pytest.mark.parametrize("both_signs", [False, True])
def test_what_lowers_the_output_is_kept_by_its_size_alone(both_signs: bool):
    attributions, kept = attributed(Cut(5.0, both_signs), w4=torch.tensor([-2.0, 1.0]))
    assert attributions["h3"] == [-8.0, 4.0] and kept["h3"] == [both_signs, False]
    assert attributions["h1"] == ([-1.0, -2.0] if both_signs else [1.0, 2.0])


def test_values_pass_unchanged():
    values = torch.tensor([1.5, -2.0], requires_grad=True)
    assert torch.equal(candidate(values, Cut(0.0), lambda attribution, kept: None), values)
