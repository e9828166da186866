"""The text of docs/benchmarks/memory.md, from the stored result."""

from tests.benchmarks.cells import table
from tests.benchmarks.runs import Result

TITLES = ("pictures", "s to decode", "s from the cache", "MB of anonymous memory", "pictures/s")


def memory_text(head: str, result: Result) -> str:
    """The whole page, below `head`."""
    counts = {int(count): runs for count, runs in result["counts"].items()}
    rows = [
        (
            f"{count:,}",
            f"{first['load_s']:.1f}",
            f"{again['load_s']:.2f}",
            f"{max(first['anonymous_mb'], again['anonymous_mb']):.0f}",
            f"{again['pictures_per_s']:.0f}",
        )
        for count, (first, again) in counts.items()
    ]
    least, most = (max(each["anonymous_mb"] for each in counts[count]) for count in (min(counts), max(counts)))
    return (
        "# Memory of a training\n\n"
        f"{head}"
        f"From {min(counts):,} to {max(counts):,} pictures, the memory of a training grows by {most - least:.0f} MB. "
        "The pictures, 6 kB each as decoded, stay on the disk.\n\n"
        f"The pictures have 100x60 pixels, grey, and are some hundred under many names. The network is `columns`, for "
        f"{result['steps']} steps of 128 with the review at the end. The first training decodes the pictures, the "
        "second takes them from the cache. Anonymous memory is `RssAnon` of Linux at its peak over the whole training: "
        "what a process holds besides mapped files, which the system takes back when it needs memory. Seconds and "
        "rates are those of a machine that was busy with other work.\n\n"
        f"{table(TITLES, rows)}\n"
        f"Machine: {result['machine']}. Commit: {result['commit']}.\n"
    )
