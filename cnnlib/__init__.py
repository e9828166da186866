"""What the scripts of the suite share, in packages named by their concern; docs/architecture.md is the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.core.early_interrupt import end_at_once_while_importing, runs_our_script
from cnnlib.core.environment import set_defaults, settle
from cnnlib.core.stderr import open_missing_streams
from cnnlib.core.version import __version__

if TYPE_CHECKING:
    from cnnlib.inference.hints import Hints
    from cnnlib.inference.recognizer import Recognizer

__all__ = ["Hints", "Recognizer", "__version__"]

end_at_once_while_importing()
set_defaults()
if runs_our_script():
    open_missing_streams()
    settle()


def __getattr__(name: str) -> Any:
    """`Recognizer` and `Hints`, imported when they are first asked for: LiteRT is what most modules do not need."""
    if name not in ("Hints", "Recognizer"):
        raise AttributeError(f"module 'cnnlib' has no attribute {name!r}")
    from cnnlib.inference import hints, recognizer

    return recognizer.Recognizer if name == "Recognizer" else hints.Hints
