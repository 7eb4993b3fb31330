from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.units import parse_share, parse_size


@given(st.integers(0, 10**6))
def test_a_size_is_the_same_bytes_in_whatever_unit_it_is_written(tenths):
    assert parse_size(f"{Decimal(tenths) / 10}GB") == parse_size(f"{tenths * 100}MB") == tenths * 10**8


@pytest.mark.parametrize("spelled", ["-1", "1.5.2MB", "3 apples", "1e9", "", True, -3, 2.5, None])
def test_what_is_no_size_is_refused(spelled):
    with pytest.raises(ValueError, match="is no size"):
        parse_size(spelled)


def test_a_share_is_told_in_percent_or_as_a_number():
    assert parse_share("12.5%") == parse_share(0.125) == 0.125
    with pytest.raises(ValueError, match="is no share"):
        parse_share("101%")
