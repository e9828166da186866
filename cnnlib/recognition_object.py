"""Where older programs import `Recognizer` from."""

from cnnlib.recognizer import Recognition, Recognizer

__all__ = ["Recognition", "Recognizer"]
