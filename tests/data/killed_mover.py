"""The moves of verify_and_split_data.py, slow enough to be killed on the way; run by test_verify_and_split.py."""

import sys
import time
from pathlib import Path
from typing import Any

import verify_and_split_data
from cnnlib.data import verify_and_split

move = verify_and_split.move


def slow_move(path: Path, folder: Path) -> Any:
    time.sleep(0.0005)
    return move(path, folder)


def main() -> None:
    verify_and_split.move = slow_move
    draw_test = verify_and_split.SetSizes.draw_test

    def announced(*arguments: Any) -> Any:
        print("moving", flush=True)
        return draw_test(*arguments)

    verify_and_split.SetSizes.draw_test = announced
    sys.exit(verify_and_split_data.main(["--config", sys.argv[1]]))
