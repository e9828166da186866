"""Say which files of a folder are left out and why: a line each, or the reasons with some examples."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Protocol

from cnnlib.codec.characters import escape_odd
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path, short_name

LISTED = 20  # lines of pictures on the console; a file has all
EXAMPLES = 3  # names beside a reason
UNUSABLE_SHARE = 0.01  # of the pictures of a set; more that can't be read are not left out in silence


class Faulty(Protocol):
    """What is listed of a `Sample`, whose module the training would import with this one."""

    @property
    def name(self) -> str: ...

    @property
    def fault(self) -> str | None: ...

    @property
    def faults(self) -> tuple[str, ...]: ...


def stems(folders: Sequence[Path]) -> list[str]:
    """What files about these folders are called, no two alike: by the folder's name, numbered where it is taken."""
    taken: dict[str, None] = {}
    for folder in folders:
        name = short_name(folder.name)
        numbered = (f"{name}_{number}" for number in count(2))
        taken[next(stem for stem in chain([name], numbered) if stem not in taken)] = None
    return [*taken]


def list_abnormal(samples: Sequence[Faulty], file: Path) -> list[str]:
    """The lines about the abnormal ones among the samples of a folder.

    After 20 of them the rest is in `file`, and the reasons follow with their numbers. If the file can't be written, all
    are listed.
    """
    abnormal = [(index, sample) for index, sample in enumerate(samples) if sample.fault]
    lines = [f"[Picture {index}] [{escape_odd(sample.name)}] [{sample.fault}]" for index, sample in abnormal]
    if len(lines) <= LISTED:
        return lines
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
    except OSError as error:
        return [*lines, f"[Warning] {display_path(file)}: can't be written: {error.strerror}", *_reasons(abnormal)]
    rest = f"... and {len(lines) - LISTED} more: {display_path(file)} lists all {len(lines)}"
    return [*lines[:LISTED], rest, *_reasons(abnormal)]


def _reasons(abnormal: Sequence[tuple[int, Faulty]]) -> list[str]:
    """A line for each kind of reason, the most frequent first. A picture counts in each of its own."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for _, sample in abnormal:
        for kind in dict.fromkeys(sample.faults):
            names[kind].append(escape_odd(sample.name))
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return [f"{len(found)} of them: {kind}, such as {', '.join(found[:EXAMPLES])}" for kind, found in ordered]


def list_skipped(skipped: Sequence[tuple[str, str]], file: Path) -> list[str]:
    """The lines of `kinds_of_skipped`; `file` lists all of many."""
    lines = kinds_of_skipped(skipped)
    if len(skipped) > len(lines):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = "".join(f"{escape_odd(name)}: {reason}\n" for name, reason in skipped)
            write_atomically(file, rows.encode("utf-8", "backslashreplace"))
        except OSError as error:
            return [*lines, f"[Warning] {display_path(file)}: can't be written: {error.strerror}"]
        lines.append(f"{display_path(file)} lists all {len(skipped)}")
    return lines


def kinds_of_skipped(skipped: Sequence[tuple[str, str]]) -> list[str]:
    """A line for each kind of reason why files were skipped, with examples, and with the whole reason if it is one."""
    kinds: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, reason in skipped:
        kinds[reason.partition(": ")[0]].append((escape_odd(name), reason))
    lines = []
    for kind, files in sorted(kinds.items(), key=lambda item: -len(item[1])):
        if len(files) <= EXAMPLES:
            lines += [f"Skipped {name}: {reason}" for name, reason in files]
            continue
        names = ", ".join(name for name, _ in files[:EXAMPLES])
        details = {reason.removeprefix(kind) for _, reason in files}
        lines.append(f"Skipped {len(files)}: {kind}, such as {names}{details.pop() if len(details) == 1 else ''}")
    return lines


def check_unusable(folder: Path, total: int, reasons: Mapping[str, str], log_dir: Path, least: int = 0) -> None:
    """Raise SampleError, with the reasons, when more than 1% of the pictures of a set can't be used, or all of them.

    So many as `least` may be left out in any case. `reasons` are by name; a file in `log_dir` lists those of many.
    """
    unusable = len(reasons)
    if unusable <= max(least, UNUSABLE_SHARE * total) and unusable < total:
        return
    lines = list_skipped([*reasons.items()], log_dir / f"unusable_{short_name(folder.name)}.txt")
    way_out = f"move {'it' if unusable == 1 else 'them'} out of this folder"
    summary = f"{display_path(folder)}: {unusable} of {total} pictures can't be used, more than 1%; {way_out}"
    raise SampleError("\n".join([*lines, summary]))
