"""Run the benchmarks whose results are missing and write the pages from all of them.

examples:
  python -m tests.benchmarks headline
  python -m tests.benchmarks zoo --zoo path/to/tars
  python -m tests.benchmarks labels --zoo path/to/tars --sets first second
  python -m tests.benchmarks general --zoo path/to/tars
  python -m tests.benchmarks speed
  python -m tests.benchmarks service
  python -m tests.benchmarks pages
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cnnlib.paths import PROJECT_ROOT
from tests.benchmarks import general, headline, service, zoo
from tests.benchmarks.pages import write_pages
from tests.benchmarks.runs import Run, perform, stored

DEMO_CONFIG = PROJECT_ROOT / "conf" / "demo_sample_config.json"
LABELS = (200, 500, 1000)
STARTS = (("--warm-start", "model/general"), ("--warm-start", "none"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("headline", "zoo", "labels", "general", "speed", "service", "pages"))
    parser.add_argument("--zoo", type=Path, help="folder of tars, each with one folder of labelled pictures")
    parser.add_argument("--config", type=Path, default=DEMO_CONFIG, help="of the service's model (default: the demo's)")
    parser.add_argument("--sets", nargs="+", help="names of the sets (default: all tars)")
    parser.add_argument("--labels", nargs="+", type=int, default=LABELS, help="how many labels (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="say what is missing and run nothing")
    parser.add_argument("--most", type=int, metavar="N", help="run at most N that are missing")
    arguments = parser.parse_args()
    if arguments.what in ("zoo", "labels", "general") and not arguments.zoo:
        parser.error(f"{arguments.what} needs --zoo")
    names = (arguments.sets or zoo.sets_in(arguments.zoo)) if arguments.zoo else []
    missing = [
        run for run in chosen(arguments.what, arguments.zoo, names, arguments.labels) if stored(run.name) is None
    ]
    print(f"{len(missing)} missing: {', '.join(run.name for run in missing)}")
    if arguments.list:
        return 0
    for run in missing[: arguments.most]:
        perform(run)
        write_pages()
    for name in names if arguments.what == "general" else []:
        general.read_set(arguments.zoo, name)
    if arguments.what == "speed":
        from tests.benchmarks import speed  # the only one that computes with TensorFlow in this process

        speed.measure()
    if arguments.what == "service":
        service.measure(arguments.config)
    write_pages()
    return 0


def chosen(what: str, folder: Path, names: list[str], counts: Sequence[int]) -> list[Run]:
    """The runs that `what` consists of."""
    if what == "headline":
        return list(headline.RUNS)
    if what == "zoo":
        return [zoo.run_of(folder, name) for name in names]
    if what == "labels":
        return [zoo.run_of(folder, name, count, start) for name in names for count in counts for start in STARTS]
    return []


if __name__ == "__main__":
    sys.exit(main())
