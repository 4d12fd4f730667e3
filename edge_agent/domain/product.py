"""What is sold: a product and the number it is known by."""

from dataclasses import dataclass

from edge_agent.domain.settings import SettingFault, require, within

GTIN_LENGTHS = (8, 12, 13, 14)  # GS1 General Specifications, section 1.4: these carry a check digit


@dataclass(frozen=True, slots=True)
class Product:
    """A product by its GTIN, or by the shop's own code of 4 to 14 digits (a PLU, a shelf number).

    A code as long as a GTIN is taken for one and its check digit must be right; shorter and odd lengths have none.
    """

    gtin: str  # digits; a text, because leading zeros count
    name: str  # for people
    piece_g: float | None = None  # weight of one piece; None: not known, and by grams until somebody counts
    category: str | None = None  # "fruit", "dairy": what rules and forecasts are shared by
    piece_sd_g: float | None = None  # standard deviation from piece to piece; None: learnt
    is_catch_weight: bool = False  # sold by weight: grams only, never pieces
    loss_pct_per_day: float | None = None  # of water, at most; None: it does not dry
    keeps_like: str | None = None  # "strawberry": goods of the table of shelf lives; None: as its category does

    def __post_init__(self) -> None:
        require(
            _gtin_fault(self.gtin),
            _text_fault("name", self.name),
            within("piece_g", self.piece_g, 0.1, 50_000, "g"),
            self._sd_fault(),
            within("loss_pct_per_day", self.loss_pct_per_day, 0.01, 50, "%"),
            None if self.category is None else _text_fault("category", self.category),
            None if self.keeps_like is None else _text_fault("keeps_like", self.keeps_like),
        )

    def _sd_fault(self) -> SettingFault | None:
        """0.1 to 20 % of a piece: less is no produce, with more nothing can be counted."""
        if self.piece_sd_g is None:
            return None
        if self.piece_g is None:
            return SettingFault("piece_sd_g", self.piece_sd_g, "left out, or together with piece_g")
        return within("piece_sd_g", self.piece_sd_g, 0.001 * self.piece_g, 0.2 * self.piece_g, "g")


def check_digit(body: str) -> str:
    """Last digit of a GTIN from the digits before it: weights 3, 1, 3, ... from the right, modulo 10
    (GS1 General Specifications, section 7.9.1).

    >>> check_digit("629104150021"), check_digit("03600029145")
    ('3', '2')
    """
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def _gtin_fault(gtin: str) -> SettingFault | None:
    if not (gtin.isascii() and gtin.isdigit() and 4 <= len(gtin) <= 14):
        return SettingFault("gtin", gtin, "4 to 14 digits: a GTIN, or a code of the shop's own")
    if len(gtin) in GTIN_LENGTHS and gtin[-1] != check_digit(gtin[:-1]):
        right = gtin[:-1] + check_digit(gtin[:-1])
        return SettingFault("gtin", gtin, f'a GTIN with its right check digit (is it "{right}"?)')
    return None


def _text_fault(key: str, text: str) -> SettingFault | None:
    if 1 <= len(text.strip()) <= 64 and text.isprintable():
        return None
    return SettingFault(key, text, "1 to 64 printable characters")
