"""The rows of docs/benchmarks/service.md, from the stored results."""

from collections.abc import Callable, Iterator

from tests.benchmarks.runs import Result

Row = tuple[str, str]  # what was measured, and what came of it
RowOfCommit = tuple[str, str, str]


def service_rows(found: dict[str, Result]) -> Iterator[RowOfCommit]:
    """A row for each figure, of the results by the names of their parts, with the commit that was measured.

    Parts that were not run are left out.
    """
    for name, rows in ROWS.items():
        if name in found:
            for row in rows(found[name]):
                yield (*row, found[name]["commit"])


def _alone(one: Result) -> Iterator[Row]:
    ratio = f"{one['ratio']:.2f} × the {one['litert_ms']:.2f} ms of LiteRT alone"
    yield "one PNG decoded and read in one process, median", f"{one['picture_ms']:.2f} ms, {ratio}"
    yield "import and load", f"{one['import_and_load_s']:.2f} s"
    yield "memory of a process that reads, without a server", f"{one['memory_mb']:.0f} MB"


def _over_http(one: Result) -> Iterator[Row]:
    rates, share = one["requests_per_s"], one["share_of_floor"]
    yield "`POST /b` on loopback, one after the other, median", f"{one['serial_ms']:.2f} ms"
    for connections in ("1", "4", "8"):
        read, decoded = rates[f"/b {connections}"], rates[f"/floor {connections}"]
        counted = one["wrk_requests_per_s"][connections]
        by_wrk = "" if counted is None else f", {counted:.0f} as wrk counts them"
        what = f"requests/s, {connections} connection{'s' * (connections != '1')}, 2 workers"
        yield what, f"{read:.0f}{by_wrk}. Form and picture only decoded: {decoded:.0f}"
    yield (
        "share of the rate of decoding alone, 8 connections",
        f"{share:.2f}, {one['share_of_floor_unkept']:.2f} where received pictures are not kept",
    )
    yield "processor time to send a request", f"{one['sending_ms']:.2f} ms"
    yield "memory of a server worker", f"{max(one['memory_mb']):.0f} MB"


def _together(one: Result) -> Iterator[Row]:
    single, many = one["pictures_per_s"]["1"], one["pictures_per_s"][str(one["pictures"])]
    rates = f"{many:.0f}, {one['gain']:.1f} × the {single:.0f} with one picture in a request"
    yield f"pictures/s with {one['pictures']} in a request, one connection", rates


def _batch_test(one: Result) -> Iterator[Row]:
    yield f"`test_batch.py --no-pictures`, {one['pictures']} pictures, start included", f"{one['seconds']:.2f} s"


def _steady(one: Result) -> Iterator[Row]:
    times = f"median {one['median_ms']:.0f} ms, 99%: {one['p99_ms']:.0f} ms"
    yield (
        f"{one['clients']} clients for {one['seconds']} s",
        f"{one['requests']:,} requests, {one['failed']} failed, {times}",
    )


def _killed(one: Result) -> Iterator[Row]:
    lost = f"{one['failed']} of {one['requests']:,} requests lost: those under way on the connections of the worker"
    back = f"Another process started after {one['process_back_s']:.1f} s at most"
    yield f"{one['kills']} workers killed with SIGKILL under {one['clients']} clients", f"{lost}. {back}"


def _stopped(one: Result) -> Iterator[Row]:
    what = f"{one['under_way']} requests half sent when the server was told to stop (SIGTERM)"
    yield what, f"{one['answered']} answered, then the server ended with status {one['status']}"


def _growth(one: Result) -> Iterator[Row]:
    yield f"growth of the memory of a worker over {one['requests']:,} requests", f"{one['growth_mb']:.1f} MB"


def _fuzzed(one: Result) -> Iterator[Row]:
    answers = ", ".join(f"{count:,} × {status}" for status, count in one["statuses"].items())
    growth = f"{one['growth_mb']:.1f} MB and {one['more_open_files']} open files more"
    yield f"{one['pictures']:,} damaged pictures sent to `POST /b`", f"Statuses: {answers}. {growth}"


ROWS: dict[str, Callable[[Result], Iterator[Row]]] = {
    "alone": _alone,
    "over-http": _over_http,
    "together": _together,
    "batch-test": _batch_test,
    "steady": _steady,
    "killed": _killed,
    "stopped": _stopped,
    "growth": _growth,
    "fuzzed": _fuzzed,
}
