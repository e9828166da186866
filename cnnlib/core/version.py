"""The version of the suite."""

__version__ = "0.2.0.dev0"
