"""Errors that a user can fix. A script prints their message and returns 2.

CaptchaError
├── ConfigError     a config file, or two that disagree
├── SampleError     a picture, its name or its folder
│   ├── SizeError      a picture of another size
│   ├── UnusualError   a label that has what no label had before, in `labelling.known_texts`
│   └── TakenError     a picture of which something was said already, in `labelling.session`
├── ModelError      a trained model or its card
│   └── NothingFitsError   a model of which no layer fits, in `training.warm_start`
├── WorkerError     another worker of a training, which ended with an error
│   └── WorkerLostError    one that does not come or has died; the status is 75
└── ServiceError    a server that does not answer, or answers with an error
    └── UnreachableError   no server is there
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlib.core.printable import printable


class CaptchaError(Exception):
    """Base class. The message says where, what was expected, what was found and how to fix it.

    What others wrote is in it too, so control characters other than line ends are escaped.
    """

    status = 2  # with which a script exits

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message), keep="\n"))


class ConfigError(CaptchaError):
    """A config file is missing, is not JSON or has invalid values. The message has a line for each fault."""


class SampleError(CaptchaError):
    """A picture or a folder of pictures can't be used."""


class SizeError(SampleError):
    """A picture has another size than expected."""


@contextmanager
def prefix_errors(place: str) -> Iterator[None]:
    """Put `place`, a file or the address of a picture, in front of the message of a SampleError."""
    try:
        yield
    except SampleError as error:
        raise type(error)(f"{place}: {error}") from error  # the same kind, such as SizeError


@contextmanager
def naming_file(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name the file in an OSError that names none, such as that of a full disk, or that names its temporary file."""
    try:
        yield
    except OSError as error:
        if error.filename is None or str(error.filename) == str(temporary):
            error.filename = str(path)
            del error.filename2  # the target of a rename; None would be shown as a name
        raise


class ModelError(CaptchaError):
    """A model is missing, is broken or does not fit the config."""


class WorkerError(CaptchaError):
    """Another worker of this training has ended with an error."""


class WorkerLostError(WorkerError):
    """Another worker does not come, or has died. When all are started again, the training goes on."""

    status = 75  # EX_TEMPFAIL of sysexits.h


class ServiceError(CaptchaError):
    """A request to a server failed."""


class UnreachableError(ServiceError):
    """No server is there, so another request would fail as well."""


def missing_package(error: ModuleNotFoundError) -> str:
    """What to print when a package is missing that only some scripts need. Raises `error` if it is another module."""
    if not error.name or error.name.startswith("cnnlib"):
        raise error
    return f"{error.name}: the package is not installed; it comes with: pip install '.[train]', in the project's folder"
