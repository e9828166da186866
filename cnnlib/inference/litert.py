"""An exported model on LiteRT, TensorFlow's runtime for inference. TensorFlow itself is not needed."""

import os
import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from cnnlib.core.errors import ModelError
from cnnlib.core.stderr import muted_stderr


class LiteRT:
    """A model from the bytes of a .tflite file. Threads may share it.

    Raises ModelError when LiteRT can't load it, or when it is no model of one picture.
    """

    _delegate_printed = threading.Event()  # LiteRT prints its delegate to standard error, once in a process

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._idle = [self._new_interpreter()]
        inputs, outputs = self._idle[0].get_input_details(), self._idle[0].get_output_details()
        found = [
            (one["dtype"], len(one["shape"]), int(one["shape"][0])) for one in (*inputs, *outputs) if len(one["shape"])
        ]
        if len(inputs) != 1 or found != [(np.uint8, 4, 1), (np.float32, 3, 1)]:
            raise ModelError(
                "expected a model of one picture, uint8 (1, height, width, channels), to one answer, float32 "
                f"(1, rows, classes); got {_describe(inputs)} to {_describe(outputs)}"
            )
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self.input_shape: tuple[int, ...] = tuple(map(int, inputs[0]["shape"][1:]))  # (height, width, channels)
        self.rows, self.classes = map(int, outputs[0]["shape"][1:])
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)

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

    def _new_interpreter(self) -> Interpreter:
        try:
            with nullcontext() if self._delegate_printed.is_set() else muted_stderr():
                interpreter = Interpreter(model_content=self._content, num_threads=1)
                interpreter.allocate_tensors()
            self._delegate_printed.set()
            interpreter.invoke()  # the first run is slow because it packs the weights
        except (ValueError, RuntimeError, TypeError, OverflowError, MemoryError) as error:
            raise ModelError(f"LiteRT can't load the model: {' '.join(str(error).split())}") from error
        return interpreter


def _describe(details: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['dtype'].__name__} {tuple(map(int, one['shape']))}" for one in details)
