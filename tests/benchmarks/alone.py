"""Reading in one process without a server; prints JSON. Started anew, so that the import and the memory are told."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.processes import memory_mb

ROUNDS, CALLS = 20, 100


def median_ms(call: Callable[[], object]) -> float:
    """Of `CALLS` calls."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main(config_path: str, picture: str) -> None:
    start = time.perf_counter()
    from cnnlib.config import load_sample_config
    from cnnlib.inference.recognizer import Recognizer

    reader = Recognizer(load_sample_config(config_path).model_save_dir)
    loaded_s = time.perf_counter() - start
    data = Path(picture).read_bytes()
    interpreter = reader._model._idle[0]
    both = [(median_ms(lambda: reader.recognize([data])), median_ms(interpreter.invoke)) for _ in range(ROUNDS)]
    print(
        json.dumps(
            {
                "import_and_load_s": loaded_s,
                "picture_ms": statistics.median(one for one, _ in both),
                "litert_ms": statistics.median(one for _, one in both),
                "ratio": statistics.median(one / bare for one, bare in both),
                "memory_mb": memory_mb(os.getpid()),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
