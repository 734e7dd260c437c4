"""Each wrong config gets exactly these words. `HEAD` is three lines, so that what is added starts in line 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.errors import ConfigError
from pipeline.program import to_copy

NO_QUALITY = "must be a whole number from 1 to 100, or a similarity such as {ssimulacra2: 75}"
HEAD = """\
source: photos
target: made
renditions:
"""
GOOD = HEAD + "  thumb: {width: 320}\n"  # what is added starts in line 5

SIDE = "must be a whole number from 1 to 65535"
PATTERNS = 'must be a list of patterns such as ["*.jpg"]'
BYTES = 'must be a size such as "2 GiB", "500 MB" or a number of bytes'
FIELDS = "{dir} {stem} {name} {source_ext} {rendition} {ext} {width} {height}"
NAME = "must be a name of letters, digits, dot, _ and - that starts with a letter or digit (64 at most)"
REST = "target: made\nrenditions: {a: {}}\n"  # after sources
RULES = 'must be a list of rules such as [{match: "scans/**", renditions: {thumb: {quality: 90}}}]'
OVERLAP = "must not overlap with that of sources #1, because pictures in both would come twice"
PREFIX = "must be the name of a folder such as scans, without slashes and a dot in front"
LISTS = "a file whose name ends with .txt, .csv, .tsv, .jsonl, .parquet"
AGENT = 'must be a text in ASCII such as "example-thumbs/1.0 (me@example.org)"'
SCHEDULER = "must be the address of a Dask scheduler such as tcp://scheduler:8786, or local"
EMPTY = "has no value; remove the key to have its default"
FORMATS = "must be one of jpeg, png, webp, avif, gif, tiff, jxl"
TAKEN = "jpeg, png, webp, avif, heif, gif, tiff, bmp, ico, ppm, jp2, jxl"
ONLY = "min_width, max_width, min_height, max_height, max_aspect, formats"
TOP = (
    "known here: source, sources, target, renditions, rules, resampler, order, placeholder, workers, executor, limits, "
    "tolerate, manifest, lock, shared, notify, report, failures, max_runtime, until"
)


def name(template: str) -> str:
    """A config with this target.name; its position is 2:28."""
    return (
        f"source: photos\ntarget: {{path: made, name: {template}}}\nrenditions: {{a: {{width: 9}}, b: {{width: 8}}}}\n"
    )


WRONG: dict[str, tuple[str, list[str]]] = {
    # The file as YAML
    "words of other programs": (
        "input: photos\nsource: photos\ntarget: made\nrenditions:\n  a: {width: 8, crop: true, method: 6}\n",
        [
            ":1:1: input: is no key that is known; here that is `source`",
            ":5:17: renditions.a.crop: is no key that is known; here that is `fit: cover`",
            ":5:29: renditions.a.method: is no key that is known; here that is `effort`",
        ],
    ),
    "nothing but comments": ("# later\n", [": is empty; `pipeline init` writes a config to start from"]),
    "a list at the top": (
        "- source: photos\n",
        [":1:1: must be a mapping with the keys source, target and renditions (got a list)"],
    ),
    "a word at the top": (
        "photos\n",
        [':1:1: must be a mapping with the keys source, target and renditions (got "photos")'],
    ),
    "a tab": ("source: photos\nrenditions:\n\tthumb: {}\n", [":3:1: a tab cannot indent YAML; use spaces"]),
    "a bracket left open": (
        'source: {path: photos, include: ["*.jpg"}\n',
        [":1:33: the list or mapping that starts here is not closed; a , or ] is missing"],
    ),
    "a quote left open": ("source: 'photos\ntarget: made\n", [":1:9: this quote is never closed"]),
    "two colons": (
        "source: photos: new\n",
        [':1:15: a ":" too many, or a line indented too far; text with ": " goes in quotes'],
    ),
    "no space after the colon": (
        "source: photos\ntarget:made\nrenditions: {}\n",
        [':2:1: this is no "key: value"; the ":" or the space after it is missing'],
    ),
    "no colon": (
        GOOD + "workers\nlimits: {}\n",
        [':5:1: this is no "key: value"; the ":" or the space after it is missing'],
    ),
    "bad indentation": (
        "source: photos\nrenditions:\n    thumb: {}\n  web: {}\n",
        [":4:3: this line does not fit the ones above it; check its indentation"],
    ),
    "a glob without quotes": (
        "source: {path: photos, include: [*.jpg]}\n",
        [":1:35: a * or & has a meaning of its own in YAML; put the value in quotes"],
    ),
    "an alias to nothing": (
        "source: *photos\n",
        [":1:9: *photos names no anchor; put text that starts with * in quotes"],
    ),
    "a backslash in double quotes": (
        'source: "C:\\photos"\n',
        [":1:13: in \"double quotes\" a \\ starts an escape; use 'single quotes' or write \\\\"],
    ),
    "a reserved character": ("source: @photos\n", [":1:9: a value cannot start with @; put it in quotes"]),
    "a tag": (
        "source: !!python/object/apply:os.system [ls]\n",
        [":1:9: a tag (a word that starts with !) is not allowed in a config; write the plain value"],
    ),
    "an undeclared tag": (
        "source: !a!b photos\n",
        [":1:9: a tag (a word that starts with !) is not allowed in a config; write the plain value"],
    ),
    "two documents": (
        GOOD + "---\n" + GOOD,
        [":5:1: a second document starts here; a config is one, without --- in between"],
    ),
    "a control character": ("source: pho\x07tos\n", [":1:12: the character U+0007 is not allowed in YAML; remove it"]),
    "an alias of itself": ("source: &a [*a]\n", [":1:13: *a refers to the very thing that it is part of"]),
    "a bomb of aliases": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcde", "bcdef", strict=True)),
        [":5:8: more than 10,000 values, aliases counted; is this a config?"],
    ),
    "brackets without end": ("source: " + "[" * 5000, [":1:40: more than 32 levels deep; a config needs four"]),
    "a number without end": (
        "source: " + "9" * 5000,
        [":1:9: a number of more than 100 digits makes no sense here"],
    ),
    "a mapping as a key": (
        "source: {{dir}}\n",
        [":1:10: a key must be a word; put text that starts with { or [ in quotes"],
    ),
    "a YAML directive": ("%YAML 3.0\n---\n", [":1:1: a line that starts with % is a YAML directive; remove it"]),
    # Keys
    "everything missing": (
        "{}\n",
        [":1:1: renditions: is missing", ":1:1: source: is missing", ":1:1: target: is missing"],
    ),
    "a key twice": (GOOD + "source: other\n", [":5:1: source: is there twice (first in line 1)"]),
    "a rendition twice": (
        GOOD + "  thumb: {width: 640}\n",
        [":5:3: renditions.thumb: is there twice (first in line 4)"],
    ),
    "a key misspelt": (
        GOOD + "worker: {threads: 3}\n",
        [':5:1: worker: is no key that is known; did you mean "workers"?'],
    ),
    "a key misplaced": (
        GOOD + "threads: 3\n",
        [':5:1: threads: is no key that is known; it belongs under "workers"'],
    ),
    "a key too deep": (
        HEAD + "  thumb: {width: 320, manifest: x.sqlite}\n",
        [":4:23: renditions.thumb.manifest: is no key that is known; it belongs at the left margin"],
    ),
    "a key of another program": (GOOD + "zz: 3\n", [f":5:1: zz: is no key that is known; {TOP}"]),
    "a key misspelt inside a rendition": (
        HEAD + "  thumb:\n    widht: 320\n",
        [':5:5: renditions.thumb.widht: is no key that is known; did you mean "width"?'],
    ),
    "a merge": (
        HEAD + "  a: &a {width: 320}\n  b: {<<: *a}\n",
        [':5:7: renditions.b."<<": merging is not part of YAML 1.2; write the keys out'],
    ),
    # source and target
    "a source that is a number": (
        "source: 5\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must be a path, or a mapping with the key path (got 5)"],
    ),
    "a source without its path": (
        "source: {include: []}\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must have a path; a store such as s3://bucket/photos is its url"],
    ),
    "an empty path": (
        'source: ""\ntarget: made\nrenditions: {a: {}}\n',
        [':1:9: source: must be a path (got "")'],
    ),
    "a path in the home folder": (
        "source: ~/photos\ntarget: made\nrenditions: {a: {}}\n",
        [
            (
                ":1:9: source: must not start with ~, another folder for each user that runs this; write it out "
                '(got "~/photos")'
            )
        ],
    ),
    "a URL of nothing that is known": (
        "source: gopher://host/photos\ntarget: made\nrenditions: {a: {}}\n",
        [
            (
                ":1:9: source: must begin with s3://, gs://, az://, or what fsspec knows, such as sftp://; "
                "a list of URLs is a file"
            )
        ],
    ),
    "a store with a password": (
        "source: s3://KEY:SECRET@bucket\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must have no user and password: they come from the environment"],
    ),
    "a file system with a password": (
        "source: sftp://me:SECRET@host/photos\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must have no password: it comes from the configuration of fsspec"],
    ),
    "an archive on a file system with a password": (
        "source: zip://photos::sftp://me:SECRET@host/photos.zip\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must have no password: it comes from the configuration of fsspec"],
    ),
    "a password that holds a slash": (
        "source: ftp://me:SEC/RET@host/photos\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must have no password: it comes from the configuration of fsspec"],
    ),
    "a password of a file system that is cached": (
        "source: simplecache::sftp://me:SEC::RET@host/photos\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: must have no password: it comes from the configuration of fsspec"],
    ),
    "a bucket with a signature": (
        "source: s3://bucket?X-Amz-Signature=SECRET\ntarget: made\nrenditions: {a: {}}\n",
        [':1:9: source: must name a bucket, as s3://bucket/photos does (got "s3://bucket?...")'],
    ),
    "an endpoint of a file system": (
        'source: {url: sftp://host/photos, endpoint: "http://h"}\ntarget: made\nrenditions: {a: {}}\n',
        [":1:9: source: endpoint is for s3, gs, az: fsspec has a configuration of its own"],
    ),
    "a store that leads out of itself": (
        "source: {url: s3://bucket/a/../b}\ntarget: made\nrenditions: {a: {}}\n",
        [
            ':1:15: source.url: must have no empty parts, no . and .., and no control characters in its path (got "s3://bucket/a/../b")'
        ],
    ),
    "a store as a path": (
        "source: {path: s3://bucket/photos}\ntarget: made\nrenditions: {a: {}}\n",
        [':1:16: source.path: must be a path on this machine, not a URL (got "s3://bucket/photos")'],
    ),
    "an endpoint with a password": (
        'source: {url: s3://bucket, endpoint: "http://KEY:SECRET@host"}\ntarget: made\nrenditions: {a: {}}\n',
        [":1:38: source.endpoint: must have no user and password: they come from the environment"],
    ),
    "an endpoint that is a host": (
        "source: {url: s3://bucket, endpoint: minio}\ntarget: made\nrenditions: {a: {}}\n",
        [
            (
                ":1:38: source.endpoint: must be the address of a service such as https://minio.example.org:9000 "
                '(got "minio")'
            )
        ],
    ),
    "an endpoint of a folder": (
        'source: {path: photos, endpoint: "http://minio"}\ntarget: made\nrenditions: {a: {}}\n',
        [":1:9: source: endpoint is for a store such as url: s3://bucket/photos, and this is none"],
    ),
    "a store that settles": (
        "source: {url: s3://bucket, settle: 5}\ntarget: made\nrenditions: {a: {}}\n",
        [":1:9: source: settle is for folders or lists of URLs, and this is a store"],
    ),
    "a store without a manifest": (
        "source: photos\ntarget: s3://bucket/thumbs\nrenditions: {a: {}}\n",
        [":2:9: target: needs a manifest on a disk of this machine, such as manifest: thumbs.sqlite"],
    ),
    "a report on a store": (
        "source: photos\ntarget: s3://bucket/a\nmanifest: m.sqlite\nreport: r.html\nrenditions: {a: {}}\n",
        [":4:9: report: needs a target that is a folder, because it shows files of it"],
    ),
    "a store over its source": (
        "source: s3://bucket/a\ntarget: {url: s3://bucket}\nmanifest: m.sqlite\nrenditions: {a: {}}\n",
        [":2:15: target.url: must not be or hold the source; a prefix inside or beside it is fine"],
    ),
    "a target that is a folder and a store": (
        "source: photos\ntarget: {path: made, url: s3://bucket/a}\nmanifest: m.sqlite\nrenditions: {a: {}}\n",
        [":2:9: target: must have a path, or the url of a store such as s3://bucket/thumbs, and not both"],
    ),
    "headers of a folder": (
        "source: photos\ntarget: {path: made, headers: {Cache-Control: no-store}}\nrenditions: {a: {}}\n",
        [":2:9: target: headers is for a store such as url: s3://bucket/thumbs, and this is none"],
    ),
    "durability of a store": (
        "source: photos\ntarget: {url: s3://bucket, durability: none}\nmanifest: m.sqlite\nrenditions: {a: {}}\n",
        [":2:9: target: durability is for folders, and this is a store"],
    ),
    "a type of objects": (
        "source: photos\ntarget: {url: s3://b, headers: {Content-Type: a/b}}\nmanifest: m\nrenditions: {a: {}}\n",
        [":2:32: target.headers: Content-Type cannot be set: it follows from the format"],
    ),
    "a header over two lines": (
        'source: photos\ntarget: {url: s3://b, headers: {artist: "a\\nb"}}\nmanifest: m.sqlite\nrenditions: {a: {}}\n',
        [
            (
                ":2:32: target.headers: must be a text in ASCII such as "
                '"example-thumbs/1.0 (me@example.org)" (got a mapping)'
            )
        ],
    ),
    "one pattern instead of a list": (
        'source: {path: photos, include: "*.jpg"}\ntarget: made\nrenditions: {a: {}}\n',
        [f':1:33: source.include: {PATTERNS} (got "*.jpg")'],
    ),
    "an absolute pattern": (
        'source: {path: photos, exclude: ["a", "/b/*"]}\ntarget: made\nrenditions: {a: {}}\n',
        [
            (
                ":1:39: source.exclude #2: must be a pattern for paths relative to the source, "
                'without / or ./ in front (got "/b/*")'
            )
        ],
    ),
    "a pattern that takes back another": (
        'source: {path: photos, exclude: ["*.jpg", "!a.jpg"]}\ntarget: made\nrenditions: {a: {}}\n',
        [
            (
                ":1:43: source.exclude #2: must be a pattern without ! in front (for the character itself: \\!) "
                '(got "!a.jpg")'
            )
        ],
    ),
    "a link switch in yesterday's YAML": (
        "source: {path: photos, follow_symlinks: no}\ntarget: made\nrenditions: {a: {}}\n",
        [':1:41: source.follow_symlinks: must be true, false or anywhere (got "no")'],
    ),
    "a negative settle": (
        "source: {path: photos, settle: -1}\ntarget: made\nrenditions: {a: {}}\n",
        [":1:32: source.settle: must be seconds, or a duration such as 10m or 1h30m, from 0s to 168h (got -1)"],
    ),
    "target is source": (
        "source: photos\ntarget: ./photos/\nrenditions: {a: {}}\n",
        [":2:9: target: must be another folder than source: originals are never written over"],
    ),
    "source inside target": (
        "source: all/photos\ntarget: {path: all}\nrenditions: {a: {}}\n",
        [":2:16: target.path: must not hold the source folder; a folder inside or beside source is fine"],
    ),
    "an unknown way out of collisions": (
        "source: photos\ntarget: {path: made, on_collision: keep-extension}\nrenditions: {a: {}}\n",
        [
            (
                ":2:36: target.on_collision: must be one of fail, keep_extension "
                '(got "keep-extension"; did you mean "keep_extension"?)'
            )
        ],
    ),
    "an order of another kind": (
        "source: photos\ntarget: made\nrenditions: {a: {}}\norder: new\n",
        [(':4:8: order: must be one of auto, path, newest, smallest (got "new"; did you mean "newest"?)')],
    ),
    "damage of another kind": (
        "source: photos\ntarget: made\nrenditions: {a: {}}\ntolerate: damaged\n",
        [':4:11: tolerate: must be one of nothing, truncated (got "damaged")'],
    ),
    "a durability of another kind": (
        "source: photos\ntarget: {path: made, durability: false}\nrenditions: {a: {}}\n",
        [":2:34: target.durability: must be one of sync, none (got false)"],
    ),
    "a mode that YAML reads as a number": (
        "source: photos\ntarget: {path: made, mode: 0640}\nrenditions: {a: {}}\n",
        [':2:28: target.mode: must be octal digits in quotes, such as "0640" (got 640)'],
    ),
    "a mode for programs": (
        'source: photos\ntarget: {path: made, mode: "0755"}\nrenditions: {a: {}}\n',
        [
            (
                ':2:28: target.mode: must be three octal digits such as "0640": '
                "readable by its owner, executable by nobody"
            )
        ],
    ),
    "a date of another kind": (
        "source: photos\ntarget: {path: made, mtime: keep}\nrenditions: {a: {}}\n",
        [':2:29: target.mtime: must be one of written, source (got "keep")'],
    ),
    # target.name
    "a field nobody knows": (
        name('"{stem}.{format}"'),
        [f":2:28: target.name: may hold only {FIELDS} (got {{format}})"],
    ),
    "a format spec": (name('"{stem:>9}.{ext}"'), [f":2:28: target.name: may hold only {FIELDS} (got {{stem:>9}})"]),
    "an attribute": (
        name('"{stem.__class__}"'),
        [f":2:28: target.name: may hold only {FIELDS} (got {{stem.__class__}})"],
    ),
    "a brace left open": (
        name('"{stem}-{rendition"'),
        [":2:28: target.name: has a { without its partner; a brace of its own is written {{"],
    ),
    "no field of the source": (
        name('"{rendition}.{ext}"'),
        [":2:28: target.name: must hold {stem} or {name}: without them all pictures make one file"],
    ),
    "an absolute name": (
        name('"/{stem}-{rendition}.{ext}"'),
        [":2:28: target.name: must be relative to the target; remove the leading /"],
    ),
    "a name that climbs": (
        name('"{dir}/../{stem}-{rendition}.{ext}"'),
        [':2:28: target.name: must not hold empty parts, "." or ".." between its slashes, nor end in /'],
    ),
    "the manifest's folder": (
        name('".pipeline/{stem}-{rendition}"'),
        [":2:28: target.name: must not make names that start with .pipeline: those are the program's own"],
    ),
    "a last part that may be empty": (
        name('"{stem}-{rendition}/{source_ext}"'),
        [":2:28: target.name: must hold more than {dir} or {source_ext} after its last slash: they can be empty"],
    ),
    "one name for two renditions": (
        name('"{dir}/{stem}.{ext}"'),
        [':3:29: renditions.b: would make the same files as "a"; put {rendition} into target.name'],
    ),
    "a width that is not there": (
        "source: photos\ntarget: {path: made, name: '{stem}-{width}.{ext}'}\nrenditions:\n  a: {height: 9}\n",
        [
            ":4:3: renditions.a: has no width, but target.name uses {width}; set it, or leave it out of target.name",
        ],
    ),
    "names that differ in capitals": (
        GOOD + "  Thumb: {width: 640}\n",
        [
            (
                ':5:3: renditions.Thumb: would make the same files as "thumb" where capitals do not count; '
                "choose another name"
            )
        ],
    ),
    # renditions
    "no renditions": (
        HEAD.replace("renditions:", "renditions: {}"),
        [':3:13: renditions: must hold at least one rendition, such as "thumb: {width: 320}"'],
    ),
    "renditions left empty": (HEAD, [f":3:12: renditions: {EMPTY}"]),
    "a rendition named like a key": (
        HEAD + "  width: 0\n",
        [":4:10: renditions.width: must be a mapping with keys below it (got 0)"],
    ),
    "a list of widths beside a width": (
        HEAD + "  a: {width: 1, widths: [320, x]}\n",
        [
            ":4:17: renditions.a.widths: stands in the place of width; leave one of them out",
            ':4:31: renditions.a.widths #2: must be a whole number from 1 to 65535 (got "x")',
        ],
    ),
    "a list of renditions": (
        HEAD + "  - {width: 320}\n",
        [":4:3: renditions: must be a mapping with keys below it (got a list)"],
    ),
    "a rendition that is a number": (
        HEAD + "  thumb: 320\n",
        [":4:10: renditions.thumb: must be a mapping with keys below it (got 320)"],
    ),
    "a rendition's name with a slash": (HEAD + "  web/thumb: {width: 3}\n", [f':4:3: renditions."web/thumb": {NAME}']),
    "a rendition's name that climbs": (HEAD + "  ..: {width: 3}\n", [f':4:3: renditions."..": {NAME}']),
    "a width of zero": (HEAD + "  a: {width: 0}\n", [f":4:14: renditions.a.width: {SIDE} (got 0)"]),
    "a width in quotes": (
        HEAD + '  a: {width: "320"}\n',
        [f':4:14: renditions.a.width: {SIDE} (got the text "320"; remove the quotes)'],
    ),
    "a width with a separator": (
        HEAD + "  a: {width: 1_280}\n",
        [f':4:14: renditions.a.width: {SIDE} (got the text "1_280"; write 1280)'],
    ),
    "a width with a unit": (HEAD + "  a: {width: 320px}\n", [f':4:14: renditions.a.width: {SIDE} (got "320px")']),
    "half a pixel": (HEAD + "  a: {width: 320.5}\n", [f":4:14: renditions.a.width: {SIDE} (got 320.5)"]),
    "a width that is true": (HEAD + "  a: {width: true}\n", [f":4:14: renditions.a.width: {SIDE} (got true)"]),
    "a width without value": (HEAD + "  a:\n    width:\n", [f":5:11: renditions.a.width: {EMPTY}"]),
    "too wide for WebP": (
        HEAD + "  a: {width: 16384, format: webp}\n",
        [":4:14: renditions.a.width: must be at most 16383 for webp (got 16384)"],
    ),
    "too high for JPEG": (
        HEAD + "  a: {height: 65501}\n",
        [":4:15: renditions.a.height: must be at most 65500 for jpeg (got 65501)"],
    ),
    "jpg": (
        HEAD + "  a: {format: jpg}\n",
        [
            (
                ":4:15: renditions.a.format: must be one of jpeg, png, webp, avif, gif, tiff, jxl "
                '(got "jpg"; did you mean "jpeg"?)'
            )
        ],
    ),
    "a fit of another vocabulary": (
        HEAD + "  a: {fit: crop}\n",
        [':4:12: renditions.a.fit: must be one of inside, cover, contain, fill, outside (got "crop")'],
    ),
    "cover with one side": (
        HEAD + "  a: {width: 300, fit: cover}\n",
        [":4:24: renditions.a.fit: cover needs both width and height; height is missing"],
    ),
    "fill with no side": (
        HEAD + "  a: {fit: fill}\n",
        [":4:12: renditions.a.fit: fill needs both width and height; width and height are missing"],
    ),
    "quality of nothing": (
        HEAD + "  a: {quality: 0}\n",
        [":4:16: renditions.a.quality: must be a whole number from 1 to 100 (got 0)"],
    ),
    "quality for PNG": (
        HEAD + "  a: {format: png, quality: 90}\n",
        [":4:29: renditions.a.quality: is only for jpeg, webp, avif, jxl; the format is png"],
    ),
    "a similarity of another measure": (
        HEAD + "  a: {quality: {ssim: 0.97}}\n",
        [f":4:16: renditions.a.quality: {NO_QUALITY} (got a mapping)"],
    ),
    "a similarity beyond what is seen": (
        HEAD + "  a: {quality: {ssimulacra2: 99}}\n",
        [":4:16: renditions.a.quality: ssimulacra2 must be a number from 10 to 95 (got a mapping)"],
    ),
    "lossless JPEG": (
        HEAD + "  a: {lossless: true}\n",
        [":4:17: renditions.a.lossless: is only for webp, jxl; the format is jpeg"],
    ),
    "lossless with a quality": (
        HEAD + "  a: {format: webp, quality: 9, lossless: true}\n",
        [":4:43: renditions.a.lossless: does not go with quality, which a lossless picture has none of"],
    ),
    "effort for JPEG": (
        HEAD + "  a: {effort: 3}\n",
        [":4:15: renditions.a.effort: is only for png, webp, avif, jxl; the format is jpeg"],
    ),
    "more effort than WebP knows": (
        HEAD + "  a: {format: webp, effort: 9}\n",
        [":4:29: renditions.a.effort: must be from 0 to 6 for webp (got 9)"],
    ),
    "no effort for JPEG XL": (
        HEAD + "  a: {format: jxl, effort: 0}\n",
        [":4:28: renditions.a.effort: must be from 1 to 9 for jxl (got 0)"],
    ),
    "subsampling for WebP": (
        HEAD + "  a: {format: webp, subsampling: '4:4:4'}\n",
        [":4:34: renditions.a.subsampling: is only for jpeg, avif; the format is webp"],
    ),
    "subsampling of another kind": (
        HEAD + "  a: {subsampling: 4:1:1}\n",
        [(':4:20: renditions.a.subsampling: must be one of 4:4:4, 4:2:2, 4:2:0 (got "4:1:1"; did you mean "4:4:4"?)')],
    ),
    "a progressive PNG": (
        HEAD + "  a: {format: png, progressive: true}\n",
        [":4:33: renditions.a.progressive: is only for jpeg; the format is png"],
    ),
    # Lists of URLs
    "keys of a list for a folder": (
        "source: {path: photos, columns: [a]}\n" + REST,
        [
            f":1:9: source: columns is for a list of URLs, {LISTS}",
        ],
    ),
    "keys of a folder for a list": (
        "source: {path: urls.txt, settle: 10m}\n" + REST,
        [":1:9: source: settle is for folders, and this is a list of URLs"],
    ),
    "columns of a text": (
        "source: {path: urls.txt.gz, url: link}\n" + REST,
        [":1:9: source: a .txt file has no columns: it is a URL a line"],
    ),
    "another refresh and another naming": (
        "source: {path: urls.csv, refresh: sometimes, naming: url}\n" + REST,
        [
            ':1:35: source.refresh: must be never, always, or a duration such as 7d or 12h (got "sometimes")',
            ':1:54: source.naming: must be one of path, hash (got "url")',
        ],
    ),
    "how URLs are fetched": (
        'source: {path: urls.csv, fetch: {per_host: 0, rate: 0, user_agent: "a\\nb", robot: true}}\n' + REST,
        [
            ":1:44: source.fetch.per_host: must be a whole number from 1 to 1024 (got 0)",
            ":1:53: source.fetch.rate: must be a number from 0.001 to 100000, or unlimited (got 0)",
            f':1:68: source.fetch.user_agent: {AGENT} (got "a\\nb")',
            ':1:76: source.fetch.robot: is no key that is known; did you mean "robots"?',
        ],
    ),
    "optimize for WebP": (
        HEAD + "  a: {format: webp, optimize: true}\n",
        [":4:31: renditions.a.optimize: is only for jpeg; the format is webp"],
    ),
    "optimize with chroma between": (
        HEAD + '  a: {subsampling: "4:2:2", optimize: true}\n',
        [":4:39: renditions.a.optimize: goes with the subsamplings 4:4:4 and 4:2:0 only"],
    ),
    "optimize without progressive": (
        HEAD + "  a: {progressive: false, optimize: true}\n",
        [":4:37: renditions.a.optimize: always writes progressive files; leave progressive out"],
    ),
    "a palette for JPEG": (
        HEAD + "  a: {colors: 16}\n",
        [":4:15: renditions.a.colors: is only for png, gif; the format is jpeg"],
    ),
    "a palette of one": (
        HEAD + "  a: {format: png, colors: 1}\n",
        [":4:28: renditions.a.colors: must be a whole number from 2 to 256 (got 1)"],
    ),
    "a wide profile with steps": (
        HEAD + "  a: {profile: display-p3, steps: [sharpen]}\n",
        [":4:16: renditions.a.profile: does not go with steps, which work in srgb"],
    ),
    "dither for WebP": (
        HEAD + "  a: {format: webp, dither: 0.5}\n",
        [":4:29: renditions.a.dither: is only for png, gif; the format is webp"],
    ),
    "dither without a palette": (
        HEAD + "  a: {format: png, dither: 0.5}\n",
        [":4:28: renditions.a.dither: is for a palette; a png has one with colors"],
    ),
    "too much dither": (
        HEAD + "  a: {format: gif, dither: 2}\n",
        [":4:28: renditions.a.dither: must be a number from 0 to 1 (got 2)"],
    ),
    "depth for JPEG": (
        HEAD + "  a: {depth: keep}\n",
        [":4:14: renditions.a.depth: is only for png, tiff, avif; the format is jpeg"],
    ),
    "another depth": (
        HEAD + "  a: {format: png, depth: 16}\n",
        [":4:27: renditions.a.depth: must be 8 or keep (got 16)"],
    ),
    "a depth that steps do not have": (
        HEAD + "  a: {format: png, depth: keep, steps: [sharpen]}\n",
        [":4:27: renditions.a.depth: keep does not go with steps, which are done at 8 bits"],
    ),
    "a depth that a palette does not have": (
        HEAD + "  a: {format: png, depth: keep, colors: 16}\n",
        [":4:27: renditions.a.depth: keep does not go with colors, which makes a palette of 8 bits"],
    ),
    "raws in full": (
        "source: {path: photos, raw: full}\ntarget: made\nrenditions: {a: {}}\n",
        [':1:29: source.raw: must be one of preview (got "full")'],
    ),
    "inks by another file": (
        HEAD + "  a: {cmyk_profile: it.yaml}\n",
        [':4:21: renditions.a.cmyk_profile: must be the file of an ICC profile for CMYK (got "it.yaml")'],
    ),
    "HDR in PNG": (
        HEAD + "  a: {format: png, hdr: keep}\n",
        [":4:25: renditions.a.hdr: is only for jpeg, avif; the format is png"],
    ),
    "another HDR": (
        HEAD + "  a: {hdr: drop}\n",
        [':4:12: renditions.a.hdr: must be one of sdr, keep (got "drop")'],
    ),
    "HDR with steps": (
        HEAD + "  a: {hdr: keep, steps: [sharpen]}\n",
        [":4:12: renditions.a.hdr: keep does not go with steps, which work in srgb"],
    ),
    "HDR with a background": (
        HEAD + "  a: {hdr: keep, width: 9, height: 9, fit: contain}\n",
        [":4:12: renditions.a.hdr: keep does not go with fit: contain, which has a background in srgb"],
    ),
    "HDR with chroma between": (
        HEAD + '  a: {format: avif, hdr: keep, subsampling: "4:2:2"}\n',
        [":4:26: renditions.a.hdr: keep goes with the subsamplings 4:4:4 and 4:2:0 only"],
    ),
    "a depth with chroma between": (
        HEAD + '  a: {format: avif, depth: keep, subsampling: "4:2:2"}\n',
        [":4:28: renditions.a.depth: keep goes with the subsamplings 4:4:4 and 4:2:0 only"],
    ),
    "max_bytes for PNG": (
        HEAD + "  a: {format: png, max_bytes: 9 kB}\n",
        [":4:31: renditions.a.max_bytes: is only for jpeg, webp, avif, jxl; the format is png"],
    ),
    "max_bytes without loss": (
        HEAD + "  a: {format: webp, lossless: true, max_bytes: 9 kB}\n",
        [":4:48: renditions.a.max_bytes: does not go with lossless: there is no quality to lower"],
    ),
    "max_bytes of nothing": (
        HEAD + "  a: {max_bytes: 0}\n",
        [f":4:18: renditions.a.max_bytes: {BYTES}, from 100 B to 1 TiB (got 0)"],
    ),
    "keep_smaller for TIFF": (
        HEAD + "  a: {format: tiff, keep_smaller: true}\n",
        [":4:35: renditions.a.keep_smaller: is only for jpeg, png, webp; the format is tiff"],
    ),
    "a profile in a GIF": (
        HEAD + "  a: {format: gif, profile: keep}\n",
        [":4:29: renditions.a.profile: a gif holds no profile; only srgb is possible"],
    ),
    "a profile in a JPEG XL": (
        HEAD + "  a: {format: jxl, profile: display-p3}\n",
        [":4:29: renditions.a.profile: no profile is written into a jxl here; only srgb is possible"],
    ),
    "metadata of an unknown policy": (
        HEAD + "  a: {metadata: all}\n",
        [':4:17: renditions.a.metadata: must be one of strip, rights, keep (got "all")'],
    ),
    "something private that is not a list": (
        HEAD + "  a: {private: gps}\n",
        [
            (
                ":4:16: renditions.a.private: must be a list of gps, serials, maker_notes, thumbnails, comments "
                '(got "gps")'
            )
        ],
    ),
    "something private of an unknown kind": (
        HEAD + "  a: {private: [gps, faces]}\n",
        [":4:16: renditions.a.private: must be a list of gps, serials, maker_notes, thumbnails, comments (got a list)"],
    ),
    "a page before the first": (
        HEAD + "  a: {page: -1}\n",
        [":4:13: renditions.a.page: must be a whole number from 0 to 65535, or largest (got -1)"],
    ),
    "a density of nothing": (
        HEAD + "  a: {density: 0}\n",
        [":4:16: renditions.a.density: must be a whole number from 1 to 65535, or keep (got 0)"],
    ),
    "a density for GIF": (
        HEAD + "  a: {format: gif, density: keep}\n",
        [":4:29: renditions.a.density: is only for jpeg, png, webp, avif, tiff, jxl; the format is gif"],
    ),
    "a background that YAML took for a comment": (
        HEAD + "  a:\n    background: #fff\n",
        [
            (
                ":5:16: renditions.a.background: has no value (an unquoted # starts a comment: "
                'write "#ffffff"); remove the key to have its default'
            )
        ],
    ),
    "a background that is no colour": (
        HEAD + "  a: {background: whit}\n",
        [
            (
                ':4:19: renditions.a.background: must be "#rgb" or "#rrggbb" in quotes, or a basic CSS colour '
                'such as white (got "whit"; did you mean "white"?)'
            )
        ],
    ),
    "a name with escapes": (
        HEAD + '  "a\\e[31m": {}\n',
        [f':4:3: renditions."a\\x1b[31m": {NAME}'],
    ),
    # workers and limits
    "an executor without a name": (
        GOOD + "executor: 4\n",
        [":5:11: executor: must be {dask: ADDRESS}, with the address of a Dask scheduler, or {dask: local} (got 4)"],
    ),
    "an executor that is none": (
        GOOD + "executor: {ray: auto}\n",
        [
            ":5:11: executor.dask: is missing",
            ":5:12: executor.ray: is no key that is known; known here: dask, workers, wait",
        ],
    ),
    "an address without a port": (
        GOOD + "executor: {dask: scheduler, wait: 0}\n",
        [
            f':5:18: executor.dask: {SCHEDULER} (got "scheduler")',
            ":5:35: executor.wait: must be seconds, or a duration such as 10m or 1h30m, from 1s to 8784h (got 0)",
        ],
    ),
    "workers of a scheduler that is elsewhere": (
        GOOD + "executor: {dask: tcp://scheduler:8786, workers: 4}\n",
        [":5:11: executor: workers is for dask: local; the workers of a scheduler are started beside it"],
    ),
    "workers left empty": (GOOD + "workers:\n", [f":5:9: workers: {EMPTY}"]),
    "workers as a number": (
        GOOD + "workers: 4\n",
        [":5:10: workers: must be gentle, or a mapping with keys such as threads (got 4)"],
    ),
    "workers of another kind": (
        GOOD + "workers: fast\n",
        [':5:10: workers: must be gentle, or a mapping with keys such as threads (got "fast")'],
    ),
    "nicer than can be": (
        GOOD + "workers: {nice: 20}\n",
        [":5:17: workers.nice: must be a whole number from 0 to 19 (got 20)"],
    ),
    "an I/O class that is not there": (
        GOOD + "workers: {ionice: low}\n",
        [':5:19: workers.ionice: must be one of best-effort, idle (got "low")'],
    ),
    "no threads": (
        GOOD + "workers: {threads: 0}\n",
        [":5:20: workers.threads: must be a whole number from 1 to 1024, or auto (got 0)"],
    ),
    "threads misspelt": (
        GOOD + "workers: {threads: atuo}\n",
        [
            ':5:20: workers.threads: must be a whole number from 1 to 1024, or auto (got "atuo"; did you mean "auto"?)',
        ],
    ),
    "processes below zero": (
        GOOD + "workers: {processes: -1}\n",
        [":5:22: workers.processes: must be a whole number from 0 to 1024, or auto (got -1)"],
    ),
    "an endless queue": (
        GOOD + "workers: {queue: .inf}\n",
        [":5:18: workers.queue: must be a whole number from 1 to 65536 (got .inf)"],
    ),
    "memory without a unit that is known": (
        GOOD + "workers: {memory: 2 gigs}\n",
        [f':5:19: workers.memory: {BYTES}, from 16 MiB to 1024 TiB, or auto (got "2 gigs")'],
    ),
    "memory that is too little": (
        GOOD + "limits: {memory: 1 MB}\n",
        [f':5:18: limits.memory: {BYTES}, from 16 MiB to 1024 TiB (got "1 MB")'],
    ),
    "pixels in bytes": (
        GOOD + "limits: {pixels: 100 MB}\n",
        [
            (
                ':5:18: limits.pixels: must be a count such as "100 Mpx" or a number of pixels, from 1 px to 1000 Gpx '
                '(got "100 MB")'
            )
        ],
    ),
    "seconds that are no number": (
        GOOD + "limits: {seconds: .nan}\n",
        [":5:19: limits.seconds: must be seconds, or a duration such as 10m or 1h30m, from 0.1s to 24h (got .nan)"],
    ),
    "seconds that are a word": (
        GOOD + "max_runtime: soon\n",
        [':5:14: max_runtime: must be seconds, or a duration such as 10m or 1h30m, from 0.1s to 8784h (got "soon")'],
    ),
    "a name whose last part has no extension at its end": (
        "source: photos\ntarget: {path: made, name: '{dir}.d/{stem}.{ext}-{rendition}'}\nrenditions: {a: {}}\n",
        [":2:28: target.name: makes names without an extension, which no browser knows; end it with .{ext}"],
    ),
    "a limit that another section has": (
        GOOD + "limits: {queue: 3}\n",
        [':5:10: limits.queue: is no key that is known; it belongs under "workers"'],
    ),
    "a manifest in the home folder": (
        GOOD + "manifest: ~/m.sqlite\n",
        [
            (
                ":5:11: manifest: must not start with ~, another folder for each user that runs this; write it out "
                '(got "~/m.sqlite")'
            )
        ],
    ),
    "a manifest that is the root": (
        GOOD + "manifest: /\n",
        [":5:11: manifest: must be a file, and this is a folder; name a file in it, such as manifest.sqlite"],
    ),
    "a lock that is the manifest": (
        GOOD + "manifest: m.sqlite\nlock: ./m.sqlite\n",
        [":6:7: lock: must be a file of its own, and this is the manifest"],
    ),
    "a manifest that is a folder": (
        GOOD + "manifest: .\n",
        [":5:11: manifest: must be a file, and this is a folder; name a file in it, such as manifest.sqlite"],
    ),
    "a manifest that is a device": (
        GOOD + "manifest: /dev/null\n",
        [":5:11: manifest: must be a regular file, and this is none"],
    ),
    "a lock among the devices": (
        GOOD + "lock: /dev/shm/lock\n",
        [":5:7: lock: must be on a disk: what is there is gone after a restart"],
    ),
    # notify
    "a command in one text": (
        GOOD + "notify: {command: mail me}\n",
        [
            (
                ':5:19: notify.command: must be a list such as ["./tell.sh", "1"], or a mapping with the key run '
                '(got "mail me")'
            )
        ],
    ),
    "a command of nothing": (
        GOOD + "notify: {command: []}\n",
        [':5:19: notify.command: must be a list of texts such as ["./tell.sh", "1"] (got a list)'],
    ),
    "a command after what never happens": (
        GOOD + "notify: {command: {run: [mail], on: never}}\n",
        [':5:37: notify.command.on: must be one of failure, success, always (got "never")'],
    ),
    "a ping without its URL": (GOOD + "notify: {ping: {}}\n", [":5:16: notify.ping.url_env: is missing"]),
    "metrics that nobody reads": (
        GOOD + "notify: {metrics: thumbs.txt}\n",
        [
            ':5:19: notify.metrics: must end with .prom: no other file is read by node_exporter (got "thumbs.txt")',
        ],
    ),
    "a status file among the targets": (
        GOOD + "notify: {status_file: made/status.json}\n",
        [
            ":5:23: notify.status_file: must not be in the target folder, which holds what is made of pictures only",
        ],
    ),
    "a report among the targets": (
        GOOD + "report: made/index.html\n",
        [":5:9: report: must not be in the target folder, which holds what is made of pictures only"],
    ),
    "a report over the manifest": (
        GOOD + "manifest: m.sqlite\nreport: m.sqlite\n",
        [":6:9: report: must be a file of its own"],
    ),
    "a status file over the config": (
        GOOD + "notify: {status_file: it.yaml}\n",
        [":5:23: notify.status_file: must be a file of its own"],
    ),
    "a sharing that is no switch": (
        GOOD + "shared: group\n",
        [':5:9: shared: must be true or false (got "group")'],
    ),
    # Several sources
    "sources beside a source": (
        GOOD + "sources: [{path: scans, prefix: scans}]\n",
        [":5:1: sources: stands in the place of source; leave one of them out"],
    ),
    "sources without a prefix": (
        "sources:\n  - photos\n  - {path: scans}\n  - {prefix: c}\ntarget: made\nrenditions: {a: {}}\n",
        [
            ':2:5: sources #1: must be a mapping with the keys path or url, and prefix (got "photos")',
            ":3:5: sources #2.prefix: is missing",
            ":4:5: sources #3: must have a path; a store such as s3://bucket/photos is its url",
        ],
    ),
    "no sources": (
        "sources: []\ntarget: made\nrenditions: {a: {}}\n",
        [":1:10: sources: must be a list of folders such as [{path: photos, prefix: photos}] (got a list)"],
    ),
    "prefixes that are no folders": (
        "sources:\n  - {path: a, prefix: b/c}\n  - {path: d, prefix: .hidden}\n  - {path: e, prefix: 7}\n" + REST,
        [
            f':2:23: sources #1.prefix: {PREFIX} (got "b/c")',
            f':3:23: sources #2.prefix: {PREFIX} (got ".hidden")',
            f":4:23: sources #3.prefix: {PREFIX} (got 7)",
        ],
    ),
    "two sources with one prefix": (
        "sources:\n  - {path: a, prefix: Scans}\n  - {path: b, prefix: scans}\ntarget: made\nrenditions: {a: {}}\n",
        [":3:23: sources #2.prefix: must be another than that of sources #1; capitals do not count"],
    ),
    "sources that overlap": (
        "sources:\n  - {path: a/b, prefix: b}\n  - {path: ./a, prefix: a}\n  - {path: c/../a/b, prefix: c}\n" + REST,
        [
            f":3:12: sources #2.path: {OVERLAP}",
            f":4:12: sources #3.path: {OVERLAP}",
        ],
    ),
    "a target that is one of the sources": (
        "sources:\n  - {path: a, prefix: a}\n  - {path: made/b, prefix: b}\ntarget: made\nrenditions: {a: {}}\n",
        [":4:9: target: must not hold the source folder; a folder inside or beside source is fine"],
    ),
    "a typing error in the second source": (
        "sources:\n  - {path: a, prefix: a}\n  - {path: b, prefix: b, inclde: []}\ntarget: made\nrenditions: {a: {}}\n",
        [':3:26: sources #2.inclde: is no key that is known; did you mean "include"?'],
    ),
    # Rules
    "rules that are none": (GOOD + "rules: {match: a}\n", [f":5:8: rules: {RULES} (got a mapping)"]),
    "a rule without its parts": (
        GOOD + "rules: [{}, scans, {match: [], renditions: {}}]\n",
        [
            ":5:9: rules #1.match: is missing",
            ":5:9: rules #1.renditions: is missing",
            ':5:13: rules #2: must be a mapping with keys below it (got "scans")',
            ':5:28: rules #3.match: must be a list of patterns such as ["scans/**"] (got a list)',
        ],
    ),
    "rules with mistakes": (
        GOOD
        + "rules:\n  - match: '!a'\n    renditions:\n      thumb: {widht: 3, quality: 200}\n      zoom: {fit: crop}\n",
        [
            ':6:12: rules #1.match: must be a pattern without ! in front (for the character itself: \\!) (got "!a")',
            ':8:15: rules #1.renditions.thumb.widht: is no key that is known; did you mean "width"?',
            ":8:34: rules #1.renditions.thumb.quality: must be a whole number from 1 to 100 (got 200)",
            ':9:19: rules #1.renditions.zoom.fit: must be one of inside, cover, contain, fill, outside (got "crop")',
        ],
    ),
    "a rule that leaves out what is not there": (
        GOOD + "rules: [{match: a, renditions: {tumb: false}}]\n",
        [
            ':5:33: rules #1.renditions.tumb: is no rendition to leave out; did you mean "thumb"?',
        ],
    ),
    "a rule that leaves out everything": (
        GOOD + "rules: [{match: a, renditions: {thumb: false}}]\n",
        [":5:32: rules #1.renditions: leaves nothing to be made; name these pictures in the exclude of their source"],
    ),
    "a rule that is on top of a mistake": (
        HEAD + "  a: {width: 0}\nrules: [{match: a, renditions: {a: {height: 3}}}, {match: b, renditions: {}}]\n",
        [f":4:14: renditions.a.width: {SIDE} (got 0)"],
    ),
    "a rule that makes two files of one name": (
        name("'{stem}-{width}.{ext}'") + "rules: [{match: a, renditions: {b: {width: 9}}}]\n",
        [
            ':4:33: rules #1.renditions.b: would make the same files as "a"; put {rendition} into target.name',
        ],
    ),
    "a rule about a member of a family": (
        HEAD + "  page: {widths: [8, 9]}\nrules:\n  - {match: a, renditions: {page-8: {quality: 9}}}\n"
        "  - {match: b, renditions: {page: {widths: [8, 8]}}}\n",
        [
            ':4:19: rules #1.renditions.page: makes a rendition "page-8", which is there already',
            ":7:48: rules #2.renditions.page.widths #2: is there twice",
        ],
    ),
    "rules without end": (
        GOOD + "rules: [" + "{match: a, renditions: {}}, " * 101 + "]\n",
        [":5:8: rules: are 101; 100 are the most"],
    ),
    "a rule with a list as a format": (
        GOOD + "rules: [{match: a, renditions: {thumb: {format: [{}], formats: [[]]}}}]\n",
        [
            f":5:49: rules #1.renditions.thumb.format: {FORMATS} (got a list)",
            ":5:55: rules #1.renditions.thumb.formats: stands in the place of format; leave one of them out",
            f":5:65: rules #1.renditions.thumb.formats #1: {FORMATS} (got a list)",
        ],
    ),
    # Everything at once
    "many errors, in the order of the file": (
        (
            "sources: photos\ntarget: {path: made, name: '{stem}.jpg'}\nrenditions:\n  a: {width: 1, fit: crop}\n"
            "  b: {width: 2}\n  c: {height: 2}\nlimits: {frames: 0}\nlimits: {}\n"
        ),
        [
            ':1:10: sources: must be a list of folders such as [{path: photos, prefix: photos}] (got "photos")',
            ':4:22: renditions.a.fit: must be one of inside, cover, contain, fill, outside (got "crop")',
            ':6:3: renditions.c: would make the same files as "b"; put {rendition} into target.name',
            ":7:18: limits.frames: must be a whole number from 1 to 1000000 (got 0)",
            ":8:1: limits: is there twice (first in line 7)",
        ],
    ),
    # Which pictures of a source are taken
    "only with wrong values": (
        "source: {path: photos, only: {min_width: 0, max_height: wide, max_aspect: 0.5, formats: [jpg], sizes: 3}}\n"
        + REST,
        [
            f":1:42: source.only.min_width: {SIDE} (got 0)",
            f':1:57: source.only.max_height: {SIDE} (got "wide")',
            ":1:75: source.only.max_aspect: must be a number from 1 to 1000 (got 0.5)",
            f':1:90: source.only.formats #1: must be one of {TAKEN} (got "jpg"; did you mean "jpeg"?)',
            f":1:96: source.only.sizes: is no key that is known; known here: {ONLY}",
        ],
    ),
    "only that no picture meets": (
        "source: {path: photos, only: {min_width: 300, max_width: 200}}\n" + REST,
        [":1:30: source.only: min_width is more than max_width, so no picture is taken"],
    ),
    "only as a list": (
        "source: {path: photos, only: [jpeg]}\n" + REST,
        [":1:30: source.only: must be a mapping with keys below it (got a list)"],
    ),
    # Tar shards
    "pictures without shards": (
        "source: photos\ntarget: {path: made, pictures: 9}\nrenditions: {a: {}}\n",
        [":2:9: target: pictures is for tar shards (shards: webdataset)"],
    ),
    "a name in shards": (
        "source: photos\ntarget: {path: made, shards: webdataset, name: '{stem}.{ext}'}\nrenditions: {a: {}}\n",
        [":2:9: target: name is for files: what is in a shard is named by the key of its picture"],
    ),
    "dates in shards": (
        "source: photos\ntarget: {path: made, shards: webdataset, mtime: source}\nrenditions: {a: {}}\n",
        [":2:9: target: mtime: source is for files: what is in a shard has no date"],
    ),
    "an order in shards": (
        "source: photos\ntarget: {path: made, shards: webdataset}\nrenditions: {a: {}}\norder: newest\n",
        [":4:8: order: must be path for tar shards, which are filled in that order"],
    ),
    "shards of another kind": (
        "source: photos\ntarget: {path: made, shards: zip, pictures: 0}\nrenditions: {a: {}}\n",
        [
            ':2:30: target.shards: must be one of webdataset (got "zip")',
            ":2:45: target.pictures: must be a whole number from 1 to 100000 (got 0)",
        ],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_config_gets_exactly_these_words(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, expected = WRONG[case]
    (tmp_path / "it.yaml").write_text(text, encoding="utf-8", newline="")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        load(Path("it.yaml"))
    expected = [f"it.yaml{line}".replace("pipeline init", to_copy("init")) for line in expected]
    assert str(error.value).splitlines() == expected
    assert str(error.value).isascii()
