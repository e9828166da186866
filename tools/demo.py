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
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # found however the script is started

from cnnlib.cli import DONE, plain_parser, script
from cnnlib.core.errors import ServiceError

CAPTCHAS = ["--config", "conf/demo_captcha_config.json"]
SAMPLES = ["--config", "conf/demo_sample_config.json"]
GOAL, FAILED = 0.9, 1  # picture accuracy below which the demonstration has failed, and its exit status then
START_S = 60  # longest wait for the server
SERVE = ["webserver_recognize_api.py", *SAMPLES]
ACTIVATE = r".venv\Scripts\activate" if sys.platform == "win32" else ". .venv/bin/activate"
NEXT = f"""
The model is in demo/model/. What to do next:

$ {ACTIVATE}
$ python {" ".join(SERVE)}
      serves this model; its page for your browser is named when it starts
$ python recognize_local.py {" ".join(SAMPLES)} --image demo/sample/test/ --offline
      reads all test pictures without a server
$ python verify_and_split_data.py --write-config conf/my_config.json
      begins with pictures of your own, in sample/origin/; README.md has the four commands after it"""


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
    print(NEXT)
    return DONE if accuracy >= GOAL else FAILED


def run(command: list[str], *hidden: str) -> None:
    """Print and run one command of the suite; a failure ends the demonstration with its exit status.

    The `hidden` arguments are not printed.
    """
    print(f"\n$ python {' '.join(command)}", flush=True)
    status = subprocess.run([sys.executable, *command, *hidden], cwd=ROOT, check=False).returncode
    if status != DONE:
        raise SystemExit(status)


def recognise_one() -> None:
    """Start the API on a free port, read the first test picture through it, stop it.

    No address is printed: nobody answers there once this has ended. What the server said is printed if it fails.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    print(f"\n$ python {' '.join(SERVE)} &", flush=True)
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, *SERVE, "--port", str(port), "--page-port", str(port)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        try:
            wait_for(port, server, said)
            run(["recognize_local.py", *SAMPLES], "--url", f"http://127.0.0.1:{port}/b")
        finally:
            server.terminate()
            server.wait()


def wait_for(port: int, server: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    """Return once the server listens. Raises ServiceError, with what it said, when it ends or takes too long."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    said.seek(0)
    raise ServiceError(f"the server did not start: {said.read().decode(errors='replace').strip()}")


if __name__ == "__main__":
    sys.exit(main())
