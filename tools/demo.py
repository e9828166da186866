"""Run the whole suite on a real case, in demo/, in a few minutes on two cores.

It draws 10,000 captchas, verifies and splits them, trains, measures the accuracy on 500 pictures that were never
trained on, serves the model and reads one picture through the API. `make demo` runs it.

examples:
  python tools/demo.py
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # found however the script is started

from cnnlib.cli import DONE, plain_parser, script
from cnnlib.core.errors import ServiceError

CAPTCHAS = ["--config", "conf/demo_captcha_config.json"]
SAMPLES = ["--config", "conf/demo_sample_config.json"]
GOAL, FAILED = 0.9, 1  # picture accuracy below which the demonstration has failed, and its exit status then
START_S = 60  # longest wait for the server


def parser() -> ArgumentParser:
    return plain_parser(__doc__)


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser().parse_args(argv)
    start = time.perf_counter()
    if (ROOT / "demo").exists():
        shutil.rmtree(ROOT / "demo")  # or the training would go on with the last demonstration's model
    for command in (
        ["gen_image/gen_sample_by_captcha.py", *CAPTCHAS],
        ["verify_and_split_data.py", *SAMPLES],
        ["train_model.py", *SAMPLES],
        ["test_batch.py", *SAMPLES],
    ):
        run(command)
    recognise_one()
    figures = json.loads((ROOT / "demo/model/report/test.json").read_text(encoding="utf-8"))
    print(f"\nThe demonstration took {time.perf_counter() - start:.0f} seconds")
    accuracy, samples = figures["picture_accuracy"], figures["samples"]
    print(f"Picture accuracy: {accuracy:.1%} of {samples} pictures that were never trained on")
    return DONE if accuracy >= GOAL else FAILED


def run(command: list[str]) -> None:
    """Print and run one command of the suite; a failure ends the demonstration with its exit status."""
    print(f"\n$ python {' '.join(command)}", flush=True)
    status = subprocess.run([sys.executable, *command], cwd=ROOT, check=False).returncode
    if status != DONE:
        raise SystemExit(status)


def recognise_one() -> None:
    """Start the API on a free port, read the first test picture through it, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = ["webserver_recognize_api.py", *SAMPLES, "--port", str(port)]
    print(f"\n$ python {' '.join(serve)} &", flush=True)
    server = subprocess.Popen([sys.executable, *serve], cwd=ROOT)
    try:
        wait_for(port, server)
        run(["recognize_local.py", *SAMPLES, "--url", f"http://127.0.0.1:{port}/b"])
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Return once the server listens. Raises ServiceError when it ends or takes too long."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise ServiceError(f"http://127.0.0.1:{port}/b: the server did not start")


if __name__ == "__main__":
    sys.exit(main())
