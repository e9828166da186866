"""Progress bars on standard error, and lines above them. Either stream may be missing, as under pythonw."""

import sys
from typing import Any

from cnnlib.core.environment import settled

with settled():
    from tqdm import tqdm


def progress_bar(iterable: Any = None, **options: Any) -> Any:
    """tqdm's bar, on a terminal only."""
    missing = sys.stderr is None
    return tqdm(iterable, disable=True if missing else None, file=sys.stderr, **options)


def print_above(text: str) -> None:
    """Print a line on standard output, above a bar. Raises OSError when it can't be written."""
    if sys.stdout is not None:
        tqdm.write(text, file=sys.stdout)
