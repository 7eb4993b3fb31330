"""What a config may say of a stage: settings of any shape are taken or refused, and never end in another error."""

import contextlib

import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.stages import STAGES

SHAPES = [
    None, True, 5, -1, 1.5, float("nan"), 10**400, "x", b"x", [], [5], [None], [[]], [{}], [["a", 1]], {}, {"a": 5},
    {"a": [1, 2]}, {5: None}, {None: [1, 2]}, {"en": None}, {"en": {"a": [None, "y"]}}, {"en": {"words": [0, 10**400]}},
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_setting_of_any_shape_is_taken_or_refused(name):
    refused = 0
    for field in STAGES[name].model_fields:
        for shape in SHAPES:
            with contextlib.suppress(ValidationError, ConfigError):
                STAGES[name].model_validate({field: shape})
                continue
            refused += 1
    assert refused > len(SHAPES)


@pytest.mark.parametrize("name", ["keep", "drop_words", "drop_trailer"])
def test_a_list_in_the_place_of_languages_is_told_how_they_are_written(name):
    with pytest.raises(ValidationError, match="a list does not say what is whose"):
        STAGES[name].model_validate({"lang": ["en"]})
