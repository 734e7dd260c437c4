"""What a run has to do, and why. Called, it is `pipeline.api.plan`."""

from pipeline.called import callable_as_function

callable_as_function(__name__)
