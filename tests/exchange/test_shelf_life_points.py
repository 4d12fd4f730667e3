"""Tables of observed shelf lives: what is read, and what is set aside and why."""

import math

import pytest

from edge_agent.exchange.life_rows import TableFault
from edge_agent.exchange.shelf_life_points import read_points

HEADER = "product,group,profile,rh,observed_days,obs_lo,obs_hi,censoring,kind,criterion,source,verified"


def table(*rows: str) -> str:
    return "\n".join((HEADER, *rows)) + "\n"


@pytest.mark.parametrize(
    ("cells", "low", "high", "middle"),
    [
        ("10,,,", 10.0, 10.0, 10.0),
        ("10,8,13,", 8.0, 13.0, 10.0),
        (",4,9,interval", 4.0, 9.0, 6.0),
        ("14,14,,lower_bound", 14.0, math.inf, None),
        ("14,,14,upper_bound", 0.0, 14.0, None),
        (",17.5,,interval", 17.5, math.inf, None),
        (",,9,", 0.0, 9.0, None),
    ],
)
def test_lives_are_exact_or_lie_in_an_interval_or_beyond_a_bound(
    cells: str, low: float, high: float, middle: float | None
) -> None:
    (point,) = read_points(table(f"cod,fish,const:0,,{cells},observed,,A 2001,yes")).points
    assert (point.low_d, point.high_d) == (low, high)
    assert point.middle_d == (None if middle is None else pytest.approx(middle))
    assert point.is_bound is (middle is None)


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (",fish,const:0,,10,,,,observed,,A,yes", "product", ""),
        ("cod,fish,at sea,,10,,,,observed,,A,yes", "profile", "at sea"),
        ("cod,fish,const:0,,ten,,,,observed,,A,yes", "observed_days", "ten"),
        ("cod,fish,const:0,,-3,,,,observed,,A,yes", "observed_days", "-3"),
        ("cod,fish,const:0,,,,,,observed,,A,yes", "observed_days", ""),
        ("cod,fish,const:0,,10,12,9,,observed,,A,yes", "obs_lo", "12"),
        ("cod,fish,const:0,,20,9,12,,observed,,A,yes", "observed_days", "20"),
        ("cod,fish,const:0,,10,,,perhaps,observed,,A,yes", "censoring", "perhaps"),
        ("cod,fish,const:0,,10,,,,dreamt,,A,yes", "kind", "dreamt"),
    ],
)
def test_a_bad_row_is_set_aside_with_row_column_and_value_and_the_others_stay(
    row: str, column: str, value: str
) -> None:
    found = read_points(table("hake,fish,const:0,,9,,,,observed,,A,yes", row))
    assert [point.product for point in found.points] == ["hake"]
    (bad,) = found.bad
    assert (bad.row, bad.column, bad.value) == (3, column, value)
    assert "must" in bad.right


def test_predictions_and_fits_are_read_and_not_scored() -> None:
    rows = [f"cod,fish,const:0,,10,,,,{kind},,A,yes" for kind in ("model_prediction", "fitted_from_data", "fitted", "")]
    assert [point.is_scored for point in read_points(table(*rows)).points] == [False, False, False, True]


def test_the_columns_may_stand_in_any_order_and_need_not_all_be_there() -> None:
    (point,) = read_points("\ufeffObserved_Days, Profile ,product\n7,const:2,cod\n").points
    assert (point.product, point.group, point.low_d, point.kind) == ("cod", "cod", 7.0, "observed")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_first_line_tells_the_separator(separator: str) -> None:
    rows = ("product,profile,observed_days,criterion", 'cod,const:2,7,"odour, taste; gills"')
    text = "\n".join(row.replace(",", separator, 3) for row in rows)
    (point,) = read_points(text).points
    assert (point.product, point.low_d, point.criterion) == ("cod", 7.0, "odour, taste; gills")


@pytest.mark.parametrize("text", ["", "product\ncod\n", "product,profile\ncod,const:0\n"])
def test_a_table_without_the_needed_columns_is_refused(text: str) -> None:
    with pytest.raises(TableFault, match="must"):
        read_points(text)
