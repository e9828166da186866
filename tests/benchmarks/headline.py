"""The original's own case: captchas of the `captcha` library, digits and lower case, four characters, 100x60."""

import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.runs import WORK, Config, Run, call, shipped_config, write_config

LOWER = "0123456789abcdefghijklmnopqrstuvwxyz"
UPPER = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UNSEEN = 5000
TRAINING_SEED, UNSEEN_SEED = 11, 12


def draw(version: str, folder: Path, config: Config, characters: str, count: int, seed: int) -> None:
    """`count` pictures by the `captcha` library of a version, which is installed beside the one in use."""
    library = WORK / f"captcha-{version}"
    if not library.exists():
        part = library.with_name(f"{library.name}.part")
        wanted = [f"captcha=={version}", "--no-deps", "--quiet", "--target", str(part)]
        subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
        part.rename(library)
    look = {"root_dir": str(folder), "image_suffix": "png", "characters": characters, "count": count, "char_count": 4}
    path = folder.with_name(f"{folder.name}.json")
    write_config(path, look | {"width": config["image_width"], "height": config["image_height"]})
    drawn = len([*folder.glob("*.png")]) if folder.exists() else 0
    if drawn < count:
        arguments = ["--config", str(path), "--seed", str(seed), "--count", str(count - drawn)]
        call(
            "gen_image/gen_sample_by_captcha.py",
            *arguments,
            log=folder.with_name(f"{folder.name}.log"),
            env={"PYTHONPATH": os.pathsep.join([str(library), os.environ.get("PYTHONPATH", "")])},
        )


def headline(
    version: str,
    steps: int,
    seed: int,
    network: str = "columns",
    characters: str = LOWER,
    count: int = 20_000,
    size: tuple[int, int] = (100, 60),
    options: tuple[str, ...] = (),
    workers: int = 1,
) -> Run:
    """The training of `network` for `steps` on 19 of 20 of `count` pictures, shared by `workers` processes."""
    kind = "lower" if characters == LOWER else "upper"
    pictures = f"{kind}-{size[0]}x{size[1]}-{version}-{count}"

    def prepare(folder: Path) -> Config:
        folder.mkdir(parents=True, exist_ok=True)
        data = WORK / "pictures" / pictures
        config = shipped_config(
            folder,
            image_width=size[0],
            image_height=size[1],
            char_set=characters,
            network=network,
            cycle_stop=steps,
            acc_stop=1,
            split_seed=seed,
            train_image_dir=str(data),
            test_image_dir=str(data.with_name(f"{pictures}-unseen")),
        )
        draw(version, data, config, characters, count * 19 // 20, TRAINING_SEED)
        return config

    def unseen(config: Config) -> None:
        draw(version, Path(config["test_image_dir"]), config, characters, UNSEEN, UNSEEN_SEED)

    shared = [f"{workers}workers"] if workers > 1 else []
    name = "-".join([pictures, network, str(steps), f"seed{seed}", *(one.strip("-/") for one in options), *shared])
    about = {"look": pictures, "network": network, "steps": steps, "seed": seed, "options": list(options)}
    return Run(name, prepare, unseen, options, about | {"workers": workers}, workers)


UPPER_CASE = headline("0.7.0", 6000, 1, characters=UPPER, count=60_000, size=(192, 64))
LONG = headline("0.7.0", 12_000, 1)
RUNS = (
    *(headline("0.7.0", 3000, seed) for seed in (1, 2, 3)),
    headline("0.7.0", 3000, 1, workers=2),
    *(headline("0.7.1", 3000, seed) for seed in (1, 2, 3)),
    headline("0.7.0", 3000, 1, options=("--warm-start", "none")),
    headline("0.7.0", 3000, 1, network="classic"),
    LONG,
    UPPER_CASE,
    headline("0.7.1", 12_000, 1),
    headline("0.7.1", 3000, 1, network="classic"),
    headline("0.7.0", 12_000, 1, network="classic"),
    headline("0.7.1", 12_000, 1, network="classic"),
)
