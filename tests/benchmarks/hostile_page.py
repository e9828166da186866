"""The text of docs/benchmarks/hostile_requests.md, from the stored result."""

from tests.benchmarks.cells import table
from tests.benchmarks.runs import Result

TITLES = ("request", "bytes", "answer", "pictures read", "s of processor time", "without reading", "MB of memory")


def hostile_text(head: str, result: Result) -> str:
    """The whole page, below `head`."""
    kinds = result["kinds"]
    plain = next(iter(kinds.values()))
    picture_s = plain["cpu_s"] / plain["pictures"]
    rows = [
        (
            name,
            f"{one['bytes']:,}",
            one["status"],
            one["pictures"] or "",
            f"{one['cpu_s']:.3f}",
            f"{max(0.0, one['cpu_s'] - picture_s * one['pictures']):.3f}",
            f"{max(0.0, one['memory_mb']):.1f}",
        )
        for name, one in kinds.items()
    ]
    most_s, most_mb = max(float(row[5]) for row in rows), max(float(row[6]) for row in rows)
    return (
        "# Requests that are made to cost much\n\n"
        f"{head}"
        f"A request has at most 1 MiB. {len(kinds)} kinds were tried. The dearest take {most_s:.2f} s of processor "
        f"time besides reading pictures, and {most_mb:.0f} MB of memory. The goal is 0.3 s and 60 MB.\n\n"
        "The server has one process and an untrained model as large as that of the demonstration, which resizes. Each "
        "kind is sent three times, and the cheapest counts. The processor time is that of all threads of the process. "
        "The memory is its peak over what it had before.\n\n"
        f"Reading a picture costs {1000 * picture_s:.1f} ms in this measurement, on a machine that was busy with other "
        "work. A column leaves that out, because 100 pictures are what a request may have.\n\n"
        f"{table(TITLES, rows)}\n"
        f"Machine: {result['machine']}. Commit: {result['commit']}.\n"
    )
