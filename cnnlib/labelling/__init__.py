"""Labels pictures by hand: what was said about each, and which comes next."""
