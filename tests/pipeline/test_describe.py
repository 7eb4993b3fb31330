"""`pipeline stages NAME` tells every default whole, as a config would spell it."""

import pytest
import yaml
from pydantic import Field

from pipeline.describe import one, spelled
from pipeline.sources import SOURCES
from pipeline.stages import STAGES
from pipeline.units import Size

GIVEN = {"keep": {"as_declared": True}}  # what a stage cannot do without
TOLD = [
    (name, field)
    for name, model in STAGES.items()
    if name not in ("perplexity", "decontaminate")  # they need files
    for field in model.model_fields
]


@pytest.mark.parametrize(("name", "field"), TOLD)
def test_a_default_is_told_as_a_config_spells_it(name, field):
    model, given = STAGES[name], GIVEN.get(name, {})
    told = yaml.safe_load(spelled(model.model_fields[field]))
    assert model(**{field: told} | given) == model(**given)


def test_mappings_stand_whole_in_the_help(capsys):
    one(STAGES, "drop_trailer")
    out = capsys.readouterr().out
    assert "{ak: 0.1" in out and "zh-hant:" in out


def test_a_size_is_told_in_its_unit_unless_that_would_round_it():
    assert spelled(SOURCES["warc"].model_fields["max_document"]) == "8.0 MB"

    class Odd(STAGES["keep"]):
        size: Size = Field(1_048_576)

    assert spelled(Odd.model_fields["size"]) == "1048576"
