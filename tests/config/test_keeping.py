"""`keeps_like` of a product: a name of the table of shelf lives, or the nearest is told."""

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
    assert 'did you mean "strawberry"?' in fault.right
