from pathlib import Path

import pytest

from cnnlib.config import (
    SAMPLE_CONFIG,
)
from cnnlib.core.paths import PROJECT_ROOT, config_path, display_path


def test_messages_show_paths_as_configs_do_or_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    assert display_path(PROJECT_ROOT / "sample" / "origin") == "sample/origin/"
    assert display_path(SAMPLE_CONFIG) == "conf/sample_config.json"
    assert display_path(tmp_path) == f"{tmp_path.as_posix()}/"
    monkeypatch.chdir(tmp_path)
    assert display_path(SAMPLE_CONFIG) == SAMPLE_CONFIG.as_posix()
    assert config_path(SAMPLE_CONFIG) == "conf/sample_config.json"
