"""The listening sockets of a server, one for programs and one for browsers."""

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

from cnnlib.core.errors import ServiceError

BACKLOG = 1024  # connections that wait to be accepted
SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python has no name for it
# <linux/filter.h>: load byte 13 of the TCP header; if its bit SYN is set, drop the segment, else take it whole.
_DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def listen_on(host: str, port: int, path: str, page_port: int | None, token: bool) -> list[socket.socket]:
    """Sockets that listen on `port` and, if it is another port and free, on `page_port`.

    Prints the URLs, that of `path` first. `token` says whether requests need one.
    Raises ServiceError when `port` can't be bound.
    """
    host = host.strip("[]")
    url = f"http://[{host}]" if ":" in host else f"http://{host}"
    try:
        listeners = [_listen(host, port)]
    except (OSError, UnicodeError) as error:  # UnicodeError: a host such as 127.0.0..1
        raise ServiceError(f"{url}:{port}: can't listen there ({error}); {_remedy(error)}") from error
    bound_port = listeners[0].getsockname()[1]
    if not _is_loopback(listeners[0]):
        access = "only those with the token are answered" if token else "no token is needed"
        print(f"Listening on {host}: every machine that reaches this one can send requests; {access}")
    print(f"Serving {url}:{bound_port}{path} (Ctrl-C stops)", flush=True)
    if page_port is not None:
        try:
            if page_port != bound_port:
                listeners.append(_listen(host, page_port))
            print(f"The page is at {url}:{listeners[-1].getsockname()[1]}/", flush=True)
        except OSError as error:
            print(f"{url}:{page_port}: no page ({error}); choose another --page-port", flush=True)
    return listeners


def refuse_new_connections(listeners: Iterable[socket.socket]) -> None:
    """Let no more connections join the queues of these sockets, in all processes that share them.

    Those that wait can still be accepted. A client that comes now tries again after a second, and finds the port closed
    or the next server. Only Linux can do this; elsewhere nothing changes.
    """
    steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _DROP_SYN))
    program = struct.pack("HP", len(_DROP_SYN), ctypes.addressof(steps))  # struct sock_fprog
    if sys.platform == "linux":
        for listener in listeners:
            with suppress(OSError):
                listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _remedy(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return "another program, or another run of this one, uses the port; choose another --port or --host"
    return "--host needs an address of this machine; or choose another --port"


def _is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches the socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows the option would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
