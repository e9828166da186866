"""What servers and their clients agree on."""

import os

from cnnlib.core.errors import ConfigError

LABEL_HEADER = "X-Captcha-Label"  # in which a captcha source tells a label, percent-encoded UTF-8
TOKEN_VARIABLE = "CAPTCHA_API_TOKEN"  # environment variable of the token that the API asks for and clients bring
LOOPBACK = ("127.0.0.1", "localhost", "::1")  # hosts that are this very machine


def api_token() -> str | None:
    """The token in the environment, blanks and line ends around it left out; None where there is none, or an empty one.

    Raises ConfigError when a header can't hold it, or when it is blank.
    """
    told = os.environ.get(TOKEN_VARIABLE, "")
    token = told.strip()
    if any(not "!" <= character <= "~" for character in token) or (told and not token):
        raise ConfigError(f"{TOKEN_VARIABLE}: expected a token of ASCII letters, digits and signs, without blanks")
    return token or None
