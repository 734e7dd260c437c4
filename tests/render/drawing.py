"""Rendering as the tests of this room do it: bytes in, answer and opened renditions out."""

from __future__ import annotations

import io
import os

from PIL import Image

from pipeline.model.rendering import RenderAnswer, Rendered, RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import Limits, Spec
from pipeline.render.line import render
from pipeline.workers.exchange import whole
from tests.pictures import descriptor_of


def answer_to(
    content: bytes, *specs: Spec, limits: Limits | None = None, beside: tuple[Spec, ...] = ()
) -> tuple[RenderAnswer, dict[str, bytes]]:
    """The answer, and each rendition's bytes by its name; the config has the specs `beside`, too."""
    descriptor = descriptor_of(content)
    try:
        line = render(whole(descriptor), RenderTask(specs, limits or Limits(), beside=beside))
        header = next(line).payload
        assert isinstance(header, Header)
        answer, descriptors = next(line)
        assert isinstance(answer, RenderAnswer)
        assert answer.header == header
        assert list(line) == []
    finally:
        os.close(descriptor)
    contents = []
    for descriptor in descriptors:
        with os.fdopen(descriptor, "rb") as file:
            contents.append(file.read())
    return answer, {
        rendition.name: contents[rendition.index] for rendition in answer.renditions if isinstance(rendition, Rendered)
    }


def rendition(content: bytes, spec: Spec) -> Image.Image:
    """The one rendition of `content` under `spec`, opened."""
    answer, files = answer_to(content, spec)
    (made,) = answer.renditions
    assert isinstance(made, Rendered), made
    image = Image.open(io.BytesIO(files[spec.name]))
    assert image.size == (made.width, made.height)
    assert made.size == len(files[spec.name])
    return image
