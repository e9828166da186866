"""As test_every_point.py, for models, their reports, and what servers and labellings keep."""

from pathlib import Path

import pytest

from tests import fault_injection
from tests.fault_cases import try_each_kind
from tests.scripts.conftest import Prepare

pytestmark = [
    pytest.mark.slow(20),
    pytest.mark.skipif(bool(fault_injection.missing()), reason=fault_injection.missing() or "strace is there"),
]
NAMES = (
    *("save a model", "swap in a SavedModel", "ship a model", "report of the batch test", "table of the stress test"),
    *("keep received pictures", "label pictures", "second look at labels"),
)


@pytest.mark.parametrize(("turn", "name"), [*enumerate(NAMES)])
def test_a_fault_of_each_kind_of_operation_loses_nothing(turn: int, name: str, prepare: Prepare) -> None:
    try_each_kind(*prepare(name), turn)


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
