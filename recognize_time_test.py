"""Stress the recognition API: one line for each request, the table test.csv, the plot test.png, figures at the end.

examples:
  python recognize_time_test.py --count 1000
  python recognize_time_test.py sample/test/ --duration 60 --concurrency 8
  python recognize_time_test.py --concurrency 8 --output bench/stress
"""

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import (
    DONE,
    REQUESTS_FAILED,
    SIGNAL_BASE,
    add_list_argument,
    argument_parser,
    script,
    web_address,
    whole_number,
)
from cnnlib.client.api_client import API_URL, Answer
from cnnlib.client.load_test import Load, Measurement, summary
from cnnlib.codec.images import read_picture
from cnnlib.config import load_sample_config
from cnnlib.core.errors import prefix_errors
from cnnlib.core.files import optional_output
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.core.progress import progress_bar
from cnnlib.core.signals import StopSignal, catch_stop_signals
from cnnlib.core.tables import number, open_table
from cnnlib.data.folders import OR_NAMED, first_test_picture, pictures_at

COUNT = 20_000
SILENCE_S = 10  # without an answer, after which a run ends
HEADER = ("index", "value", "time", "total_ms", "recognition_ms", "request_ms")


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__, place=False)
    text = "picture or folder (default: the first picture of test_image_dir)"
    add_list_argument(parser, "image", "PICTURE", text, Path)
    parser.add_argument("--url", type=web_address, default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--count", type=whole_number, help=f"requests (default: {COUNT}, or no limit with --duration)")
    parser.add_argument("--duration", type=whole_number, metavar="SECONDS", help="end after this time")
    parser.add_argument("--concurrency", type=whole_number, default=1, help="connections (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=PROJECT_ROOT, help="folder of test.csv (default: the project's)")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_sample_config(arguments.config)
    images = arguments.image or [first_test_picture(config.test_image_dir, config.image_suffix, OR_NAMED)]
    pictures = [read_named(path) for image in images for path in pictures_at(image)]
    duration = arguments.duration or float("inf")
    count = arguments.count or (sys.maxsize if arguments.duration else COUNT)
    load = Load(arguments.url, pictures, count, arguments.concurrency, duration)
    table = arguments.output / "test.csv"
    arguments.output.mkdir(parents=True, exist_ok=True)
    for path in (table, table.with_suffix(".png")):
        keep_older(path)
    with catch_stop_signals() as stop:
        measurements = record(load, table, stop)
    status = conclude(measurements, load, table)
    return SIGNAL_BASE + stop.signal if stop.signal else status


def read_named(path: Path) -> bytes:
    """The bytes of a picture file. Raises SampleError naming it."""
    with prefix_errors(display_path(path)):
        return read_picture(path)


def keep_older(path: Path) -> None:
    """Rename an older file after the time it was last written."""
    if path.exists():
        stamp = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y%m%d-%H%M%S-%f")
        path.rename(path.with_name(f"{path.stem}-{stamp}{path.suffix}"))


def record(load: Load, table: Path, stop: StopSignal) -> list[Measurement]:
    """Print each measurement as it comes and write the answered ones into the table, until stopped by a signal."""
    done: list[Measurement] = []
    total = load.count if load.count < sys.maxsize else None
    with (
        open_table(table, HEADER) as write,
        progress_bar(total=total, unit=" requests") as bar,
        closing(load.measurements()) as batches,
    ):
        for batch in batches:
            done += batch
            with bar.external_write_mode():
                print("\n".join(map(line, batch)), flush=True)
            bar.update(len(batch))
            write(*(row(each) for each in batch if each.answer))
            if stop.signal or is_unanswered(done):
                break
    return done


def is_unanswered(done: Sequence[Measurement]) -> bool:
    """Whether the server was never there, or has been gone for a while: further requests would fail as well."""
    last = next((each for each in reversed(done) if not each.unreached), None)
    if last is None:
        return True
    answered_at = last.sent_at + (last.answer.total_ms / 1000 if last.answer else 0)
    return done[-1].sent_at > answered_at + SILENCE_S


def line(measurement: Measurement) -> str:
    """A request as the console shows it."""
    answer = measurement.answer
    if answer is None:
        return f"{measurement.index}, failed, {time_of_day(measurement)}, {measurement.fault}"
    total, recognition, request = answer.total_ms, answer.recognition_ms, answer.request_ms
    times = f"total time: {total:.0f}ms, identification: {recognition:.0f}ms, request: {request:.0f}ms"
    return f"{measurement.index}, {answer.value}, {time_of_day(measurement)}, {times}"


def row(measurement: Measurement) -> tuple[object, ...]:
    """An answered request as the table has it."""
    answer = measurement.answer
    assert answer
    times_ms = (answer.total_ms, answer.recognition_ms, answer.request_ms)
    return (measurement.index, answer.value, time_of_day(measurement), *(number(value, 3) for value in times_ms))


def time_of_day(measurement: Measurement) -> str:
    return datetime.fromtimestamp(measurement.sent_at).strftime("%H:%M:%S")


def conclude(done: Sequence[Measurement], load: Load, table: Path) -> int:
    """Print and draw the times, and count the failures by their cause; returns the exit status."""
    answers = [(each.sent_at, each.answer) for each in done if each.answer]
    if answers:
        show_times(answers, load, table)
    failed = [each for each in done if not each.answer]
    if failed:
        first = [each.index for each in failed][:20]
        print(f"{len(failed)} of {len(done)} requests failed, the first ones: {first}")
        for fault, count in Counter(each.fault for each in failed).most_common(10):
            print(f"{count} times: {fault}")
    return REQUESTS_FAILED if failed else DONE


def show_times(answers: Sequence[tuple[float, Answer]], load: Load, table: Path) -> None:
    """Print averages and percentiles of answers, with the times they were sent at, and draw them beside the table."""
    times_ms = {
        "total": [answer.total_ms for _, answer in answers],
        "recognition": [answer.recognition_ms for _, answer in answers],
        "request": [answer.request_ms for _, answer in answers],
    }
    for name, values_ms in times_ms.items():
        print(summary(name, values_ms))
    first = min(sent_at for sent_at, _ in answers)
    seconds = max(sent_at + answer.total_ms / 1000 for sent_at, answer in answers) - first
    title = f"{len(answers)} requests to the recognition API over {load.concurrency} connections"
    print(f"{len(answers) / seconds:.0f} requests/s; the table is {display_path(table)}, test.png beside it")
    if load.own_cost_ms:
        print(f"Sending took {load.own_cost_ms:.2f}ms of processor time a request, in processes of its own")
    with optional_output(table.with_suffix(".png")):
        from cnnlib.evaluation.plots import draw_times  # matplotlib takes a second to import

        draw_times(table.with_suffix(".png"), title, times_ms, [sent_at - first for sent_at, _ in answers])


if __name__ == "__main__":
    sys.exit(main())
