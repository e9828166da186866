"""Stress the recognition API: a line for each request, a table test.csv, a box plot test.png, averages at the end.

examples:
  python recognize_time_test.py --count 1000
  python recognize_time_test.py --count 1000 --concurrency 8 --image sample/test/
  python recognize_time_test.py --url http://127.0.0.1:6000/b --output /tmp/stress
"""

import csv
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from cnnlib.client import API_URL
from cnnlib.config import PROJECT_ROOT, display_path, load_sample_config
from cnnlib.pictures import read_picture
from cnnlib.report import draw_boxes
from cnnlib.samples import first_test_picture, pictures_at
from cnnlib.script import DONE, REQUESTS_FAILED, argument_parser, script, whole_number
from cnnlib.stress import Measurement, measure, summary

HEADER = ("index", "value", "time", "total_ms", "recognition_ms", "request_ms")


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--url", default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--count", type=whole_number, default=20000, help="requests (default: %(default)s)")
    parser.add_argument("--concurrency", type=whole_number, default=1, help="requests at a time (default: %(default)s)")
    parser.add_argument("--image", type=Path, help="picture or folder (default: the first picture of test_image_dir)")
    parser.add_argument("--output", type=Path, default=PROJECT_ROOT, help="folder of test.csv (default: the project's)")
    arguments = parser.parse_args(argv)
    config = load_sample_config(arguments.config)
    pictures = [read_picture(path) for path in pictures_at(arguments.image or first_test_picture(config))]
    table = arguments.output / "test.csv"
    arguments.output.mkdir(parents=True, exist_ok=True)
    keep_older(table)
    start = time.perf_counter()
    requests = measure(arguments.url, pictures, arguments.count, arguments.concurrency)
    done = record(requests, arguments.count, table)
    return conclude(done, time.perf_counter() - start, table)


def keep_older(table: Path) -> None:
    """Rename an older table after the time it was last written."""
    if table.exists():
        stamp = datetime.fromtimestamp(table.stat().st_mtime).strftime("%Y%m%d-%H%M%S-%f")
        table.rename(table.with_name(f"{table.stem}-{stamp}{table.suffix}"))


def record(requests: Iterable[Measurement], count: int, table: Path) -> list[Measurement]:
    """Print a line for each measurement as it comes and write the answered ones into the table."""
    done = []
    with (
        table.open("w", newline="", encoding="utf-8") as file,
        tqdm(total=count, unit=" requests", disable=None) as bar,
    ):
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for one in requests:
            done.append(one)
            bar.update()
            time_of_day, answer = one.sent_at.strftime("%H:%M:%S"), one.answer
            if answer is None:
                tqdm.write(f"{one.index}, failed, {time_of_day}, {one.fault}")
                if one.unreached and not any(before.answer for before in done):
                    break  # nobody is there: the rest would fail as well
                continue
            total, recognition, request = answer.total_ms, answer.recognition_ms, answer.request_ms
            times = f"total time: {total:.0f}ms, identification: {recognition:.0f}ms, request: {request:.0f}ms"
            tqdm.write(f"{one.index}, {answer.value}, {time_of_day}, {times}")
            row = (one.index, answer.value, time_of_day, *(f"{value:.3f}" for value in (total, recognition, request)))
            writer.writerow(row)
    return done


def conclude(done: Sequence[Measurement], seconds: float, table: Path) -> int:
    """Print averages and percentiles, draw the box plot, list the failures; returns the exit status."""
    answers = [one.answer for one in done if one.answer]
    failed = [one for one in done if not one.answer]
    if answers:
        rows = {
            "total": [answer.total_ms for answer in answers],
            "recognition": [answer.recognition_ms for answer in answers],
            "request": [answer.request_ms for answer in answers],
        }
        for name, values_ms in rows.items():
            print(summary(name, values_ms))
        title = f"{len(answers)} requests to the recognition API"
        draw_boxes(table.with_suffix(".png"), title, rows)
        print(
            f"{len(done) / seconds:.0f} requests/s; the table is {display_path(table)}, the box plot test.png beside it"
        )
    if failed:
        print(f"{len(failed)} of {len(done)} requests failed, the first ones: {[one.index for one in failed][:20]}")
    return REQUESTS_FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main())
