"""The answer to a sum, such as the 14 of `3+11=?`."""

import re
from collections.abc import Callable
from fractions import Fraction

OPERATORS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
}
LENGTH_LIMIT = 1000  # characters of a sum; Python refuses to convert numbers of 4,300 digits
ALIKE = str.maketrans({**dict.fromkeys("×xX✕·", "*"), **dict.fromkeys("÷:", "/"), **dict.fromkeys("−–", "-")})
_SUM = re.compile(r"-?[0-9]+([-+*/][0-9]+)+")


def answer_of(text: str) -> str | None:
    """The answer to a sum of whole numbers, with `+ - × ÷ * x /`, perhaps an `=` and a `?` behind it.

    Products come before sums. Returns None for a text that is no sum or longer than `LENGTH_LIMIT`, or whose answer is
    no whole number.
    """
    if len(text) > LENGTH_LIMIT:
        return None
    expression = text.replace(" ", "").translate(ALIKE).rstrip("?").removesuffix("=")
    if not _SUM.fullmatch(expression):
        return None
    try:
        value = _evaluate(*_parts(expression))
    except ZeroDivisionError:
        return None
    return str(value) if value.denominator == 1 else None


def _parts(expression: str) -> tuple[list[Fraction], list[str]]:
    """The numbers of an expression, and the operators between them."""
    first, *rest = re.findall(r"[-+*/]?[0-9]+", expression)
    return [Fraction(first), *(Fraction(part[1:]) for part in rest)], [part[0] for part in rest]


def _evaluate(numbers: list[Fraction], operators: list[str]) -> Fraction:
    """The value, after products and quotients first, each from left to right."""
    for among in ("*/", "+-"):
        place = 0
        while place < len(operators):
            if operators[place] in among:
                numbers[place : place + 2] = [OPERATORS[operators.pop(place)](*numbers[place : place + 2])]
            else:
                place += 1
    return numbers[0]
