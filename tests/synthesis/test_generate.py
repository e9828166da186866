import os
import signal
from pathlib import Path

import pytest

from cnnlib.config import CaptchaConfig
from cnnlib.core.errors import SampleError
from cnnlib.synthesis.generate import generate
from tests.helpers import captcha_config


@pytest.fixture
def look(tmp_path: Path) -> CaptchaConfig:
    return captcha_config(root_dir=str(tmp_path / "origin"), characters="01", char_count=2, width=32, height=16)


def draw_and_die(seed: str) -> tuple[str, bytes]:
    if seed == "7-40":
        os.kill(os.getpid(), signal.SIGKILL)  # as a system does that lacks memory
    return "01", b"picture"


def draw_too_much(_seed: str) -> tuple[str, bytes]:
    return "01", bytes(5000)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_killed_drawing_process_is_an_error_and_its_pictures_stay(look: CaptchaConfig) -> None:
    with pytest.raises(SampleError, match="a drawing process was killed"):
        generate(look, 100, 7, draw_and_die)
    assert {path.read_bytes() for path in look.root_dir.glob("01_*.png")} == {b"picture"}


def test_empty_picture_of_a_power_cut_is_drawn_again(look: CaptchaConfig) -> None:
    generate(look, 3, 7, draw_and_die)
    lost = look.root_dir / "01_7-000001.png"
    lost.write_bytes(b"")
    generate(look, 1, 7, draw_and_die)
    assert lost.read_bytes() == b"picture"
    assert len([*look.root_dir.glob("*.png")]) == 3


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="sets a limit of POSIX systems")
def test_full_disk_leaves_no_half_picture(look: CaptchaConfig) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            generate(look, 3, 7, draw_too_much)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [path for path in look.root_dir.iterdir() if path.suffix in (".png", ".part")]
