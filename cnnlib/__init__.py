"""What the scripts of the suite share, in packages named by their concern; docs/architecture.md is the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.core.early_interrupt import end_at_once_while_importing, runs_our_script
from cnnlib.core.environment import set_defaults, settle
from cnnlib.core.stderr import open_missing_streams
from cnnlib.core.version import __version__

if TYPE_CHECKING:
    from cnnlib.inference.recognizer import Recognizer

__all__ = ["Recognizer", "__version__"]

end_at_once_while_importing()
set_defaults()
if runs_our_script():
    open_missing_streams()
    settle()


def __getattr__(name: str) -> Any:
    """`Recognizer`, imported when it is first asked for: it needs LiteRT, which most modules do not."""
    if name != "Recognizer":
        raise AttributeError(f"module 'cnnlib' has no attribute {name!r}")
    from cnnlib.inference.recognizer import Recognizer

    return Recognizer
