"""The end of `make demo`: what to do next, and no address at which nobody answers."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnlib.core.errors import ServiceError
from cnnlib.core.paths import PROJECT_ROOT
from tests.test_documentation import check_command, load

demo = load("tools/demo.py")
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|localhost|://|:\d{4}")


def test_served_reading_prints_no_address(
    trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = ["--config", str(trained.config_path)]
    monkeypatch.setattr(demo, "SAMPLES", samples)
    monkeypatch.setattr(demo, "SERVE", ["webserver_recognize_api.py", *samples])
    demo.recognise_one()
    said = capfd.readouterr()
    assert re.search(r"label: \d+, prediction: \d+, total time: ", said.out)
    assert not ADDRESS.search(said.out + said.err)


def test_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SERVE", ["webserver_recognize_api.py", "--config", str(tmp_path / "none.json")])
    with pytest.raises(ServiceError, match=r"the server did not start: .*none\.json: can't be read"):
        demo.recognise_one()


def test_next_steps_are_commands_of_the_suite() -> None:
    assert not ADDRESS.search(demo.NEXT)
    commands = [line.removeprefix("$ ") for line in demo.NEXT.splitlines() if line.startswith("$ python")]
    assert len(commands) == 3
    for command in commands:
        assert (PROJECT_ROOT / shlex.split(command)[1]).is_file()
        check_command(command)


def test_next_steps_come_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def test_batch() -> None:
        report = tmp_path / "demo" / "model" / "report" / "test.json"
        report.parent.mkdir(parents=True)
        report.write_text('{"picture_accuracy": 0.998, "samples": 500}')

    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setattr(demo, "run", lambda *_: None)
    monkeypatch.setattr(demo, "recognise_one", test_batch)
    assert demo.main([]) == 0
    said = capsys.readouterr().out
    assert "Picture accuracy: 99.8% of 500 pictures that were never trained on\n" in said
    assert said.endswith(f"{demo.NEXT}\n")
