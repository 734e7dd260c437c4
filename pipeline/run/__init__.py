"""Wires runs, and carries batches of pictures through their life. Called, it is `pipeline.api.run`."""

from pipeline.called import callable_as_function

callable_as_function(__name__)
