"""`key=value` words of a command line."""

import argparse
import json


def pair(text: str) -> tuple[str, object]:
    """An argument's type: a number, true, false or a JSON value as such, anything else as a text.

    >>> pair("high_c=6.5"), pair("lot=L2411"), pair('product="0123"')
    (('high_c', 6.5), ('lot', 'L2411'), ('product', '0123'))
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: must be KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
