"""What steers imported libraries from outside and is not ours to obey: environment variables and their config files.

A notebook's child inherits a backend of matplotlib that only the notebook has. Keras computes with what a variable or
`~/.keras/keras.json` names, in the order of axes that it names. Our processes start from the same settings everywhere.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NOWHERE = os.path.join(os.devnull, "keras")  # noqa: PTH118 (a folder that can't exist, so that no keras.json is read)
SETTINGS: dict[str, str | None] = {  # None: unset
    "MPLBACKEND": None,
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": NOWHERE,
    "KERAS_NNX_ENABLED": None,
    "KERAS_MAX_EPOCHS": None,
    "KERAS_MAX_STEPS_PER_EPOCH": None,
    "TF_USE_LEGACY_KERAS": None,
    "FLASK_DEBUG": None,  # it answers errors with tracebacks
}
PREFIXES = ("TQDM_",)  # of variables that are unset; one that is no number ends tqdm's import
DEFAULTS = {  # the user may set them otherwise
    # TensorFlow turns oneDNN on by itself only for processors with AVX-512. On others a step takes half as long again.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",  # warnings and errors, where the library heeds it
}


def set_defaults() -> None:
    """Set what libraries read at import and the user may set otherwise."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def settle() -> None:
    """Give this process, and those that it starts, our settings. For processes that run the suite and nothing else."""
    names = [name for name in os.environ if name.startswith(PREFIXES)]
    for name, value in {**SETTINGS, **dict.fromkeys(names)}.items():
        _set(name, value)


@contextmanager
def settled() -> Iterator[None]:
    """Our settings in the block: for the import of a library in a process that may run the user's own code too."""
    before = {name: value for name, value in os.environ.items() if name in SETTINGS or name.startswith(PREFIXES)}
    settle()
    try:
        yield
    finally:
        for name in (*SETTINGS, *before):
            _set(name, before.get(name))


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def import_matplotlib() -> None:
    """Import matplotlib whatever MPLBACKEND says. A backend that is there still serves the user's own plots."""
    if "matplotlib" in sys.modules:
        return
    with settled():
        matplotlib = importlib.import_module("matplotlib")
    with suppress(ValueError):  # a backend that is not there
        if os.environ.get("MPLBACKEND"):
            matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]
