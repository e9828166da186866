"""Where programs written for version 0.1 import `Recognizer` from; today: `from cnnlib import Recognizer`."""

from cnnlib.inference.recognizer import Recognizer

__all__ = ["Recognizer"]
