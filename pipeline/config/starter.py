"""The config that `pipeline init` writes: complete, commented, and ready to run."""

from __future__ import annotations

import re

from pipeline.config.places import looks_published
from pipeline.config.yaml12 import scalar
from pipeline.errors import UsageError, printable

_TEXT = """\
# What every picture in a folder should become.
#   pipeline plan THIS_FILE    shows what a run would do, and why
#   pipeline run THIS_FILE     makes what is missing or stale
# Paths are relative to this file. Lines that start with # can be switched on; they show the defaults.

source: @SOURCE@
# source:                         # the long form
#   path: @SOURCE@
#   include: ["*.{jpg,png}"]      # also X.JPG; default: every file that is a picture, whatever its name
#   exclude: ["drafts/**"]        # beside dot files and the like, which are always left out
#   follow_symlinks: false        # true: within the folder; or anywhere
#   settle: 0                     # seconds; younger files are left for the next run

target: @TARGET@
# target:                         # the long form
#   path: @TARGET@
#   name: "{dir}/{stem}-{rendition}.{ext}"    # also {name} {source_ext} {width} {height}
#   on_collision: fail            # or keep_extension: photo.jpg-thumb.jpg, where photo.jpg and photo.png meet
#   durability: sync              # or none: faster, safe against kills but not against power cuts

@MANIFEST@renditions:
  thumb:                          # a name of your choice; add as many as you like
    width: 320                    # pixels of the box; leave both out to keep the size
    height: 320
    fit: inside                   # or cover, contain, fill, outside
    format: jpeg                  # or png, webp, avif, gif, tiff
    # quality: 82                 # 1 to 100, for jpeg, webp and avif
    # enlarge: false              # pictures smaller than the box stay as they are
    # background: "#ffffff"       # under transparency where the format has none

# workers:                        # auto: from the processors that this machine lends
#   threads: auto                 # pictures in flight at once
#   processes: auto               # children that render; 0: none, and then no limits of time and memory
#   queue: 64
#   memory: auto                  # or "2 GiB", for all pictures in flight

# limits:                         # of one picture; beyond them it fails, and it alone
#   pixels: 100 Mpx
#   frames: 1000
#   scans: 500
#   seconds: 300                  # of CPU
#   read: 60                      # seconds that reading the source may take
#   memory: 2560 MiB
#   file_size: 256 MiB
"""
_BESIDE = """\
# The target looks like a folder that is published as it is: what was made is recorded beside this file, not in there.
manifest: @NAME@

"""


def starter(source: str, target: str, name: str = "pipeline") -> str:
    """A commented config for these two folders, given as they are to stand in the file (relative to it, or absolute).
    `name` is that of the file, without its ending.

    Raises `UsageError` for a folder whose name is not UTF-8: a config is, and cannot name it.
    """
    beside = _BESIDE.replace("@NAME@", _as_yaml(f"{name}.manifest.sqlite")) if looks_published(target) else ""
    written = {"@SOURCE@": _as_yaml(source), "@TARGET@": _as_yaml(target), "@MANIFEST@": beside}
    return re.sub("|".join(written), lambda found: written[found[0]], _TEXT)


def _as_yaml(path: str) -> str:
    """`path` as a YAML scalar: plain where that is safe, else in double quotes."""
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise UsageError(
            f"{printable(path)}: the name is not UTF-8, so that a config cannot hold it; rename the folder"
        )
    if re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*", path) and scalar(path) == path:
        return path
    escaped = "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}" for char in re.sub(r'([\\"])', r"\\\1", path)
    )
    return f'"{escaped}"'
