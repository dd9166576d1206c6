"""Makers of secrets of one form: they take a random generator and return a value."""

import random
from collections.abc import Callable

from tests.support.planted_secrets import ALNUM, DIGITS, HEX, LOWER, UPPER, _of

Maker = Callable[[random.Random], str]


def hex_digits(size: int) -> Maker:
    def make(rng: random.Random) -> str:
        while True:
            value = _of(rng, HEX, size)
            if len(set(value)) > 8 and any(map(str.isdigit, value)) and any(map(str.isalpha, value)):
                return value

    return make


def key_bytes(count: int, form: str = "0x{:02x}", joint: str = ", ") -> Maker:
    return lambda rng: joint.join(form.format(byte) for byte in rng.randbytes(count))


def alnum(size: int) -> Maker:
    return lambda rng: _of(rng, UPPER, 1) + _of(rng, ALNUM, size - 3) + _of(rng, DIGITS, 1) + _of(rng, LOWER, 1)
