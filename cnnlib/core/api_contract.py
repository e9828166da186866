"""Names that servers and their clients share."""

import ipaddress
import os

from cnnlib.core.errors import ConfigError

LABEL_HEADER = "X-Captcha-Label"  # response header of a captcha source: the label as percent-encoded UTF-8
TOKEN_VARIABLE = "CAPTCHA_API_TOKEN"  # environment variable that holds the token of the API


def api_token() -> str | None:
    """The API token from the environment without surrounding whitespace, None when it is unset or empty.

    Raises ConfigError when the token is blank or has characters that a header can't hold.
    """
    value = os.environ.get(TOKEN_VARIABLE, "")
    token = value.strip()
    if any(not "!" <= character <= "~" for character in token) or (value and not token):
        raise ConfigError(f"{TOKEN_VARIABLE}: expected a token of ASCII letters, digits and signs, without blanks")
    return token or None


def is_loopback_name(name: str) -> bool:
    """Whether a host, in lower case, is this machine everywhere: localhost, names below it (RFC 6761), 127.0.0.1."""
    name = name.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # of a socket that listens on both versions of IP
    return (mapped or address).is_loopback
