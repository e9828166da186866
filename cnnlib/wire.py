"""What servers and their clients agree on."""

LABEL_HEADER = "X-Captcha-Label"  # in which a captcha source tells a label, percent-encoded UTF-8
TOKEN_VARIABLE = "CAPTCHA_API_TOKEN"  # environment variable of the token that the API asks for and clients bring
LOOPBACK = ("127.0.0.1", "localhost", "::1")  # hosts that are this very machine
