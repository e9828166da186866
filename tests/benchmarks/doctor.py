"""Labels of real generators, a share of them spoiled as people spoil them: how far up `--doctor` lists those."""

import csv
import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from cnnlib.codec.filenames import file_name, label_of, suffix_in
from tests.benchmarks.runs import WORK, Result, call, shipped_config, store, stored, write_config
from tests.benchmarks.zoo import pictures_of

LABELS = 750  # of a set
SPOILED_SHARE = 0.02
LISTED_SHARES = (0.02, 0.03, 0.04, 0.1)  # of all pictures, from the top of the list
LIMIT = 0.04  # of all pictures; the goal is to have 90% of the spoiled labels in it
LOOK_ALIKES = ("0Oo", "1lI", "2zZ", "5sS", "6b", "8B", "9gq", "uv", "UV", "mn", "MN", "ceo", "CGO", "vyw", "VW", "hkb")
KEYS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


def measure(zoo: Path, name: str) -> Result:
    """Stored, or measured now: the shares of the spoiled labels in the first shares of the list."""
    result = f"doctor-{name}"
    found = stored(result)
    if found is not None:
        return found
    folder = WORK / result
    config, spoiled = prepare(zoo, name, folder)
    said = call("verify_and_split_data.py", "--doctor", "--config", str(config), log=folder / "doctor.log")
    with (folder / "model" / "report" / "doctor.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    parts = [line for line in said.splitlines() if line.startswith("Part ")]
    contradicted = sum(row["reading"] not in ("", row["label"]) for row in rows)
    about = {"set": name, "parts": parts, "contradicted": contradicted}
    return store(result, about | places_of(spoiled, [Path(row["picture"]).name for row in rows]))


def places_of(spoiled: dict[str, str], listed: list[str]) -> Result:
    """Where the spoiled labels, by name with their kind, are in the list of all names."""
    places = {name: place for place, name in enumerate(listed, 1)}
    found = {name for name in spoiled if places[name] <= round(LIMIT * len(listed))}
    return {
        "labels": len(listed),
        "spoiled": len(spoiled),
        "found": {str(share): sum(places[n] <= round(share * len(listed)) for n in spoiled) for share in LISTED_SHARES},
        "kinds": {
            kind: [sum(spoiled[name] == kind for name in names) for names in (found, spoiled)] for kind in MISTAKES
        },
        "missed": [[label_of(name), kind, places[name]] for name, kind in spoiled.items() if name not in found],
    }


def prepare(zoo: Path, name: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """The config of a set with spoiled labels, and the names of those with the kind of their mistake."""
    shutil.rmtree(folder, ignore_errors=True)
    base, proposed = folder / "base.json", folder / "proposed.json"
    config = shipped_config(folder)
    write_config(base, config)
    origin = Path(config["origin_image_dir"])
    origin.mkdir(parents=True)
    paths = pictures_of(zoo, name)[:LABELS]
    chance = random.Random(name)
    chosen = set(chance.sample(range(len(paths)), round(SPOILED_SHARE * len(paths))))
    spoiled = {}
    for number, path in enumerate(paths):
        label = label_of(path.name)
        kind, text = spoil(label, chance) if number in chosen else ("", label)
        target = origin / file_name(text, path.stem.rpartition("_")[2], suffix_in(path.name)[1:])
        shutil.copy2(path, target)
        if kind:
            spoiled[target.name] = kind
    call("verify_and_split_data.py", "--config", str(base), "--write-config", str(proposed), log=folder / "propose.log")
    return proposed, spoiled


def spoil(label: str, chance: random.Random) -> tuple[str, str]:
    """A kind of mistake, and the label with one of that kind. Each kind that the label allows is as likely."""
    kinds = {kind: [*mistakes(label)] for kind, mistakes in MISTAKES.items()}
    kind = chance.choice([kind for kind, texts in kinds.items() if texts])
    return kind, chance.choice(kinds[kind])


def cases(label: str) -> Iterator[str]:
    """Labels with one letter in the other case."""
    return replaced(label, lambda c: c.swapcase())


def look_alikes(label: str) -> Iterator[str]:
    """Labels with a character for one that looks like it."""
    for group in LOOK_ALIKES:
        for other in group:
            yield from replaced(label, lambda c, group=group, other=other: other if c in group else c)


def neighbours(label: str) -> Iterator[str]:
    """Labels with the key beside a key, in the same case."""
    for row in KEYS:
        for a, b in itertools.pairwise(row):
            pairs = {a: b, b: a, a.upper(): b.upper(), b.upper(): a.upper()}
            for wrong in (a, b):
                yield from replaced(label, lambda c, pairs=pairs, w=wrong: pairs[c] if c.lower() == w else c)


def swapped(label: str) -> Iterator[str]:
    """Labels with two neighbouring characters swapped."""
    for place, (a, b) in enumerate(itertools.pairwise(label)):
        if a != b:
            yield label[:place] + b + a + label[place + 2 :]


def replaced(label: str, change: Callable[[str], str]) -> Iterator[str]:
    """The label with one character changed, for each that `change` changes."""
    for place, character in enumerate(label):
        if change(character) != character:
            yield label[:place] + change(character) + label[place + 1 :]


MISTAKES = {"case": cases, "look-alike": look_alikes, "key beside": neighbours, "two swapped": swapped}
