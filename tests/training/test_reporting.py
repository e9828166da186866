import re
from types import SimpleNamespace

import pytest

from cnnlib.training.reporting import print_line


def test_console_lines_are_those_of_the_original(trained: SimpleNamespace) -> None:
    at = trained.lines.index("10th training >>>")
    rate = r"accuracy rate is \d\.\d{{5}}"
    form = rf"\[{{}} set\] The character {rate} The picture {rate} >>> loss \d+\.\d{{{{10}}}}"
    assert re.fullmatch(form.format("Training"), trained.lines[at + 1])
    assert re.fullmatch(form.format("Verification"), trained.lines[at + 2])
    plan = r"cycle_stop 160 steps of 32 pictures: each is seen \d+\.\d times"
    assert any(re.fullmatch(plan, line) for line in trained.lines)
    assert trained.lines[0] == "Computing on the CPU (enable_gpu 0)"


def test_line_that_nobody_can_read_any_more_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("tqdm.tqdm.write", gone)
    print_line("10th training >>>")
