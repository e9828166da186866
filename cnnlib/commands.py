"""The command `cnnlib`: the scripts of the suite under one name, each with its own `main`.

The scripts are loaded by their path, so that no other `train_model.py`, in the folder that you stand in, is taken.
"""

import importlib.util
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from cnnlib.core.environment import settle
from cnnlib.core.errors import missing_package
from cnnlib.core.paths import SHIPPED
from cnnlib.core.printable import printable
from cnnlib.core.stderr import open_missing_streams
from cnnlib.core.version import __version__

SCRIPTS = {
    "generate": "gen_image/gen_sample_by_captcha.py",
    "label": "label_pictures.py",
    "verify": "verify_and_split_data.py",
    "train": "train_model.py",
    "test": "test_batch.py",
    "serve": "webserver_recognize_api.py",
    "read": "recognize_local.py",
    "stress": "recognize_time_test.py",
}
UNUSABLE, INTERRUPTED = 2, 128 + signal.SIGINT  # exit statuses


def main(argv: Sequence[str] | None = None) -> int:
    """Run one script of the suite with the arguments behind its name; returns its exit status."""
    open_missing_streams()
    settle()
    name, *arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    if name == "--version":
        print(f"cnnlib {__version__}")
        return 0
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name not in SCRIPTS:
        print(f"cnnlib: expected one of {', '.join(SCRIPTS)}; got {printable(name)}\n\n{usage()}", file=sys.stderr)
        return UNUSABLE
    sys.argv[0] = f"cnnlib {name}"  # as the script's help and errors show it
    try:
        status: int = load_script(name).main(arguments)
    except ModuleNotFoundError as error:
        print(missing_package(error), file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:  # while the script's modules are imported
        return INTERRUPTED
    return status


def usage() -> str:
    """What `cnnlib --help` shows."""
    lines = [f"  {name:9} {script}" for name, script in SCRIPTS.items()]
    explained = "Each command is a script of the suite; cnnlib COMMAND --help explains it."
    return "\n".join(["usage: cnnlib COMMAND [ARGUMENT ...]", "", explained, "", *lines, "", "  --version"])


def load_script(name: str) -> ModuleType:
    """The module of the script behind a command."""
    path = SHIPPED / SCRIPTS[name]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
