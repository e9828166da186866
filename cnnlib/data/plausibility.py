"""Labels that are likely wrong: what no picture shows, what few others have, and how a person came to type it."""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from cnnlib.codec.characters import escape_odd, is_odd
from cnnlib.data.name_shapes import strip_copy_mark

ENOUGH = 10  # labels; among fewer, nothing is rare
RARE_SHARE = 1 / 200  # of the labels; a character or a length that so few have is likely a mistake
ENOUGH_FOR_TWO = 40  # labels; among that many, two may be as wrong as one
CHANCE = 1e-3  # that a character of the alphabet is so rare by chance, at most
RARE_CASE_SHARE = 0.15  # of the labels with letters
COMMON_LENGTH = 10  # times as frequent as the length next to it, which then is likely a mistake
DOUBTFUL = "Doubtful label"  # begins the reason of a label that is likely wrong
FEW = 10  # times that a character is seen, below which a network hardly learns it
MIXED_SHARE = 1 / 4  # of the labels that would have both cases by chance; where fewer have them, people chose the case

Cause = str | None
Check = Callable[[Sequence[str], Sequence[str]], list[Cause]]


def causes(labels: Sequence[str], known: Sequence[str] = (), accepted: str = "") -> list[Cause]:
    """For each label, why it is likely wrong, or None.

    `known` labels belong to pictures that were moved earlier: they count, but are not questioned. What one check finds
    is no evidence in the next ones. A label of characters that are all `accepted` is questioned for its length alone.
    """
    found: list[Cause] = [None] * len(labels)
    settled = [set(label) <= set(accepted) for label in labels]
    for check in (_shape, _blanks, _look_alikes, _lengths, _characters, _case):
        left = [index for index, cause in enumerate(found) if cause is None]
        for index, cause in zip(left, check([labels[index] for index in left], known), strict=True):
            found[index] = None if settled[index] and check is not _lengths else cause
    return found


def reason(label: str, cause: str) -> str:
    """What is said of a label that is likely wrong."""
    return f"{DOUBTFUL} '{escape_odd(label)}': {cause}"


def _shape(labels: Sequence[str], _: Sequence[str]) -> list[Cause]:
    return [_shape_of(label) for label in labels]


def _shape_of(label: str) -> Cause:
    odd = [character for character in dict.fromkeys(label) if is_odd(character)]
    if odd:
        shown = ", ".join(escape_odd(character) for character in odd)
        names = ", ".join(unicodedata.name(character, "unnamed") for character in odd)
        return f"it has {shown} ({names}), which no picture shows: likely copied from a text"
    if label != label.strip():
        return "a blank at its end: likely a slip"
    mark = label.removeprefix(strip_copy_mark(label))
    if mark:
        return f"'{mark.strip()}' is likely the mark of a copy, not a part of the label"
    marks = [character for character in label if "\u0300" <= character <= "\u036f"]
    if marks:
        return f"it has {ascii(marks[0])[1:-1]}, an accent as a character of its own: likely two characters for one"
    scripts = sorted({_script(character) for character in label} & {"LATIN", "CYRILLIC", "GREEK"})
    if len(scripts) > 1:
        names = " and ".join(map(str.capitalize, scripts))
        return f"it mixes {names} letters, which look alike: likely another keyboard"
    return None


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def kinds_in(label: str) -> frozenset[str]:
    """The kinds of a label's characters: scripts, cases, signs. Digits count where nothing else is there."""
    kinds = frozenset("0" if "0" <= character <= "9" else _kind(character) for character in label)
    return kinds - {"0"} or kinds


def _kind(character: str) -> str:
    if character.isalnum():
        return f"{unicodedata.name(character, '').partition(' ')[0]} {unicodedata.category(character)}"
    return character


def _blanks(labels: Sequence[str], known: Sequence[str]) -> list[Cause]:
    """Labels with a blank or an underscore inside, where most have none."""
    faults: list[Cause] = [None] * len(labels)
    for character, cause in (
        ("_", "an underscore inside: likely a part of the name that is no label"),
        (" ", "a blank inside: likely no label"),
    ):
        share = _share(character in label for label in (*labels, *known))
        if share < 0.5:
            faults = [cause if character in label else fault for label, fault in zip(labels, faults, strict=True)]
    return faults


def _look_alikes(labels: Sequence[str], known: Sequence[str]) -> list[Cause]:
    """Full-width digits and the like, where other labels have the usual ones."""
    counts = _counts((*labels, *known))
    plain = {c: unicodedata.normalize("NFKC", c) for c in counts}
    rare = {c: usual for c, usual in plain.items() if usual != c and any(counts[other] for other in usual)}
    halves = {c for c in plain if "\uff01" <= c <= "\uff5e"}
    share = _share(bool(halves & set(label)) for label in (*labels, *known))
    rare |= {c: plain[c] for c in halves if 0 < share < 0.5}

    def cause(label: str) -> Cause:
        first = next((c for c in label if c in rare), None)
        return first and f"'{first}' (U+{ord(first):04X}) looks like '{rare[first]}': likely another keyboard"

    return [cause(label) for label in labels]


