"""Where older programs import `Recognizer` from."""

from cnnlib.alphabet import Reading as Recognition
from cnnlib.recognizer import Recognizer

__all__ = ["Recognition", "Recognizer"]
