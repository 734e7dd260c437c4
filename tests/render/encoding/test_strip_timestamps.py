from __future__ import annotations

from PIL import Image

from pipeline.model.spec import Format, Spec
from tests.pictures import BLUE, RED, encoded
from tests.render.drawing import answer_to


def test_an_animated_avif_does_not_know_when_it_was_made() -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]
    encode_input = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    _, files = answer_to(encode_input, Spec("a", format=Format.AVIF))
    for box in (b"mvhd", b"tkhd", b"mdhd"):
        version, times = files["a"].index(box) + 4, files["a"].index(box) + 8
        assert files["a"][times : times + (16 if files["a"][version] else 8)] in (bytes(16), bytes(8))
    dated = encoded(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=100)
    assert dated[dated.index(b"mvhd") + 8 :][:16] != bytes(16)  # so there is something to take out
