"""What the scripts of the suite share, in packages named by their concern; docs/architecture.md is the map."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cnnlib.core.early_interrupt import end_at_once_while_importing
from cnnlib.core.version import __version__

if TYPE_CHECKING:
    from cnnlib.inference.recognizer import Recognizer

__all__ = ["Recognizer", "__version__"]

end_at_once_while_importing()

# TensorFlow reads both when it is imported. It turns oneDNN on by itself only for processors with AVX-512; on others a
# training step without it takes half as long again.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and errors, where the library heeds it


def __getattr__(name: str) -> Any:
    """`Recognizer`, imported when it is first asked for: it needs LiteRT, which most modules do not."""
    if name != "Recognizer":
        raise AttributeError(f"module 'cnnlib' has no attribute {name!r}")
    from cnnlib.inference.recognizer import Recognizer

    return Recognizer
