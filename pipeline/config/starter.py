"""The configs that `pipeline init` writes: complete, commented, and ready to run."""

from __future__ import annotations

import enum
import re

from pipeline.config.yaml12 import scalar
from pipeline.errors import UsageError, printable


class Purpose(enum.StrEnum):
    """What the renditions are for."""

    THUMBS = "thumbs"
    WEB = "web"
    ARCHIVE = "archive"
    DATASET = "dataset"

    @property
    def folder(self) -> str:
        """A target that suits it."""
        return "public/img" if self is Purpose.WEB else str(self)


_TEXT = """\
# yaml-language-server: $schema=./pipeline.schema.json
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
@ONLY@
@WHERE@
@MANIFEST@renditions:
@RENDITIONS@
# workers:                        # auto: from the processors and the memory that this process may use
#   threads: auto                 # pictures in flight at once
#   processes: auto               # children that render; 0: none, and then no limits of time and memory
#   queue: 64
#   memory: auto                  # or "2 GiB", for all pictures in flight
#   nice: 0                       # to 19: other programs go first; `workers: gentle` is 19, and ionice: idle

@LIMITS@"""
_WHERE = """\
target: @TARGET@
# target:                         # the long form
#   path: @TARGET@
#   name: "{dir}/{stem}-{rendition}.{ext}"    # also {name} {source_ext} {width} {height}
#   on_collision: fail            # or keep_extension: photo.jpg-thumb.jpg, where photo.jpg and photo.png meet
#   durability: sync              # or none: faster, safe against kills but not against power cuts
"""


def _named(name: str, example: str, on_collision: str) -> str:
    """The target with a template for names of its own."""
    why = {
        "fail": "or keep_extension, where photo.jpg and photo.png meet",
        "keep_extension": "scans often lie as page.tif beside page.jpg",
    }
    return f"""\
target:
  path: @TARGET@
  {f'name: "{name}"':<44}# {example}; also {{name}} {{source_ext}}
  {f"on_collision: {on_collision}":<44}# {why[on_collision]}
  # durability: sync                          # or none: faster, safe against kills but not against power cuts
"""


_THUMBS = """\
  thumb:                          # a name of your choice; add as many as you like
    width: 320                    # pixels of the box; leave both out to keep the size
    height: 320
    fit: inside                   # or cover, contain, fill, outside
    format: jpeg                  # or png, webp, avif, gif, tiff
    # quality: 82                 # 1 to 100, for jpeg, webp and avif
    # enlarge: false              # pictures smaller than the box stay as they are
    # background: "#ffffff"       # under transparency where the format has none
"""
_WEB = """\
  page:                           # a family: a rendition of each width in each format, from one decode
    widths: [320, 640, 1280]      # pictures are never enlarged: of a small one the larger files are as wide as it is
    formats: [avif, webp, jpeg]   # best first; AVIF has the smallest files and takes by far the longest
    # aspect: "16:9"              # with fit: cover, for pages that want one shape
"""
_ARCHIVE = """\
  full:                           # no width, no height: the size stays
    format: png                   # encoded without loss; for prints in CMYK, which png cannot hold, say tiff
    depth: keep                   # 16 bits a channel where the original has more than 8
    profile: keep                 # colours in the space of the original, not in sRGB
    metadata: keep                # all but what is private: places, serial numbers, embedded thumbnails
  view:
    width: 4096
    height: 4096
    fit: inside
    format: jpeg
    quality: 92
    # metadata: strip             # copyright, artist and credit only; or rights, or keep
"""
_DATASET = """\
  train-224:
    width: 224
    height: 224
    fit: cover                    # exactly this size: the middle of every picture
    enlarge: true                 # also of small ones
    format: jpeg
    quality: 95
  train-256:
    width: 256
    height: 256
    fit: cover
    enlarge: true
    format: png                   # exact pixels, three times the bytes
"""
_ONLY = """\
#   only:                         # which pictures are taken, by their headers; the others are counted as filtered
#     min_width: 224              # then nothing is enlarged
#     min_height: 224
#     max_aspect: 3               # no banners
#     formats: [jpeg, png]        # by content, whatever the files are called
"""
_SHARDS = """\
  # shards: webdataset                        # in the place of name and on_collision: tar shards of samples
  # pictures: 10000                           # in a shard
"""
_LIMITS = """\
# limits:                         # of one picture; beyond them it fails, and it alone
#   pixels: 100 Mpx
#   frames: 1000
#   scans: 500
#   seconds: 300                  # of CPU
#   read: 60                      # seconds that reading the source may take
#   memory: 2560 MiB
#   file_size: 256 MiB
"""
_LARGE_LIMITS = """\
limits:                           # of one picture; beyond them it fails, and it alone
  pixels: 200 Mpx                 # scans are larger than photographs
  memory: 5 GiB
  # seconds: 300                  # of CPU
  # file_size: 256 MiB
"""
_BESIDE = """\
# The target looks like a folder that is published as it is: what was made is recorded beside this file, not in there.
manifest: @NAME@

"""


_BY_CLASS = "{rendition}/{dir}/{stem}.{ext}"
_PARTS = {
    Purpose.THUMBS: {"@WHERE@": _WHERE, "@RENDITIONS@": _THUMBS, "@LIMITS@": _LIMITS},
    Purpose.WEB: {
        "@WHERE@": _named("{dir}/{stem}-{width}.{ext}", "sunset-640.webp", "fail"),
        "@RENDITIONS@": _WEB,
        "@LIMITS@": _LIMITS,
    },
    Purpose.ARCHIVE: {
        "@WHERE@": _named(_BY_CLASS, "a folder for each rendition", "keep_extension"),
        "@RENDITIONS@": _ARCHIVE,
        "@LIMITS@": _LARGE_LIMITS,
    },
    Purpose.DATASET: {
        "@ONLY@": _ONLY,
        "@WHERE@": _named(_BY_CLASS, "a folder for each size, the class folders in it", "fail") + _SHARDS,
        "@RENDITIONS@": _DATASET,
        "@LIMITS@": _LIMITS,
    },
}


def starter(source: str, target: str, purpose: Purpose = Purpose.THUMBS, manifest: str = "") -> str:
    """A commented config for these two folders, given as they are to stand in the file (relative to it, or absolute).
    `manifest`, likewise, is for targets in a web root.

    Raises `UsageError` for a folder whose name is not UTF-8: a config is, and cannot name it.
    """
    beside = _BESIDE.replace("@NAME@", _as_yaml(manifest)) if manifest else ""
    text = _TEXT
    for mark, value in {"@ONLY@": "", **_PARTS[purpose], "@MANIFEST@": beside}.items():
        text = text.replace(mark, value)
    written = {"@SOURCE@": _as_yaml(source), "@TARGET@": _as_yaml(target)}
    return re.sub("|".join(written), lambda word: written[word[0]], text)


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
