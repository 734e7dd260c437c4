"""The kinds of values that are text with a meaning of its own: colours, paths, templates, globs. See `kinds`."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass

from pipeline.config.braces import alternatives
from pipeline.config.section import Json, Kind, rule, wrong
from pipeline.config.settings import LOCAL, SERVICES
from pipeline.config.template import Template
from pipeline.errors import has_password

COLOURS = {
    "aqua": "#00ffff",
    "black": "#000000",
    "blue": "#0000ff",
    "fuchsia": "#ff00ff",
    "gray": "#808080",
    "green": "#008000",
    "grey": "#808080",
    "lime": "#00ff00",
    "maroon": "#800000",
    "navy": "#000080",
    "olive": "#808000",
    "purple": "#800080",
    "red": "#ff0000",
    "silver": "#c0c0c0",
    "teal": "#008080",
    "white": "#ffffff",
    "yellow": "#ffff00",
}
"""The basic colours of CSS."""


_FOLDER_NAME = r"[^./][^/]{0,63}"
_SCHEDULER = rf"{LOCAL}|(?:tcp|tls|ucx|ws|wss)://[^/@\s]+:[0-9]{{1,5}}"


@dataclass(frozen=True, slots=True)
class Colour(Kind):
    """`"#rgb"`, `"#rrggbb"` or a basic colour's name. Becomes `#rrggbb` in lower case.

    With `alpha` also `"#rrggbbaa"` and `transparent`, which become `#rrggbbaa`, unless they are opaque.
    """

    alpha: bool = False

    def parse(self, value: object) -> str:
        """See `Kind`."""
        text = value if isinstance(value, str) else ""
        if text in COLOURS:
            return COLOURS[text]
        if self.alpha and text == "transparent":
            return "#00000000"
        if self.alpha and re.fullmatch(r"#[0-9a-fA-F]{8}", text):
            return text.lower().removesuffix("ff")
        if re.fullmatch(r"#[0-9a-fA-F]{3}", text):
            text = "#" + "".join(digit * 2 for digit in text[1:])
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
            raise wrong('must be "#rgb" or "#rrggbb" in quotes, or a basic CSS colour such as white', " ".join(COLOURS))
        return text.lower()

    def json(self) -> Json:
        """See `Kind`."""
        hexadecimal = {"type": "string", "pattern": "^#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"}
        if self.alpha:
            hexadecimal["pattern"] = "^#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$"
        return {"anyOf": [hexadecimal, {"enum": [*COLOURS, *["transparent"] * self.alpha]}]}


_MODE = "0?[46][0246][0246]"


@dataclass(frozen=True, slots=True)
class FileMode(Kind):
    """The permissions of a file in octal digits, as a text: `0640` without quotes is the number 640 in YAML."""

    def parse(self, value: object) -> int:
        """See `Kind`."""
        if not isinstance(value, str):
            raise wrong('must be octal digits in quotes, such as "0640"')
        if not re.fullmatch(_MODE, value):
            raise rule('must be three octal digits such as "0640": readable by its owner, executable by nobody')
        return int(value, 8)

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": f"^{_MODE}$"}


@dataclass(frozen=True, slots=True)
class LocalPath(Kind):
    """A file or folder on this machine, as written; it is made absolute where the config is built."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str) or not value:
            raise wrong("must be a path")
        if "\0" in value:
            raise wrong("must be a path without NUL characters")
        if value.startswith("~"):
            raise wrong("must not start with ~, another folder for each user that runs this; write it out")
        if is_url(value):
            raise wrong("must be a path on this machine, not a URL")
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^[^~]"}


_ELSEWHERE = ("http", "https", "file", "local", "s3a", "gcs", "abfs", "abfss", "adl")  # of fsspec: ours are other words


def _protocols() -> list[str]:
    from fsspec import available_protocols  # noqa: PLC0415 - an extra, and 60 ms

    return list(available_protocols())


def is_url(value: object) -> bool:
    """Whether it is written as a URL, or as a chain of them such as simplecache::sftp://host/photos."""
    scheme = "[A-Za-z][A-Za-z0-9+.-]*"
    return isinstance(value, str) and re.match(f"(?:{scheme}::)*{scheme}://", value) is not None


@dataclass(frozen=True, slots=True)
class StoreUrl(Kind):
    """A bucket, or a prefix in one. Becomes the URL without slashes at its end. No message shows a password in it."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str) or not is_url(value):
            raise wrong("must be the URL of a store such as s3://bucket/photos")
        scheme = value.partition(":")[0]
        bucket, _, prefix = value.partition("://")[2].partition("/")
        if scheme not in SERVICES:
            return self._of_fsspec(value, scheme)
        if "@" in bucket:
            raise rule("must have no user and password: they come from the environment")
        if not re.fullmatch(r"[A-Za-z0-9._$-]+", bucket):
            raise wrong(f"must name a bucket, as {scheme}://bucket/photos does")
        parts = prefix.rstrip("/").split("/") if prefix.strip("/") else []
        if not all(part.isprintable() and part not in ("", ".", "..") for part in parts):
            raise wrong("must have no empty parts, no . and .., and no control characters in its path")
        return "/".join((f"{scheme}://{bucket}", *parts))

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^([a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]*://[^/]*"}

    def _of_fsspec(self, value: str, scheme: str) -> str:
        if scheme in _ELSEWHERE or (importlib.util.find_spec("fsspec") and scheme not in _protocols()):
            known = ", ".join(f"{service}://" for service in SERVICES)
            raise rule(f"must begin with {known}, or what fsspec knows, such as sftp://; a list of URLs is a file")
        if has_password(value):
            raise rule("must have no password: it comes from the configuration of fsspec")
        return value.rstrip("/")


@dataclass(frozen=True, slots=True)
class ColumnOrStore(Kind):
    """The name of a column, or the URL of a store as in `StoreUrl`."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if is_url(value):
            return StoreUrl().parse(value)
        if not isinstance(value, str):
            raise wrong("must be the URL of a store such as s3://bucket/photos, or the name of a column")
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Endpoint(Kind):
    """The address of a service: scheme, host and port."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        text = value if isinstance(value, str) else ""
        if "@" in text:
            raise rule("must have no user and password: they come from the environment")
        if not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[A-Za-z0-9._/-]*)?", text):
            raise wrong("must be the address of a service such as https://minio.example.org:9000")
        return text.rstrip("/")

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^https?://[^@]+$"}


@dataclass(frozen=True, slots=True)
class SchedulerAddress(Kind):
    """The address of a Dask scheduler, or `local`."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str) or not re.fullmatch(_SCHEDULER, value):
            raise wrong("must be the address of a Dask scheduler such as tcp://scheduler:8786, or local", LOCAL)
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": f"^(?:{_SCHEDULER})$"}


