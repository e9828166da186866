"""Draw the text of a picture: its alphabet first, then characters of it, or an expression of arithmetic.

A generator draws from one alphabet, such as digits alone. Drawing each character from all that a config has would
show hardly any picture of digits alone.
"""

import string

from cnnlib.synthesis.chance import Rng, pick, pick_weighted

OPERATORS = "+-×÷*/"
SIGNS = OPERATORS + "=?"
SHAPES = {"×": "×x"}  # what generators draw for a sign
THIN = "lirtfjIJ1"  # what gets lost in tight words
_LOOK_ALIKES = "0OoQD1lIi5Ss2Zz8B6G9gqvuVU"
_EVERY = "every"  # all that the config has, letters of scripts without cases too
_FEW = "few"
_LETTERS_AND_DIGITS = string.digits + string.ascii_letters
ALPHABETS = {  # name: share of the pictures, characters
    "digits": (0.2, string.digits),
    "lower": (0.13, string.ascii_lowercase),
    "upper": (0.15, string.ascii_uppercase),
    "lower and digits": (0.13, string.ascii_lowercase + string.digits),
    "upper and digits": (0.12, string.ascii_uppercase + string.digits),
    "letters": (0.05, string.ascii_letters),
    "hex": (0.02, string.hexdigits[:16]),
    "distinct": (0.06, "".join(c for c in _LETTERS_AND_DIGITS if c not in _LOOK_ALIKES)),
    _EVERY: (0.12, ""),
    _FEW: (0.02, ""),
}
ARITHMETIC_SHARE = 0.08
THIN_SHARE = 0.08
WORD_SHARE = 0.3  # of the labels of letters alone
_CONSONANTS = "nnnnttttrrrrssssllllddhhccmmppbbggffwwkkvyjzxq"  # the frequent ones more often, as in words
_VOWELS = "eeeeaaaoooiiiuuy"
_USUAL_LENGTH = 5  # most captchas have four to six characters
_USUAL_WORD = 7


def draw_label(rng: Rng, characters: str, lengths: range, length_spread: float) -> tuple[str, str]:
    """A label of these characters, with one of these lengths, and all characters that could have been in it."""
    if has_arithmetic(characters, lengths) and rng.random() < ARITHMETIC_SHARE:
        label = draw_expression(rng, characters, lengths)
        if label:
            return label, arithmetic_alphabet(characters, lengths)
    pool = draw_alphabet(rng, characters, lengths)
    if "".join(pool).isalpha() and rng.random() < WORD_SHARE:
        word = draw_word(rng, pool, lengths)
        if word:
            return word, "".join(dict.fromkeys(pool))
    thin = [character for character in pool if character in THIN]
    if thin and rng.random() < THIN_SHARE:
        pool = [*pool, *thin * (len(pool) // len(thin))]
    length = draw_length(rng, lengths, length_spread)
    return "".join(pick(rng, pool) for _ in range(length)), "".join(dict.fromkeys(pool))


def draw_length(rng: Rng, lengths: range, spread: float, usual: int = _USUAL_LENGTH) -> int:
    """One of the lengths. Those near the usual one are the most likely."""
    return pick_weighted(rng, {n: 1 / (1 + ((n - usual) / spread) ** 2) for n in lengths})


def draw_word(rng: Rng, letters: list[str], lengths: range) -> str:
    """Consonants and vowels in turn, one or two each. Empty where the letters lack one of them."""
    kinds = [[c for c in kind + kind.upper() if c in letters] for kind in (_CONSONANTS, _VOWELS)]
    if not all(kinds):
        return ""
    length, word, turn = draw_length(rng, lengths, spread=2.5, usual=_USUAL_WORD), "", int(rng.integers(2))
    while len(word) < length:
        word += "".join(pick(rng, kinds[turn]) for _ in range(rng.choice((1, 1, 2))))
        turn = 1 - turn
    return word[:length]


def draw_alphabet(rng: Rng, characters: str, lengths: range) -> list[str]:
    """The characters that are in an alphabet. One that is named twice is there twice."""
    pools = alphabets_of(characters, lengths)
    name = pick_weighted(rng, {name: ALPHABETS[name][0] for name in pools})
    if name == _FEW:
        every = [*dict.fromkeys(pools[_EVERY])]
        return [str(each) for each in rng.permutation(every)[: rng.integers(2, 9)]]
    return pools[name]


def alphabets_of(characters: str, lengths: range) -> dict[str, list[str]]:
    """The alphabets of which two characters or more are there, by name."""
    signs = SIGNS if has_arithmetic(characters, lengths) else ""
    every = [character for character in characters if character not in signs]
    pools = {name: [c for c in every if c in alphabet] for name, (_, alphabet) in ALPHABETS.items()}
    pools = {name: pool for name, pool in pools.items() if len(set(pool)) > 1}
    return pools | {_EVERY: every, _FEW: every}


def has_arithmetic(characters: str, lengths: range) -> bool:
    """Whether there is an operator, all digits and room for `1+1`."""
    present = {*characters}
    return bool(present & {*OPERATORS}) and present >= {*string.digits} and lengths[-1] >= len("1+1")


def shapes_of(characters: str) -> str:
    """What a font must have to draw these characters, each once."""
    return "".join(dict.fromkeys("".join(SHAPES.get(character, character) for character in characters)))


def arithmetic_alphabet(characters: str, lengths: range) -> str:
    """The characters of the expressions that can be drawn, or none."""
    return "".join(c for c in characters if c in string.digits + SIGNS) if has_arithmetic(characters, lengths) else ""


def draw_expression(rng: Rng, characters: str, lengths: range) -> str | None:
    """An expression such as `3+5=?`, `12×4=` or `7-2` with one of the lengths, or None."""
    operators = [character for character in dict.fromkeys(characters) if character in OPERATORS]
    endings = {"": 0.25, "=": 0.35, "=?": 0.4}
    endings = {ending: share for ending, share in endings.items() if {*ending} <= {*characters}}
    for _ in range(20):
        terms = 3 if rng.random() < 0.1 else 2
        text = _number(rng)
        for _ in range(terms - 1):
            text += pick(rng, operators) + _number(rng)
        text += pick_weighted(rng, endings)
        if len(text) in lengths:
            return text
    return None


def _number(rng: Rng) -> str:
    return str(rng.integers(0, pick_weighted(rng, {10: 0.65, 100: 0.3, 1000: 0.05})))
