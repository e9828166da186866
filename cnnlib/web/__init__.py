"""Flask applications: the recognition API and the captcha source, and the server that runs them."""

BODY_LIMIT_BYTES = 2**20  # of a request, unless told
ACCESS_LOG = "captcha.access"  # the logger of a line for each request
