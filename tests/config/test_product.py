import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.product import GTIN_LENGTHS, Product, check_digit
from edge_agent.domain.settings import SettingsError


@pytest.mark.parametrize(
    "gtin",
    [
        "4006381333931",  # GTIN-13
        "036000291452",  # GTIN-12
        "96385074",  # GTIN-8
        "10614141000415",  # GTIN-14
        "4011",  # a PLU
        "12345",
        "8711000123",  # ten digits: the shop's own
    ],
)
def test_codes_in_use_are_taken(gtin):
    assert Product(gtin, "Milk").gtin == gtin


@pytest.mark.parametrize(
    ("gtin", "right"),
    [
        ("", "4 to 14 digits"),
        ("411", "4 to 14 digits"),
        ("123456789012345", "4 to 14 digits"),
        ("400638133393x", "4 to 14 digits"),
        (" 4011", "4 to 14 digits"),
        ("٤٠١١", "4 to 14 digits"),
        ("4006381333932", 'is it "4006381333931"?'),
        ("96385075", 'is it "96385074"?'),
    ],
)
def test_other_codes_are_refused_with_what_would_be_right(gtin, right):
    with pytest.raises(SettingsError) as caught:
        Product(gtin, "Milk")
    (fault,) = caught.value.faults
    assert fault.key == "gtin"
    assert right in fault.right


@given(
    st.sampled_from(GTIN_LENGTHS).flatmap(
        lambda length: st.text("0123456789", min_size=length - 1, max_size=length - 1)
    ),
    st.data(),
)
def test_no_single_wrong_digit_passes_for_a_gtin(body, data):
    """The weights 3 and 1 are coprime with ten."""
    gtin = body + check_digit(body)
    Product(gtin, "x")
    at = data.draw(st.integers(0, len(gtin) - 1))
    other = data.draw(st.sampled_from("0123456789").filter(lambda digit: digit != gtin[at]))
    with pytest.raises(SettingsError):
        Product(gtin[:at] + other + gtin[at + 1 :], "x")


def test_every_fault_of_a_product_is_told_at_once():
    with pytest.raises(SettingsError) as caught:
        Product("1", "", piece_g=0, category="\n")
    assert [fault.key for fault in caught.value.faults] == ["gtin", "name", "piece_g", "category"]
