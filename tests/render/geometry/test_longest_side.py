from __future__ import annotations

import pytest
from PIL import Image

from pipeline.errors import ErrorKind
from pipeline.model.rendering import NotRendered, Rendered
from pipeline.model.spec import Format, Spec
from tests.pictures import encoded
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
