"""The one table of a method's settings says what the language takes."""

from __future__ import annotations

from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from circuitdsl.language.circuit import METRICS, Method
from circuitdsl.language.methods import CHOICES, SETTINGS, SettingInfo


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_value_that_can_be_chosen_is_explained(setting: SettingInfo):
    assert all(f"`{value}`" in setting.about for value in setting.values)


def test_every_setting_of_a_method_is_in_the_table_once():
    assert [setting.name for setting in SETTINGS] == list(dict.fromkeys(f.name.split("_")[0] for f in fields(Method)))


def test_the_values_are_those_of_the_method():
    hints = {name: hint for name, hint in get_type_hints(Method).items() if get_origin(hint) is Literal}
    assert {name: get_args(hint) for name, hint in hints.items()} == {
        name: values for name, values in CHOICES.items() if name not in ("bos", "metric")
    }


@pytest.mark.parametrize("metric", [*METRICS, "hit(1)"])
def test_a_metric_is_the_measurement_that_it_is_written_as(metric: str):
    assert str(Method(metric=metric).measured) == metric
