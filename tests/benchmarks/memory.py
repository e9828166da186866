"""What a training of very many pictures holds in memory, and how long it takes to load them.

The pictures are some hundred, repeated by hard links under other names. Each number of pictures is trained on for some
steps in a process of its own, twice: the first loads from the files, the second from the cache.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from cnnlib.config import load_captcha_config, load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks.runs import WORK, Result, shipped_config, store, stored, write_config

NAME = "memory"
COUNTS = (10_000, 20_000, 1_000_000)
DRAWN = 500  # different pictures; a file has at most 65,000 links
STEPS = 20


def measure() -> Result:
    """Stored, or measured now: seconds to load and anonymous memory, by number of pictures."""
    found = stored(NAME)
    if found is not None:
        return found
    rows = {str(count): [train_some(count), train_some(count)] for count in COUNTS}
    return store(NAME, {"steps": STEPS, "counts": rows})


def train_some(count: int) -> Result:
    """Train for some steps on `count` pictures in another process; returns what it measured."""
    folder = WORK / NAME / str(count)
    config = folder / "config.json"
    if not config.exists():
        keys = shipped_config(folder, cycle_stop=STEPS, char_set="0123456789abcdefghijklmnopqrstuvwxyz")
        repeat_pictures(Path(keys["train_image_dir"]), count)
        write_config(config, keys)
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(config)]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured: Result = json.loads(ran.stdout.splitlines()[-1])
    return measured


def repeat_pictures(folder: Path, count: int) -> None:
    """Fill a folder with `count` names of some drawn pictures."""
    from cnnlib.synthesis.captcha import draw_captcha

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = load_captcha_config()
    for number in range(DRAWN):
        label, data = draw_captcha(config, f"0-{number}")
        first = folder / f"{label}_{number}.png"
        first.write_bytes(data)
        for other in range(number + DRAWN, count, DRAWN):
            os.link(first, folder / f"{label}_{other}.png")


def train_here(config: Path) -> Result:
    """Train in this process, with all that a training does at its end."""
    from cnnlib.training import loop

    seconds = SimpleNamespace(load=0.0)
    load = loop.load_training

    def timed(*arguments: object) -> object:
        start = time.perf_counter()
        loaded = load(*arguments)
        seconds.load = time.perf_counter() - start
        return loaded

    loop.load_training = timed
    keys = load_sample_config(config)
    shutil.rmtree(keys.model_save_dir, ignore_errors=True)
    peak = watch_anonymous_mb()
    outcome = loop.train(keys, print)
    return {"load_s": seconds.load, "anonymous_mb": peak.mb, "pictures_per_s": outcome.pictures_per_s}


def watch_anonymous_mb() -> SimpleNamespace:
    """The most anonymous memory (RssAnon of Linux) that this process has had since now, kept up to date."""
    peak = SimpleNamespace(mb=0.0)

    def watch() -> None:
        while True:
            lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
            kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            peak.mb = max(peak.mb, kilobytes / 1000)
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()
    return peak


if __name__ == "__main__":
    print(json.dumps(train_here(Path(sys.argv[1]))))
