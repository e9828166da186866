"""Servers that answer without end."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import NamedTuple

LIMIT_S = 20.0  # after which a server hangs up all the same, so that a client without a deadline ends too
LIMIT_BYTES = 2**26
BUFFERED_BYTES = 2**25  # more than the sockets of an answer hold when nobody reads it


class Bytes(NamedTuple):
    """An answer: its start, and what follows again and again, with a pause each time."""

    start: bytes
    again: bytes = b""
    pause_s: float = 0.02


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
STUCK = {
    "status line": Bytes(b"HTTP/1.1 20", b"0"),
    "head": Bytes(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "continue": Bytes(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": Bytes(b"HTTP/1.1 200 OK\r\n" + CHUNKED, b"1\r\nx\r\n"),
    "size of a chunk": Bytes(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"1;", b"x"),
    "trailer": Bytes(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"1\r\nx\r\n0\r\n", b"X: x\r\n"),
    "length above all memory": Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", b"x"),
    "length above all numbers": Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", b"x"),
    "busy": Bytes(b"HTTP/1.1 503 Busy\r\n" + CHUNKED, b"1\r\nx\r\n"),
    "redirection": Bytes(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n" + CHUNKED, b"1\r\nx\r\n"),
}
FLOOD = Bytes(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0)  # of heads that no limit of http.client holds back


def large(status: bytes) -> Bytes:
    """A fast answer with a body that need not be read."""
    return Bytes(b"HTTP/1.1 %b\r\nLocation: /x\r\nContent-Length: %d\r\n\r\n" % (status, LIMIT_BYTES), bytes(2**20), 0)


def whole(content: bytes) -> Bytes:
    """An answer that ends."""
    return Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))


@contextmanager
def stuck_server(*answers: Bytes, port: int = 0) -> Iterator[tuple[str, list[int]]]:
    """The address of a server, and the bytes that it has sent to each connection.

    It gives each connection the next of the answers, and the last one to all further connections.
    """
    sent: list[int] = []
    with socket.create_server(("127.0.0.1", port)) as listener:

        def accept() -> None:
            for answer in chain(answers, repeat(answers[-1])):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                sent.append(0)
                threading.Thread(target=_answer, args=(connection, answer, sent, len(sent) - 1), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/b", sent
        listener.shutdown(socket.SHUT_RDWR)


def _answer(connection: socket.socket, answer: Bytes, sent: list[int], number: int) -> None:
    end = time.monotonic() + LIMIT_S
    with connection:
        try:
            connection.recv(2**16)
            connection.sendall(answer.start)
            while answer.again and time.monotonic() < end and sent[number] < LIMIT_BYTES:
                connection.sendall(answer.again)
                sent[number] += len(answer.again)
                time.sleep(answer.pause_s)
        except OSError:
            return
