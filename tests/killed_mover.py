"""The moves of verify_and_split_data.py, slow enough to be killed on the way; run by test_samples.py."""

import sys
import time
from pathlib import Path
from typing import Any

import verify_and_split_data
from cnnlib import samples

move = samples.move


def slow_move(path: Path, folder: Path) -> Any:
    time.sleep(0.0005)
    return move(path, folder)


def main() -> None:
    samples.move = slow_move
    draw_test = samples.Sets.draw_test

    def announced(*arguments: Any) -> Any:
        print("moving", flush=True)
        return draw_test(*arguments)

    samples.Sets.draw_test = announced
    sys.exit(verify_and_split_data.main(["--config", sys.argv[1]]))
