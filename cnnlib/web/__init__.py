"""Flask applications: the recognition API and the captcha source, and the server that runs them."""

BODY_LIMIT_BYTES = 2**20  # of a request, unless told
PIXEL_LIMIT = 2**22  # of a request, an equal share for each picture: some tenths of a second to decode, at worst
ACCESS_LOG = "captcha.access"  # the logger of a line for each request
