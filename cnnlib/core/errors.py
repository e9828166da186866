"""The faults that a person can mend. A script prints their message and returns 2.

CaptchaError
├── ConfigError     a config file, or two that disagree
├── SampleError     a picture, its name or its folder
│   └── SizeError   a picture of another size
├── ModelError      a trained model or its card
└── ServiceError    a server that does not answer, or answers with an error
    └── UnreachableError   no server is there
"""

from collections.abc import Iterator
from contextlib import contextmanager


class CaptchaError(Exception):
    """Base of all: its text says where, what was expected, what was found and the way out."""


class ConfigError(CaptchaError):
    """A config file is missing, is not JSON or has faulty values; one line of the text a fault."""


class SampleError(CaptchaError):
    """A picture or a folder of pictures can't be used."""


class SizeError(SampleError):
    """A picture has another size than was expected."""


@contextmanager
def prefix_errors(place: str) -> Iterator[None]:
    """Let a SampleError of the block say what it is about: a file, or the address of a picture."""
    try:
        yield
    except SampleError as error:
        raise SampleError(f"{place}: {error}") from error


class ModelError(CaptchaError):
    """A model is missing, broken, or does not fit the config."""


class ServiceError(CaptchaError):
    """A request to a server failed."""


class UnreachableError(ServiceError):
    """No server is there: another request would fail as well."""
