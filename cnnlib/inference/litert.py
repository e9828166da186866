"""An exported model on LiteRT, TensorFlow's runtime for inference. TensorFlow itself is not needed."""

import os
import threading
import weakref
from contextlib import nullcontext
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from cnnlib.core.errors import ModelError
from cnnlib.core.stderr import muted_stderr

_loaded: weakref.WeakSet["LiteRT"] = weakref.WeakSet()


def _new_slots() -> threading.BoundedSemaphore:
    """One for each core."""
    return threading.BoundedSemaphore(os.cpu_count() or 1)


class LiteRT:
    """A model from the bytes of a .tflite file. Threads may share it.

    Raises ModelError when LiteRT can't load it, or when it is no model of one picture.
    """

    _delegate_printed = False  # LiteRT prints its delegate to standard error, once in a process

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._idle = [self._new_interpreter()]
        inputs, outputs = self._idle[0].get_input_details(), self._idle[0].get_output_details()
        found = [
            (detail["dtype"], len(detail["shape"]), int(detail["shape"][0]))
            for detail in (*inputs, *outputs)
            if len(detail["shape"])
        ]
        if len(inputs) != 1 or found != [(np.uint8, 4, 1), (np.float32, 3, 1)]:
            raise ModelError(
                "expected a model of one picture, uint8 (1, height, width, channels), to one answer, float32 "
                f"(1, rows, classes); got {_describe(inputs)} to {_describe(outputs)}"
            )
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self.input_shape: tuple[int, ...] = tuple(map(int, inputs[0]["shape"][1:]))  # (height, width, channels)
        self.rows, self.classes = map(int, outputs[0]["shape"][1:])
        self._slots = _new_slots()
        _loaded.add(self)

    def probabilities(self, picture: np.ndarray) -> np.ndarray:
        """float32 (rows, classes), each row adding up to 1, of uint8 (height, width, channels)."""
        with self._slots:  # so that there are no more interpreters than cores
            try:
                interpreter = self._idle.pop()
            except IndexError:
                interpreter = self._new_interpreter()
            try:
                interpreter.set_tensor(self._input, picture[np.newaxis])
                interpreter.invoke()
                probabilities: np.ndarray = interpreter.get_tensor(self._output)[0]
            finally:
                self._idle.append(interpreter)
        return probabilities

    def forget_threads(self) -> None:
        """Give back what the parent's threads held when this process was forked. They do not run here."""
        self._slots, self._idle = _new_slots(), []

    def _new_interpreter(self) -> Interpreter:
        try:
            with nullcontext() if LiteRT._delegate_printed else muted_stderr():
                interpreter = Interpreter(model_content=self._content, num_threads=1)
                interpreter.allocate_tensors()
            LiteRT._delegate_printed = True
            interpreter.invoke()  # the first run is slow because it packs the weights
        except (ValueError, RuntimeError, TypeError, OverflowError, MemoryError) as error:
            raise ModelError(f"LiteRT can't load the model: {' '.join(str(error).split())}") from error
        return interpreter


def _describe(details: list[dict[str, Any]]) -> str:
    return ", ".join(f"{detail['dtype'].__name__} {tuple(map(int, detail['shape']))}" for detail in details)


def _forget_threads() -> None:
    for model in list(_loaded):
        model.forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
