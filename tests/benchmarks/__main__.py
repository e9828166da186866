"""Run the benchmarks whose results are missing and write the pages from all of them.

examples:
  python -m tests.benchmarks headline
  python -m tests.benchmarks zoo --zoo path/to/tars
  python -m tests.benchmarks labels --zoo path/to/tars --sets first second
  python -m tests.benchmarks unlabelled --zoo path/to/tars --labels 300
  python -m tests.benchmarks chinese
  python -m tests.benchmarks general --zoo path/to/tars
  python -m tests.benchmarks peers --looks path/to/other/tars --zoo path/to/tars
  python -m tests.benchmarks doctor --zoo path/to/tars --sets first second
  python -m tests.benchmarks forecast --zoo path/to/tars --sets first second
  python -m tests.benchmarks keystrokes --zoo path/to/tars --sets first second
  python -m tests.benchmarks replay --zoo path/to/tars --sets first second
  python -m tests.benchmarks speed
  python -m tests.benchmarks memory
  python -m tests.benchmarks service
  python -m tests.benchmarks hostile
  python -m tests.benchmarks folders --pictures 10000 100000
  python -m tests.benchmarks faults
  python -m tests.benchmarks workers
  python -m tests.benchmarks pages
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks import (
    chinese,
    doctor,
    faults,
    folders,
    forecast,
    general,
    headline,
    hostile,
    keystrokes,
    memory,
    peers,
    replay,
    service,
    workers,
    zoo,
)
from tests.benchmarks.pages import write_pages
from tests.benchmarks.runs import perform, stored
from tests.fault_cases import CASES

DEMO_CONFIG = PROJECT_ROOT / "conf" / "demo_sample_config.json"
WHAT = (
    "headline",
    "zoo",
    "labels",
    "unlabelled",
    "chinese",
    "general",
    "peers",
    "doctor",
    "forecast",
    "keystrokes",
    "replay",
    "speed",
    "memory",
    "service",
    "hostile",
    "folders",
    "faults",
    "workers",
    "pages",
)
OF_SETS = {  # what measures a set, by the beginning of its result's name
    "general": general.read_set,
    "doctor": doctor.measure,
    "forecast": forecast.measure,
    "keystrokes": keystrokes.measure,
    "replay": replay.measure,
}
STARTS = (("--warm-start", "auto"), ("--warm-start", "none"))
UNLABELLED = 1400  # pictures beside the labelled ones


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--zoo", type=Path, help="folder of tars, each with one folder of labelled pictures")
    parser.add_argument("--looks", type=Path, help="folder of tars as --zoo, of sets that are read alone")
    parser.add_argument("--readers", nargs="+", choices=peers.READERS, default=peers.READERS, help="of peers")
    parser.add_argument("--config", type=Path, default=DEMO_CONFIG, help="of the service's model (default: the demo's)")
    parser.add_argument("--sets", nargs="+", help="names of the sets (default: all tars)")
    parser.add_argument(
        "--labels", nargs="+", type=int, default=zoo.LABELS, help="how many labels (default: %(default)s)"
    )
    text = "in the folders, from few to many (default: %(default)s)"
    parser.add_argument("--pictures", nargs="+", type=int, default=folders.SIZES, help=text)
    parser.add_argument("--list", action="store_true", help="say what is missing and run nothing")
    parser.add_argument("--most", type=int, metavar="N", help="run at most N that are missing")
    arguments = parser.parse_args()
    of_zoo = ("zoo", "labels", "unlabelled", *OF_SETS)
    if arguments.what in of_zoo and not arguments.zoo:
        parser.error(f"{arguments.what} needs --zoo")
    if arguments.what == "peers" and not (arguments.zoo or arguments.looks):
        parser.error("peers needs --looks, --zoo or both")
    missing = [(name, measure) for name, measure in chosen(arguments) if stored(name) is None]
    print(f"{len(missing)} missing: {', '.join(name for name, _ in missing)}")
    if arguments.list:
        return 0
    for _, measure in missing[: arguments.most]:
        measure()
        if arguments.what != "peers":  # 155 short ones
            write_pages()
    write_pages()
    return 0


def chosen(arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[], object]]]:
    """Names of the results that `what` consists of, each with what measures it."""
    folder = arguments.zoo
    sets = (arguments.sets or zoo.sets_in(folder)) if folder else []
    if arguments.what in OF_SETS:
        measure = OF_SETS[arguments.what]
        yield from ((f"{arguments.what}-{name}", partial(measure, folder, name)) for name in sets)
    if arguments.what == "peers":
        yield from of_peers(arguments)
    if arguments.what == "service":
        yield from ((f"service-{part}", partial(service.measure, part, arguments.config)) for part in service.PARTS)
    if arguments.what == "hostile":
        yield hostile.NAME, hostile.measure
    if arguments.what == "memory":
        yield memory.NAME, memory.measure
    if arguments.what == "folders":
        yield folders.NAME, partial(folders.measure, arguments.pictures)
    if arguments.what == "faults":
        yield from ((faults.name_of(case), partial(faults.measure, case)) for case in CASES)
    if arguments.what == "workers":
        yield workers.NAME, workers.measure
    if arguments.what == "speed":
        yield "speed", speed
    runs = {
        "headline": headline.RUNS,
        "chinese": chinese.RUNS,
        "zoo": [zoo.run_of(folder, name) for name in sets],
        "labels": [zoo.run_of(folder, *one) for one in itertools.product(sets, arguments.labels, STARTS)],
        "unlabelled": [
            run
            for name, labels in itertools.product(sets, arguments.labels)
            for run in (zoo.run_of(folder, name, labels, STARTS[0]), zoo.run_of(folder, name, labels, (), UNLABELLED))
        ],
    }
    yield from ((run.name, partial(perform, run)) for run in runs.get(arguments.what, ()))


def of_peers(arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[], object]]]:
    """As `chosen`, for the ready readers: a result for each reader and set, reader after reader."""
    looks, folder = arguments.looks, arguments.zoo
    sets = arguments.sets or peers.names_in(looks, folder)
    for reader, name in itertools.product(arguments.readers, sets):
        pictures = partial(peers.open_set, looks, folder, name)
        yield peers.name_of(reader, name), partial(peers.read_set, reader, pictures)


def speed() -> None:
    from tests.benchmarks import speed  # the only one that computes with TensorFlow in this process

    speed.measure()


if __name__ == "__main__":
    sys.exit(main())
