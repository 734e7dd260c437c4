"""Which paths a target takes."""

from __future__ import annotations

from pipeline.errors import ErrorKind, PictureError

RESERVED = ".pipeline"  # how names begin that the program keeps for itself


def check_path(path: str) -> None:
    """Raise `PictureError` for a path that leads out of the target, or to a name that the program keeps for itself."""
    parts = path.split("/")
    if "\0" in path or any(part in ("", ".", "..") or part.startswith(RESERVED) for part in parts):
        raise PictureError(ErrorKind.BAD_NAME, f"not a path inside the target: {path}")
