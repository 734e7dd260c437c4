"""pipeline: the image batch job that you can leave alone."""

__version__ = "0.1.0"
