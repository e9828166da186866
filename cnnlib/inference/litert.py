"""An exported model on LiteRT, TensorFlow's own small runtime: arrays to probabilities, without TensorFlow."""

import os
import threading
from contextlib import nullcontext

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from cnnlib.core.errors import ModelError
from cnnlib.core.stderr import muted_stderr


class LiteRT:
    """A model from the bytes of a .tflite file; safe to share between threads.

    Raises ModelError when LiteRT can't load it.
    """

    _announced = threading.Event()  # LiteRT names its delegate on standard error, once in a process

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._idle = [self._interpreter()]
        (given,), (answer,) = self._idle[0].get_input_details(), self._idle[0].get_output_details()
        self._input, self._output = given["index"], answer["index"]
        self.input_shape: tuple[int, ...] = tuple(map(int, given["shape"][1:]))  # (height, width, channels)
        self.classes = int(answer["shape"][-1])
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)

    def probabilities(self, picture: np.ndarray) -> np.ndarray:
        """float32 (rows, classes), each row adding up to 1, of uint8 (height, width, channels)."""
        with self._slots:  # as many at most as there are cores
            try:
                interpreter = self._idle.pop()
            except IndexError:
                interpreter = self._interpreter()
            try:
                interpreter.set_tensor(self._input, picture[np.newaxis])
                interpreter.invoke()
                answer: np.ndarray = interpreter.get_tensor(self._output)[0]
            finally:
                self._idle.append(interpreter)
        return answer

    def _interpreter(self) -> Interpreter:
        try:
            with nullcontext() if self._announced.is_set() else muted_stderr():
                interpreter = Interpreter(model_content=self._content, num_threads=1)
                interpreter.allocate_tensors()
            self._announced.set()
            interpreter.invoke()  # the first run is slower: it lays the weights out
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT can't load the model: {error}") from error
        return interpreter
