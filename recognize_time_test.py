"""Stress the recognition API: a line for each request, a table test.csv, a picture test.png, figures at the end.

examples:
  python recognize_time_test.py --count 1000
  python recognize_time_test.py --duration 60 --concurrency 8 --image sample/test/
  python recognize_time_test.py --url http://127.0.0.1:6000/b --output bench/stress
"""

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from cnnlib.cli import DONE, REQUESTS_FAILED, SIGNAL_BASE, argument_parser, script, web_address, whole_number
from cnnlib.client.api_client import API_URL
from cnnlib.client.load_test import Load, summary
from cnnlib.client.probe import Measurement
from cnnlib.codec.images import read_picture
from cnnlib.config import load_sample_config
from cnnlib.core.errors import about
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.core.signals import Interruption, interruption
from cnnlib.data.folders import first_test_picture, pictures_at
from cnnlib.evaluation.plots import draw_times

COUNT = 20_000
SILENCE_S = 10  # without any answer, after which a run ends
HEADER = ("index", "value", "time", "total_ms", "recognition_ms", "request_ms")


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--url", type=web_address, default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--count", type=whole_number, help=f"requests (default: {COUNT}, or as many as --duration has)")
    parser.add_argument("--duration", type=whole_number, metavar="SECONDS", help="end after so many seconds")
    parser.add_argument("--concurrency", type=whole_number, default=1, help="connections (default: %(default)s)")
    parser.add_argument("--image", type=Path, help="picture or folder (default: the first picture of test_image_dir)")
    parser.add_argument("--output", type=Path, default=PROJECT_ROOT, help="folder of test.csv (default: the project's)")
    arguments = parser.parse_args(argv)
    config = load_sample_config(arguments.config)
    pictures = [read_named(path) for path in pictures_at(arguments.image or first_test_picture(config))]
    duration = arguments.duration or float("inf")
    count = arguments.count or (sys.maxsize if arguments.duration else COUNT)
    load = Load(arguments.url, pictures, count, arguments.concurrency, duration)
    table = arguments.output / "test.csv"
    arguments.output.mkdir(parents=True, exist_ok=True)
    for path in (table, table.with_suffix(".png")):
        keep_older(path)
    with interruption() as interrupted:
        done = record(load, table, interrupted)
    status = conclude(done, load, table)
    return SIGNAL_BASE + interrupted.signal if interrupted.signal else status


def read_named(path: Path) -> bytes:
    """The bytes of a picture file. Raises SampleError naming it."""
    with about(display_path(path)):
        return read_picture(path)


def keep_older(path: Path) -> None:
    """Rename an older file after the time it was last written."""
    if path.exists():
        stamp = datetime.fromtimestamp(path.stat().st_mtime).strftime("%Y%m%d-%H%M%S-%f")
        path.rename(path.with_name(f"{path.stem}-{stamp}{path.suffix}"))


def record(load: Load, table: Path, interrupted: Interruption) -> list[Measurement]:
    """Print a line for each measurement as it comes and write the answered ones into the table, until interrupted."""
    done: list[Measurement] = []
    total = load.count if load.count < sys.maxsize else None
    with (
        table.open("w", newline="", encoding="utf-8") as file,
        tqdm(total=total, unit=" requests", disable=None) as bar,
        closing(load.measurements()) as measurements,
    ):
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for some in measurements:
            done += some
            with bar.external_write_mode():
                print("\n".join(map(line, some)), flush=True)
            bar.update(len(some))
            writer.writerows(row(one) for one in some if one.answer)
            if interrupted.signal or nobody_answers(done):
                break
    return done


def nobody_answers(done: Sequence[Measurement]) -> bool:
    """Whether the server was never there, or has gone for a while: the other requests would fail as well."""
    last = next((one for one in reversed(done) if not one.unreached), None)
    if last is None:
        return True
    answered_at = last.sent_at + (last.answer.total_ms / 1000 if last.answer else 0)
    return done[-1].sent_at > answered_at + SILENCE_S


def line(one: Measurement) -> str:
    """A request as the console shows it."""
    answer = one.answer
    if answer is None:
        return f"{one.index}, failed, {time_of_day(one)}, {one.fault}"
    total, recognition, request = answer.total_ms, answer.recognition_ms, answer.request_ms
    times = f"total time: {total:.0f}ms, identification: {recognition:.0f}ms, request: {request:.0f}ms"
    return f"{one.index}, {answer.value}, {time_of_day(one)}, {times}"


def row(one: Measurement) -> tuple[object, ...]:
    """An answered request as the table has it."""
    assert one.answer
    times_ms = (one.answer.total_ms, one.answer.recognition_ms, one.answer.request_ms)
    return (one.index, one.answer.value, time_of_day(one), *(f"{value:.3f}" for value in times_ms))


def time_of_day(one: Measurement) -> str:
    return datetime.fromtimestamp(one.sent_at).strftime("%H:%M:%S")


def conclude(done: Sequence[Measurement], load: Load, table: Path) -> int:
    """Print averages and percentiles, draw them, count the failures by kind; returns the exit status."""
    answers = [(one.sent_at, one.answer) for one in done if one.answer]
    if answers:
        rows = {
            "total": [answer.total_ms for _, answer in answers],
            "recognition": [answer.recognition_ms for _, answer in answers],
            "request": [answer.request_ms for _, answer in answers],
        }
        for name, values_ms in rows.items():
            print(summary(name, values_ms))
        first = min(sent_at for sent_at, _ in answers)
        seconds = max(sent_at + answer.total_ms / 1000 for sent_at, answer in answers) - first
        title = f"{len(answers)} requests to the recognition API over {load.concurrency} connections"
        draw_times(table.with_suffix(".png"), title, rows, [sent_at - first for sent_at, _ in answers])
        print(f"{len(answers) / seconds:.0f} requests/s; the table is {display_path(table)}, test.png beside it")
        if load.own_cost_ms:
            print(f"Sending took {load.own_cost_ms:.2f}ms of processor time a request, in processes of its own")
    failed = [one for one in done if not one.answer]
    if failed:
        print(f"{len(failed)} of {len(done)} requests failed, the first ones: {[one.index for one in failed][:20]}")
        for fault, count in Counter(one.fault for one in failed).most_common(10):
            print(f"{count} times: {fault}")
    return REQUESTS_FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main())
