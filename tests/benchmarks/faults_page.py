"""The text of docs/benchmarks/faults.md, from the stored results."""

from collections.abc import Callable, Sequence

from tests.benchmarks.cells import table
from tests.benchmarks.runs import Result
from tests.fault_cases import CASES

TITLES = ("what", "operations", "killed there", "disk full (ENOSPC)", "disk failing (EIO)", "commit")
FAULTS = ("kill", "ENOSPC", "EIO")


def faults_text(head: str, results: Sequence[Result]) -> str:
    """The whole page, below `head`."""
    order = [*CASES]
    found = sorted(results, key=lambda one: order.index(one["case"]))
    rows = [(one["case"], one["points"], *map(_share(one), FAULTS), one["commit"]) for one in found]
    wrong = sum(len(texts) for one in found for texts in one["broken"].values())
    total = sum(tried(one, fault) for one in found for fault in FAULTS)
    systems = sorted({system for one in found for system in one["file_systems"]})
    kernels, machines = (sorted({one[key] for one in found}) for key in ("kernel", "machine"))
    return (
        "# When a disk fails at any moment\n\n"
        f"{head}"
        "`strace` counts the operations of a run that change something in the folders of the suite: files that are "
        "opened for writing, written, closed, renamed or deleted, new folders, waiting for the disk, and so on. Then "
        "the run is repeated for each of them. The process is killed just before it, or the operation fails because "
        f"the disk is full, or because it is failing. **{wrong:,} of {total:,} points left anything wrong.**\n\n"
        "A point is wrong when one of these does not hold:\n\n"
        "- No picture is lost, torn or doubled, by names and bytes. A move onto another device may leave both copies "
        "until the next run.\n"
        "- A config, a list of characters and a model are whole: the older or the newer one.\n"
        "- Without a kill, the exit status is 2 and the message names the file, and the way out of a full disk. Or the "
        "run went on, and said what is missing. No traceback is printed.\n"
        "- The next run, without a fault, ends well and leaves what a run without faults does.\n\n"
        f"{table(TITLES, rows)}\n"
        "A model is saved as by a training, with the files of a real one, without the training before. Three files "
        "stand for a SavedModel. The training takes four steps of a network of two convolutions, saves twice and "
        "starts from random weights. Of its operations, each is tried with one of the three faults, in turn, but for "
        "those on TensorBoard's files, whose names are other ones in each run.\n\n"
        "A kill keeps what the system has not written to the disk yet, so this measures no power cut. "
        "[What a disk has to promise](../data.md#what-a-disk-has-to-promise) says what holds then.\n\n"
        f"Linux {', '.join(kernels)}, {', '.join(systems)}. Machine: {', '.join(machines)}.\n"
    )


def _share(one: Result) -> Callable[[str], str]:
    return lambda fault: f"{len(one['broken'][fault])} of {tried(one, fault)}"


def tried(one: Result, fault: str) -> int:
    """At how many points a fault was tried; older results have one number for all faults."""
    counts = one["tried"]
    return counts[fault] if isinstance(counts, dict) else counts