@dataclass(frozen=True, slots=True)
class MetricsPath(LocalPath):
    """A file for node_exporter's textfile collector, which reads only names that end with .prom."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        path = LocalPath.parse(self, value)
        if not path.endswith(".prom"):
            raise wrong("must end with .prom: no other file is read by node_exporter")
        return path

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": r"^[^~].*\.prom$"}


@dataclass(frozen=True, slots=True)
class VariableName(Kind):
    """The name of an environment variable. A message never shows a wrong value: it may be the secret itself."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            return value
        raise rule("must be the name of an environment variable that holds the URL, such as HC_URL")

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}


@dataclass(frozen=True, slots=True)
class HeaderText(Kind):
    """The value of an HTTP header: printable ASCII on one line."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str) or not value.strip() or not (value.isascii() and value.isprintable()):
            raise wrong('must be a text in ASCII such as "example-thumbs/1.0 (me@example.org)"')
        return value.strip()

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": "^[ -~]+$"}


_TYPED = ("Cache-Control", "Content-Disposition", "Content-Language", "Storage-Class")
_METADATA = ("x-amz-meta-", "x-goog-meta-", "x-ms-meta-")


@dataclass(frozen=True, slots=True)
class ObjectHeaders(Kind):
    """Headers that objects are stored with, by name. The services' prefixes of metadata are left out."""

    def parse(self, value: object) -> dict[str, str]:
        """See `Kind`."""
        if not isinstance(value, dict):
            raise wrong('must be a mapping such as {Cache-Control: "max-age=31536000"}')
        return {self._name(name): HeaderText().parse(text) for name, text in value.items()}

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "object", "additionalProperties": HeaderText().json()}

    def _name(self, written: object) -> str:
        name = written if isinstance(written, str) else ""
        typed = {known.lower(): known for known in _TYPED}
        if name.lower() in typed:
            return typed[name.lower()]
        if name.lower() in ("content-type", "content-encoding"):
            raise rule(f"{name} cannot be set: it follows from the format")
        plain = next((name[len(prefix) :] for prefix in _METADATA if name.lower().startswith(prefix)), name)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", plain):
            raise rule(f"must be {', '.join(_TYPED)}, or names of metadata in letters, digits, - and _")
        return plain


@dataclass(frozen=True, slots=True)
class Words(Kind):
    """A program and its arguments, as a list of texts."""

    def parse(self, value: object) -> list[str]:
        """See `Kind`."""
        words = value if isinstance(value, list) else []
        if not words or not words[0] or not all(isinstance(word, str) and "\0" not in word for word in words):
            raise wrong('must be a list of texts such as ["./tell.sh", "1"]')
        return words

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "array", "items": {"type": "string"}, "minItems": 1}


@dataclass(frozen=True, slots=True)
class TargetName(Kind):
    """A template of target names, as text that `Template.parse` accepts."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str):
            raise wrong("must be a template such as {dir}/{stem}-{rendition}.{ext}")
        try:
            template = Template.parse(value)
        except ValueError as error:
            raise rule(str(error)) from None
        if not template.has_extension:
            raise rule("makes names without an extension, which no browser knows; end it with .{ext}")
        return template.text

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string"}


@dataclass(frozen=True, slots=True)
class Prefix(Kind):
    """The name of a folder: what the names of a source's pictures begin with. Never one that no source would list."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        text = value if isinstance(value, str) else ""
        if not re.fullmatch(_FOLDER_NAME, text) or not text.isprintable() or text != text.strip():
            raise wrong("must be the name of a folder such as scans, without slashes and a dot in front")
        return text

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "pattern": f"^{_FOLDER_NAME}$"}


@dataclass(frozen=True, slots=True)
class Glob(Kind):
    """A pattern that is matched against paths relative to the source."""

    def parse(self, value: object) -> str:
        """See `Kind`."""
        if not isinstance(value, str) or not value or "\0" in value:
            raise wrong('must be a pattern such as "*.jpg"')
        if value.startswith(("/", "./", "../")):
            raise wrong("must be a pattern for paths relative to the source, without / or ./ in front")
        if value.startswith("!"):
            raise wrong("must be a pattern without ! in front (for the character itself: \\!)")
        try:
            alternatives(value)
        except ValueError as error:
            raise wrong(f"must be a simpler pattern: it {error}") from None
        return value

    def json(self) -> Json:
        """See `Kind`."""
        return {"type": "string", "minLength": 1}
