"""Some points of all that writes, at which the process is killed or an operation fails; `make bench-faults` has all."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

from tests import fault_injection
from tests.fault_cases import CASES, Case, UnavailableError, prepared
from tests.fault_injection import FAULTS, Point, points, run_at, script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(fault_injection.missing()), reason=fault_injection.missing() or "strace is there"),
]
QUICK = [name for name in CASES if name != "train"]

Prepare = Callable[[str], tuple[Case, list[Point]]]


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Prepares a case in a folder of its own; skips the test where this system lacks something that it needs."""
    with ExitStack() as stack:

        def make(name: str) -> tuple[Case, list[Point]]:
            try:
                return stack.enter_context(prepared(name, tmp_path))
            except UnavailableError as error:
                pytest.skip(str(error))

        yield make


@pytest.mark.parametrize("name", QUICK)
def test_a_fault_of_each_kind_of_operation_loses_nothing(name: str, prepare: Prepare) -> None:
    case, found = prepare(name)
    last_of_each = {point.call: point for point in found}
    for point, fault in zip(last_of_each.values(), cycle(FAULTS), strict=False):
        case.try_point(point, fault, case.folder.with_name("strace.log"))


def test_picture_is_on_the_other_disk_before_its_original_goes(prepare: Prepare) -> None:
    _, found = prepare("split onto another device")
    steps = [(point.call, Path(point.path)) for point in found]
    moved = [path for call, path in steps if call == "unlink"][1:]  # the first one is a duplicate
    assert len(moved) == 3
    for original in moved:
        part = next(path for _, path in steps if path.name == f".{original.name}.part")
        order = [("fsync", part), ("rename", part), ("fsync", part.parent), ("unlink", original)]
        places = [steps.index(order[0]), steps.index(order[1])]
        places += [steps.index(order[2], places[-1]), steps.index(order[3])]
        assert places == sorted(places), f"{original.name}: {order}"


def test_files_of_a_model_are_on_the_disk_before_its_card_and_the_card_before_the_older_ones_go(
    prepare: Prepare,
) -> None:
    _, found = prepare("save a model")
    steps = [(point.call, Path(point.path).name) for point in found]
    card = steps.index(("rename", ".model_card.json.part"))
    assert [call for call, name in steps[:card] if name == "model"][-1] == "fsync", "the folder, after the files"
    renamed = [name for call, name in steps[:card] if call == "rename"]
    assert len(renamed) == 4
    for name in renamed:
        assert steps.index(("fsync", name)) < steps.index(("rename", name))
    first_deleted = next(place for place, (call, _) in enumerate(steps) if call == "unlink")
    assert ("fsync", "model") in steps[card:first_deleted]


def test_import_waits_for_the_disk_before_it_says_what_it_copied(prepare: Prepare) -> None:
    _, found = prepare("import")
    calls = [point.call for point in found]
    assert len(calls) - calls[::-1].index("rename") <= calls.index("syncfs")


def test_pictures_are_on_the_disk_before_they_are_moved_on_it(prepare: Prepare) -> None:
    _, found = prepare("split")
    calls = [point.call for point in found]
    assert calls.index("syncfs") < calls.index("rename")


def test_harness_finds_what_is_written_in_place(tmp_path: Path) -> None:
    """A script that does what the suite must not: it is caught at its write."""
    folder = tmp_path / "work"
    folder.mkdir()
    code = "import sys; file = open(sys.argv[1], 'w'); file.write('new'); file.close()"
    target = folder / "labels.json"
    command = [script("")[0], "-c", code, str(target)]
    found = points(command, [folder], tmp_path / "log")
    assert [point.call for point in found] == ["openat", "write", "close"]
    left = []
    for point in found:
        target.write_text("old")
        ended = run_at(command, point, "kill", tmp_path / "log")
        assert (ended.met, ended.status) == (True, -9)
        left.append(target.read_text())
    assert left == ["old", "", "new"]
    failed = run_at(command, found[1], "ENOSPC", tmp_path / "log")
    assert failed.met
    assert re.search(r"OSError: \[Errno 28\]", failed.err)
