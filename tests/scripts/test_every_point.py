"""Some points of all that writes, at which the process is killed or an operation fails; `make bench-faults` has all.

Here are pictures, configs and lists. Models, reports and what servers keep are in test_every_point_of_models.py, so
that two workers share the time.
"""

import re
from pathlib import Path

import pytest

from tests import fault_injection
from tests.fault_cases import BENCHMARK_ONLY, CASES, try_each_kind
from tests.fault_injection import points, run_at, script
from tests.scripts.conftest import Prepare
from tests.scripts.test_every_point_of_models import NAMES as ELSEWHERE

pytestmark = [
    pytest.mark.slow(20),
    pytest.mark.skipif(bool(fault_injection.missing()), reason=fault_injection.missing() or "strace is there"),
]
NAMES = [name for name in CASES if name not in (*BENCHMARK_ONLY, *ELSEWHERE)]


@pytest.mark.parametrize(("turn", "name"), [*enumerate(NAMES)])
def test_a_fault_of_each_kind_of_operation_loses_nothing(turn: int, name: str, prepare: Prepare) -> None:
    try_each_kind(*prepare(name), turn)


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
