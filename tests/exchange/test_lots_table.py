"""Lots from a table: read in order of time, or refused with row, column, value and what would be right."""

import re

import pytest

from edge_agent.exchange.lots import LotFault, due, read_lots

HEAD = "lot,product,supplier,received_at,grams,units,place,best_before\n"


def read(text):
    return read_lots(text, ["4123"], ["cellar"])


def test_rows_come_in_order_of_time_with_the_arguments_of_a_delivery():
    rows = read(HEAD + "B,4123,,2026-11-02T00:00:00Z,500,,,\nA,4123,farm,2026-11-01T00:00:00,,7,cellar,2026-12-01\n")
    assert [row.arguments["lot"] for row in rows] == ["A", "B"]
    assert rows[0].arguments == {
        **{"lot": "A", "product": "4123", "supplier": "farm", "units": 7, "place": "cellar"},
        "best_before": "2026-12-01",
    }
    assert rows[1].arguments["supplier"] == "unknown"
    assert [row.arguments["lot"] for row in due(rows, rows[0].received_ms)] == ["A"]
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lot,product,when\n", "row 1: column 'when': must be one of lot, product"),
        ("lot,product\n", "row 1: column 'received_at' is missing"),
        ("lot,lot,product,received_at\n", "row 1: column 'lot': stands there 2 times: must be once"),
        (HEAD + "A,4123,,2026-11-01,nan,,,\n", "row 2, column grams: 'nan': must be a number"),
        (HEAD + f"A,{'9' * 10_000},,2026-11-01,1,,,\n", "9'...: must be the gtin of a [[product]]: 4123"),
        (HEAD + f"A,4123,,2026-11-01,1,,,{'x' * 200_000}\n", "the table cannot be read: field larger than"),
        (HEAD + "A,4123\n", "row 2: has 2 cells: must be 8"),
        (HEAD + "A,4999,,2026-11-01,1,,,\n", "row 2, column product: '4999': must be the gtin of a [[product]]: 4123"),
        (HEAD + "A,4123,,soon,1,,,\n", "row 2, column received_at: 'soon': must be an instant such as"),
        (HEAD + "A,4123,,2026-11-01,,1.5,,\n", "row 2, column units: '1.5': must be a whole number"),
        (HEAD + "A,4123,,2026-11-01,,,,\n", "row 2: how much is missing"),
        (HEAD + "A,4123,,2026-11-01,1,,attic,\n", "row 2, column place: 'attic': must be a [[place]]"),
        (HEAD + "A,4123,,2026-11-01,1,,,1.12.\n", "row 2, column best_before: '1.12.': must be a day"),
    ],
)
def test_what_is_wrong_is_said(text, says):
    with pytest.raises(LotFault, match=re.escape(says)):
        read(text)
