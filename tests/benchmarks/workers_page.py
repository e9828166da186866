"""The page on several workers: what was measured with two, and a table computed from it for others."""

from tests.benchmarks.cells import table
from tests.benchmarks.runs import Result

MACHINES, SPEEDS = (1, 2, 4, 8, 16), (1, 10, 100)  # speeds of a network in Gbit/s


def workers_text(head: str, result: Result) -> str:
    """The whole page."""
    step = result["step_ms"]
    own = result["own_statistics_share_of_twice"]
    shares, own_shares = result["shares_of_twice"], result["own_statistics_shares_of_twice"]
    gradients, small = result["gradient_bytes"] / 1e6, result["statistics_bytes"] / 1e6
    origin = f"{result['machine']}, {result['date']}, {result['commit']}"
    return (
        "# Two workers against one\n\n"
        + head
        + "Two workers with a core each train `columns` on batches of 128 pictures of 100×60 in "
        f"{result['precision']}, over the loopback of one machine. One worker with one core does the same between "
        f"them. A round is {result['steps']} steps of each, and the figures are medians of {result['rounds']} rounds "
        f"({origin}). GPUs were not measured.\n\n"
        + table(
            ["", "ms a step"],
            [
                ["one worker", f"{step['one']:.0f}"],
                ["two workers", f"{step['two']:.0f}"],
                ["two workers, each with batch statistics of its own", f"{step['two_own_statistics']:.0f}"],
            ],
        )
        + f"\nTwo workers reach {result['share_of_twice']:.2f} of twice the rate of one ({min(shares):.2f} to "
        f"{max(shares):.2f}), and {own:.2f} with statistics of their own ({min(own_shares):.2f} to "
        f"{max(own_shares):.2f}). Sharing them adds {result['cost_of_shared_statistics']:.1%} to a step.\n\n"
        f"In each step each of two workers sends {gradients:.2f} MB of gradients in one collective, and one of many "
        f"workers at most twice that. The batch statistics are {small:.3f} MB in {result['collectives'] - 1} "
        f"collectives. A small collective of two workers takes {result['collective_ms']:.2f} ms.\n\n"
        "## Other numbers of machines, computed\n\n"
        "Nothing in this table was measured. It is the share of the ideal rate when each machine trains on 128 "
        "pictures a step: the step of one worker above, plus the collectives one after the other, plus the time of the "
        "gradients on the wire. A ring of n machines sends 2 (n - 1) / n of the bytes, and a small collective takes "
        "n - 1 times as long as with two. *Own* is with `batch_statistics` `own`: the gradients are the only "
        "collective.\n\n"
        + table(
            ["machines", *(f"{speed} Gbit/s" for speed in SPEEDS), *(f"own, {speed} Gbit/s" for speed in SPEEDS)],
            [
                [
                    count,
                    *(
                        f"{efficiency(result, count, speed, collectives):.2f}"
                        for collectives in (result["collectives"], 1)
                        for speed in SPEEDS
                    ),
                ]
                for count in MACHINES
            ],
        )
    )


def efficiency(result: Result, machines: int, gigabits: float, collectives: int) -> float:
    """Share of `machines` times the rate of one machine, computed as the page says."""
    wire_ms = 2 * (machines - 1) / machines * result["gradient_bytes"] * 8 / gigabits / 1e6
    small_ms = collectives * result["collective_ms"] * (machines - 1)
    alone: float = result["step_ms"]["one"]
    return alone / (alone + small_ms + wire_ms)
