"""A price that no replay could repeat."""

import random


def price_cents() -> int:
    return random.randrange(100)
