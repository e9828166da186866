"""Flask applications: the recognition API and the captcha source, and the server that runs them."""
