"""Names that servers and their clients share."""

import os

from cnnlib.core.errors import ConfigError

LABEL_HEADER = "X-Captcha-Label"  # response header of a captcha source: the label as percent-encoded UTF-8
TOKEN_VARIABLE = "CAPTCHA_API_TOKEN"  # environment variable that holds the token of the API
LOOPBACK = ("127.0.0.1", "localhost", "::1")  # host names of this machine


def api_token() -> str | None:
    """The API token from the environment without surrounding whitespace, None when it is unset or empty.

    Raises ConfigError when the token is blank or has characters that a header can't hold.
    """
    value = os.environ.get(TOKEN_VARIABLE, "")
    token = value.strip()
    if any(not "!" <= character <= "~" for character in token) or (value and not token):
        raise ConfigError(f"{TOKEN_VARIABLE}: expected a token of ASCII letters, digits and signs, without blanks")
    return token or None