def _lengths(labels: Sequence[str], known: Sequence[str]) -> list[Cause]:
    """Labels of a length that hardly any other has, apart from the tail of a distribution."""
    everything = [*labels, *known]
    if len(everything) < ENOUGH:
        return [None] * len(labels)
    counts = Counter(map(len, everything))
    limit = _limit(len(everything))

    def is_rare(length: int) -> bool:
        nearest = max(counts[length - 1], counts[length + 1])
        return counts[length] <= limit and (nearest == 0 or nearest >= COMMON_LENGTH * counts[length])

    total = len(everything)
    return [
        f"a length of {len(label)}, as in {counts[len(label)]} of {total} labels: likely no captcha, or a slip"
        if is_rare(len(label))
        else None
        for label in labels
    ]


def _characters(labels: Sequence[str], known: Sequence[str]) -> list[Cause]:
    """Labels with a character that hardly any other has, unless that is chance in an alphabet of this size.

    A character's count follows Poisson's distribution. Its mean is taken from the characters that are usual.
    """
    everything = [*labels, *known]
    if len(everything) < ENOUGH:
        return [None] * len(labels)
    counts = _counts(everything)
    occurrences = sorted(count for count in counts.values() for _ in range(count))
    usual = occurrences[len(occurrences) // 2]
    limit = _limit(len(everything))
    rare = {c for c, count in counts.items() if count <= limit and len(counts) * _at_most(count, usual) < CHANCE}

    def cause(label: str) -> Cause:
        found = next((c for c in label if c in rare), None)
        if found is None:
            return None
        return f"'{found}' is in {counts[found]} of {len(everything)} labels: likely a slip"

    return [cause(label) for label in labels]


def _case(labels: Sequence[str], known: Sequence[str]) -> list[Cause]:
    """Labels with letters of the case that a tenth of the others has."""
    everything = [label for label in (*labels, *known) if label.lower() != label.upper()]
    for name, has_case in (("upper", _has_upper), ("lower", _has_lower)):
        share = _share(map(has_case, everything))
        if len(everything) >= ENOUGH and 0 < share <= RARE_CASE_SHARE:
            return [
                f"letters in {name} case, as in {share:.0%} of the labels: likely the same letters in another case"
                if has_case(label)
                else None
                for label in labels
            ]
    return [None] * len(labels)


def rare_characters(labels: Sequence[str]) -> dict[str, int]:
    """The characters that are seen fewer than `FEW` times, the rarest first, with how often."""
    counts = Counter(character for label in labels for character in label)
    return {c: count for c, count in sorted(counts.items(), key=lambda item: (item[1], item[0])) if count < FEW}


def mixed_case(labels: Sequence[str]) -> Cause:
    """What is said where labels are in upper or in lower case, but hardly any has both, or None.

    If pictures showed both cases, each letter would have its case by chance.
    """
    cased = [[letter for letter in label if letter.lower() != letter.upper()] for label in labels]
    letters = [letter for label in cased for letter in label]
    upper = _share(letter.isupper() for letter in letters)
    expected = sum(1 - upper ** len(label) - (1 - upper) ** len(label) for label in cased if label)
    counts = Counter((any(map(str.isupper, label)), any(map(str.islower, label))) for label in cased)
    both = counts[True, True]
    if expected < ENOUGH or both > MIXED_SHARE * expected:
        return None
    return (
        f"{counts[True, False]} labels are in upper case, {counts[False, True]} in lower case, and {both} in both: "
        'likely the same letters, typed in two cases; rename them to one case, or set "ignore_case": true'
    )


def _has_upper(label: str) -> bool:
    return any(character.isupper() for character in label)


def _has_lower(label: str) -> bool:
    return any(character.islower() for character in label)


def _counts(labels: Iterable[str]) -> Counter[str]:
    """In how many labels each character is."""
    return Counter(character for label in labels for character in set(label))


def _limit(total: int) -> int:
    """How many of `total` labels are so few that they are likely mistakes."""
    return max(2, int(total * RARE_SHARE)) if total >= ENOUGH_FOR_TWO else 1


def _at_most(count: int, mean: int) -> float:
    """The probability of `count` or fewer, by Poisson's distribution."""
    return sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _share(holds: Iterable[bool]) -> float:
    found = list(holds)
    return sum(found) / len(found) if found else 0.0
