"""Flask applications: the recognition API and the captcha source, and the server that runs them."""

ACCESS_LOG = "captcha.access"  # the logger of a line for each request
