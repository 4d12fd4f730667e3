"""What kinds of goods cannot bear: where they freeze, where cold spoils them, how warm the law lets them be."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goods:
    freezing_c: float  # highest freezing point: USDA Agriculture Handbook 66; meats and dairy: class values
    chilling_c: float | None = None  # below it cold spoils them without freezing: Handbook 66, UC Davis
    eu_limit_c: float | None = None  # of the product: EC 853/2004, annex III; None: no number in EU law


GOODS = {
    # Animal products (EC 853/2004, annex III: sections I, II, V, VIII)
    "poultry": Goods(-2.0, eu_limit_c=4.0),
    "minced-meat": Goods(-1.7, eu_limit_c=2.0),
    "meat": Goods(-1.7, eu_limit_c=7.0),
    "offal": Goods(-1.7, eu_limit_c=3.0),
    "fresh-fish": Goods(-2.0, eu_limit_c=2.0),  # "approaching that of melting ice": 0 to 2 °C
    "smoked-fish": Goods(-3.0),
    "cooked-meat": Goods(-2.0),
    "milk": Goods(-0.5),
    "yoghurt": Goods(-1.5),
    "soft-cheese": Goods(-1.5),
    "hard-cheese": Goods(-6.0),
    "eggs": Goods(-2.0),
    "chilled-meals": Goods(-1.0),
    "tofu": Goods(-1.0),
    # Produce
    "leafy-greens": Goods(-0.2),
    "cut-fruit": Goods(-1.0),
    "berries": Goods(-0.8),
    "broccoli": Goods(-0.6),
    "mushrooms": Goods(-0.9),
    "root-vegetables": Goods(-1.4),
    "herbs": Goods(-1.0),
    "asparagus": Goods(-0.6, 1.0),
    "apples": Goods(-1.5, 2.0),
    "potatoes": Goods(-0.8, 3.0),
    "avocados": Goods(-1.6, 4.0),
    "beans": Goods(-0.7, 5.0),
    "peppers": Goods(-0.7, 7.0),
    "cucumbers": Goods(-0.5, 10.0),
    "tomatoes": Goods(-0.5, 10.0),
    "citrus": Goods(-1.4, 10.0),
    "basil": Goods(-0.5, 12.0),
    "bananas": Goods(-0.8, 13.0),
}


def freezing_c(goods: Iterable[str]) -> float | None:
    """Where the first of them freezes.

    >>> freezing_c(["milk", "meat"]), freezing_c([])
    (-0.5, None)
    """
    return max((GOODS[each].freezing_c for each in goods), default=None)


def chilling_c(goods: Iterable[str]) -> float | None:
    """Where the first of them suffers from cold; None where none does.

    >>> chilling_c(["milk", "bananas", "peppers"]), chilling_c(["milk"])
    (13.0, None)
    """
    found = (GOODS[each].chilling_c for each in goods)
    return max((limit_c for limit_c in found if limit_c is not None), default=None)


def eu_limit_c(goods: Iterable[str]) -> float | None:
    """The strictest limit of EC 853/2004 among them.

    >>> eu_limit_c(["meat", "poultry", "milk"]), eu_limit_c(["milk"])
    (4.0, None)
    """
    found = (GOODS[each].eu_limit_c for each in goods)
    return min((limit_c for limit_c in found if limit_c is not None), default=None)
