from pathlib import Path
from typing import Any

import pytest

from cnnlib.config import SampleConfig
from cnnlib.data import importing
from tests.helpers import fill


def silent(items: Any, **_: Any) -> Any:
    return items


def test_disk_is_waited_for_after_the_last_copy(
    tmp_path: Path, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "source", 12)
    happened: list[str | Path] = []
    write = importing.write_atomically

    def write_and_note(path: Path, *arguments: Any, **options: Any) -> None:
        write(path, *arguments, **options)
        happened.append(path.name)

    monkeypatch.setattr(importing, "write_atomically", write_and_note)
    monkeypatch.setattr(importing, "sync_disk", happened.append)
    copied = importing.copy(importing.find(tmp_path / "source", config, silent), config, silent)
    assert (copied.new, len(happened)) == (12, 13)
    assert happened[-1] == config.origin_dirs[0]
