"""XMP packets as lists of properties: a reader for packets of any program, and a writer that adds nothing.

Packets with a document type are refused, because entities (and bombs made of them) need one. Deep nesting is cut.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC, PHOTOSHOP = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/photoshop/1.0/"
_XML = "http://www.w3.org/XML/1998/namespace"
_PREFIXES = {
    RDF: "rdf",
    DC: "dc",
    PHOTOSHOP: "photoshop",
    _XML: "xml",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.useplus.org/ldf/xmp/1.0/": "plus",
    "http://creativecommons.org/ns#": "cc",
}
_MOST = 1 << 20  # bytes
_DEEPEST = 12  # nested elements; photographs need six

_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
_TAIL = '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'


@dataclass(frozen=True, slots=True)
class Property:
    """One property of the picture: its name as `{namespace}name`, and its XML element."""

    name: str
    element: ElementTree.Element

    @property
    def text(self) -> str:
        """The text of the default language, or all texts of a list."""
        items = [item for item in self.element.iter(f"{{{RDF}}}li") if item.text]
        default = [item for item in items if item.get(f"{{{_XML}}}lang") == "x-default"]
        said = [str(item.text) for item in default or items] or [self.element.text or ""]
        return ", ".join(text.strip() for text in said)

    @property
    def names(self) -> frozenset[str]:
        """All element and attribute names within it, in lower case, without namespaces."""
        everything = (name for element in self.element.iter() for name in (element.tag, *element.attrib))
        return frozenset(name.rpartition("}")[2].lower() for name in everything)


def read(packet: bytes) -> tuple[Property, ...]:
    """The properties of `packet`, in its order. Raises ValueError if it cannot be read."""
    if len(packet) > _MOST:
        raise ValueError("XMP of more than a megabyte")
    # Not utf-8-sig: Python loads that codec on first use, and a confined child cannot load anything.
    said = packet.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").strip("\0 \t\r\n")
    if re.search(r"<!(?:DOCTYPE|ENTITY)|\0", said):  # NUL: UTF-16, which is never written and could hide one
        raise ValueError("XMP with a document type")
    try:
        root = ElementTree.fromstring(said)  # noqa: S314 -- see above; a text is read as UTF-8, whatever it declares
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"XMP: {error}") from None
    properties = []
    for description in (
        child for rdf in root.iter(f"{{{RDF}}}RDF") for child in rdf if child.tag == f"{{{RDF}}}Description"
    ):
        for name, value in description.attrib.items():
            if name.startswith("{") and not name.startswith((f"{{{RDF}}}", f"{{{_XML}}}")):
                element = ElementTree.Element(name)
                element.text = value
                properties.append(Property(name, element))
        properties += [Property(child.tag, child) for child in description if child.tag.startswith("{")]
    return tuple(property_ for property_ in properties if not _is_deep(property_.element))


def write(properties: Iterable[Property]) -> bytes:
    """A packet of `properties`; empty if there are none."""
    prefixes: dict[str, str] = {RDF: "rdf"}
    inner = "".join(_written(property_.element, prefixes) for property_ in properties)
    if not inner:
        return b""
    spaces = "".join(f" xmlns:{prefix}={_quoted(space)}" for space, prefix in prefixes.items() if space != _XML)
    described = f'<rdf:Description rdf:about="">{inner}</rdf:Description>'
    return f"{_HEAD}{spaces}>{described}{_TAIL}".encode("utf-8", "replace")


def plain(space: str, name: str, said: str) -> Property:
    """A property that is a text."""
    element = ElementTree.Element(f"{{{space}}}{name}")
    element.text = said
    return Property(element.tag, element)


def listed(space: str, name: str, kind: str, said: Iterable[str]) -> Property:
    """A property that is a list of `kind` (Seq, Bag, Alt); the items of an Alt are in the default language."""
    element = ElementTree.Element(f"{{{space}}}{name}")
    items = ElementTree.SubElement(element, f"{{{RDF}}}{kind}")
    for text in said:
        item = ElementTree.SubElement(items, f"{{{RDF}}}li", {f"{{{_XML}}}lang": "x-default"} if kind == "Alt" else {})
        item.text = text
    return Property(element.tag, element)


def _is_deep(element: ElementTree.Element) -> bool:
    level = [element]
    for _ in range(_DEEPEST):
        level = [child for parent in level for child in parent]
    return bool(level)


def _written(element: ElementTree.Element, prefixes: dict[str, str]) -> str:
    name = _prefixed(str(element.tag), prefixes)
    attributes = "".join(
        f" {_prefixed(key, prefixes)}={_quoted(_clean(value))}" for key, value in element.attrib.items()
    )
    inner = _escaped(_clean(element.text or "")) if not len(element) else ""
    inner += "".join(_written(child, prefixes) for child in element)
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;")


def _quoted(value: str) -> str:
    """Quotes like `xml.sax.saxutils`, whose import takes 20 ms because it loads an HTTP client."""
    value = _escaped(value).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
    if '"' in value and "'" not in value:
        return f"'{value}'"
    return '"' + value.replace('"', "&quot;") + '"'


def _prefixed(name: str, prefixes: dict[str, str]) -> str:
    if not name.startswith("{"):
        return name
    space, local = name[1:].split("}", 1)
    known: Mapping[str, str] = _PREFIXES
    return f"{prefixes.setdefault(space, known.get(space, f'ns{len(prefixes)}'))}:{local}"


def _clean(said: str) -> str:
    """`said` without characters that XML forbids."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", said)
