"""The Flask applications, a recognition API and a captcha source, and the server that runs them."""

BODY_LIMIT_BYTES = 2**20  # default limit of a request's body
PIXEL_LIMIT = 2**22  # shared by the pictures of a request, which decode in some tenths of a second at worst
ACCESS_LOG = "captcha.access"  # logger of the access log, one line for each request
