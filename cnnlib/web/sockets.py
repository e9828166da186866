"""The sockets of a server: one for programs and one for browsers, and what is said about them at the start."""

import errno
import ipaddress
import os
import socket

from cnnlib.core.errors import ServiceError

BACKLOG = 1024  # connections that wait to be accepted


def listen_on(host: str, port: int, path: str, page_port: int | None, token: bool) -> list[socket.socket]:
    """Sockets at the port and, where that is another and free, the page's; prints the addresses, that of `path` first.

    `token`: requests need one. Raises ServiceError when the port can't be had.
    """
    host = host.strip("[]")
    shown = f"[{host}]" if ":" in host else host
    try:
        listening = [_listen(host, port)]
    except (OSError, UnicodeError) as error:  # UnicodeError: a host such as 127.0.0..1
        remedy = "--host takes an address of this machine, --port another port"
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            remedy = "is another program, or another run of this one, there? --host and --port take others"
        raise ServiceError(f"http://{shown}:{port}: can't serve there ({error}); {remedy}") from error
    if not _is_loopback(listening[0]):
        who = "only those with the token are answered" if token else "nothing asks who it is"
        print(f"Listening on {host}: every machine that reaches this one can send requests; {who}")
    print(f"Serving http://{shown}:{listening[0].getsockname()[1]}{path} (Ctrl-C stops)", flush=True)
    if page_port is not None:
        try:
            if page_port != listening[0].getsockname()[1]:
                listening.append(_listen(host, page_port))
            print(f"The page is at http://{shown}:{listening[-1].getsockname()[1]}/", flush=True)
        except OSError as error:
            print(f"http://{shown}:{page_port}: no page ({error}); --page-port takes another port", flush=True)
    return listening


def _is_loopback(listener: socket.socket) -> bool:
    """Whether only this very machine reaches a socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere this would let two programs share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
