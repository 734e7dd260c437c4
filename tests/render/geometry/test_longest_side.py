from __future__ import annotations

import pytest
from PIL import Image

from pipeline.errors import ErrorKind
from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.spec import AS_SOURCE, Format, Spec
from tests.pictures import encoded, png16
from tests.render.drawing import answer_to


@pytest.mark.parametrize(
    ("format_", "most"), [(Format.JPEG, 65_500), (Format.WEBP, 16_383), (Format.AVIF, 32_768), (Format.GIF, 65_535)]
)
def test_a_side_that_the_format_cannot_have_is_said_in_words(format_: Format, most: int) -> None:
    """The longest that is allowed can be made and opened again; one more is refused before it is encoded."""
    for height, fits in ((most, True), (most + 1, False)):
        content = encoded(Image.new("L", (1, height)), "PNG")
        answer, _made = answer_to(content, Spec("tall", width=1, format=format_))
        (made,) = answer.renditions
        if fits:
            assert isinstance(made, Rendered)
            assert (made.width, made.height) == (1, height)
        else:
            assert isinstance(made, NotRendered)
            assert made.error.kind == ErrorKind.NOT_ENCODABLE
            assert f"{format_} has at most {most:,} a side" in made.error.detail


def test_png_of_16_bits_has_no_such_side_also_beyond_the_million_that_libpng_takes() -> None:
    """libpng refuses more by itself; libvips, which reads and writes these, does not use it so."""
    content = png16((1_000_001, 1), "L", [1_000] * 1_000_001)
    answer, _made = answer_to(content, Spec("long", format=Format.PNG, depth=AS_SOURCE))
    (made,) = answer.renditions
    assert isinstance(made, Rendered), made
    assert (made.width, made.height) == (1_000_001, 1)
