"""`keeps_like` of a product: a name of the table of shelf lives, or the nearest is told."""

from pathlib import Path

import pytest

from edge_agent.config import Settings, check
from edge_agent.config.keeping_table import goods
from edge_agent.spoilage.products import shipped

PRODUCT = (
    '[node]\nsite = "s"\nname = "a"\n[[sensor]]\nname = "air"\ndriver = "sht3x"\n[[product]]\ngtin = "4123"\n'
    'name = "Berries"\nkeeps_like = "{}"\n'
)


def test_the_names_are_those_of_the_table():
    assert set(goods()) == set(shipped().products())


def test_a_name_of_the_table_is_right_and_another_has_its_nearest_told():
    assert isinstance(check(PRODUCT.format("strawberry"), "test"), Settings)
    (fault,) = check(PRODUCT.format("strawbery"), "test")
    assert "keeps_like" in fault.key
    assert 'did you mean "strawberry"' in fault.right


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("strawbery", ' (did you mean "strawberry"'),
        ("Tomato", ' (did you mean "tomato_mature_green", "tomato_firm_ripe", "potato_'),
        ("milk", ' (did you mean "milk_pasteurised", "milk_esl"'),
        ("carot", ' (did you mean "carrot_'),
        ("oyster", "mushroom_oyster"),
        ("qqqq", ""),
    ],
)
def test_of_the_many_names_only_the_nearest_are_told_and_where_the_others_stand(name, near):
    (fault,) = check(PRODUCT.format(name), "test")
    assert near in fault.right
    assert len(fault.right) < 300
    path = Path(fault.right.rpartition("the first column of ")[2])
    assert "strawberry,group,berry" in path.read_text("utf-8")
    assert f"all {len(goods())} names stand" in fault.right
