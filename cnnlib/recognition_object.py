"""Where programs of the original suite import `Recognizer` from; today: `from cnnlib import Recognizer`."""

from cnnlib.codec.alphabet import Prediction as Recognition
from cnnlib.inference.recognizer import Recognizer

__all__ = ["Recognition", "Recognizer"]
