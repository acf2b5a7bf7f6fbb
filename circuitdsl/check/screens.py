"""The precisions in which the search for heads that are not listed can be screened. No torch."""

from __future__ import annotations

from collections.abc import Mapping

SCREENS: Mapping[str, str] = {"bf16": "bfloat16"}
"""A screen's name -> the precision that it runs the model in."""
