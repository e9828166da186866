"""Where older programs import `Recognizer` from."""

from cnnlib.codec.alphabet import Reading as Recognition
from cnnlib.inference.recognizer import Recognizer

__all__ = ["Recognition", "Recognizer"]
