"""What a child is believed: its bounds follow from what was asked, and nothing honest is beyond them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Length
from pipeline.model.spec import AS_SOURCE, Animation, Fit, Format, Limits, Metadata, Profile, Spec
from pipeline.render.geometry.fit import most_pixels, place
from pipeline.render.line import render
from pipeline.render.pixels import libvips
from pipeline.run.answers import Asked, answers
from pipeline.workers.exchange import Misbehaved, Reply, whole
from tests import pictures

_SIDES = st.one_of(st.none(), st.integers(1, 3000))


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    length = st.builds(Length, st.integers(0, 100), percent=st.booleans())
    return Spec(
        "a",
        draw(_SIDES),
        draw(_SIDES),
        draw(st.sampled_from(Fit)),
        enlarge=draw(st.booleans()),
        aspect=draw(st.one_of(st.none(), st.tuples(st.integers(1, 30), st.integers(1, 30)))),
        dpr=draw(st.sampled_from((1.0, 1.5, 3.0))),
        pad=draw(st.one_of(st.none(), st.tuples(length, length, length, length))),
    )


@given(specs(), st.integers(1, 2000), st.integers(1, 2000), st.data())
def test_no_rendition_has_more_pixels_than_its_bound(spec: Spec, width: int, height: int, data: st.DataObject) -> None:
    part = data.draw(st.tuples(st.integers(1, width), st.integers(1, height)))
    for shown in (part, part[::-1]):
        across, down = place(shown, spec).canvas
        assert across * down <= most_pixels((width, height), spec)


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes(mode, size, Random(1).randbytes(len(mode) * size[0] * size[1]))


_BEST = [
    Spec("jpeg", format=Format.JPEG, quality=100),
    Spec("png", format=Format.PNG, effort=0),
    Spec("webp", format=Format.WEBP, lossless=True),
    Spec("avif", format=Format.AVIF, quality=100, effort=0),
    Spec("gif", format=Format.GIF),
    Spec("tiff", format=Format.TIFF, metadata=Metadata.KEEP, profile=Profile.KEEP),
    Spec("kept", format=Format.PNG, keep_smaller=True),
    Spec("fitted", 40, format=Format.JPEG, max_bytes=2_000),
    Spec("still", format=Format.PNG, animation=Animation.FIRST),
]


@pytest.mark.parametrize("moving", [False, True])
def test_noise_at_the_best_quality_is_believed_in_every_format(moving: bool) -> None:
    picture = noise("RGBA", (200, 150))
    more = {"save_all": True, "append_images": [picture.rotate(90 * turn) for turn in range(1, 4)]} if moving else {}
    descriptor = pictures.descriptor_of(pictures.encoded(picture, "PNG", **more))
    try:
        task = RenderTask(tuple(_BEST), Limits(), placeholder=True)
        asked = Asked(task, whole(descriptor).size, Limits().memory)
        first, last = render(whole(descriptor), task)
        assert asked.need(asked.header(first.payload)) > 0
        assert len(asked.answer(last).renditions) == len(_BEST)
        for made in last.descriptors:
            os.close(made)
    finally:
        os.close(descriptor)


@pytest.mark.skipif(not libvips.available(), reason="needs libvips")
@pytest.mark.parametrize("format_", [Format.PNG, Format.TIFF])
def test_sixteen_bits_of_noise_made_larger_are_believed(format_: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.run.answers._AROUND", 2**12)  # so that a small picture tells
    levels = Random(1).choices(range(65536), k=32 * 32 * 4)
    descriptor = pictures.descriptor_of(pictures.png16((32, 32), "RGBA", levels))
    try:
        task = RenderTask((Spec("a", 200, enlarge=True, format=format_, depth=AS_SOURCE),), Limits())
        asked = Asked(task, whole(descriptor).size, Limits().memory)
        _, last = render(whole(descriptor), task)
        asked.answer(last)
        for made in last.descriptors:
            os.close(made)
    finally:
        os.close(descriptor)


def test_where_one_of_several_cannot_be_true_none_is_believed_and_every_file_is_closed(tmp_path: Path) -> None:
    asked = Asked(RenderTask((), Limits()), 1, 1)
    opened = [os.open(tmp_path, os.O_RDONLY) for _ in range(3)]
    with pytest.raises(Misbehaved, match="no answer"):
        answers([asked, asked, asked], [None, Reply("x", tuple(opened[:2])), Reply("y", (opened[2],))])
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file"):
            os.close(descriptor)


def test_one_of_several_may_have_come_to_an_error_of_rendering() -> None:
    asked = Asked(RenderTask((), Limits()), 1, 1)
    error = PictureError(ErrorKind.TRUNCATED, "x")
    assert answers([asked, asked], [Reply(error), None]) == [error, None]
    with pytest.raises(Misbehaved, match="the error not ours"):
        answers([asked], [Reply(PictureError(ErrorKind.NOT_OURS))])
    opened = os.open("/", os.O_RDONLY)
    with pytest.raises(Misbehaved, match="no answer"):
        answers([asked], [Reply(error, (opened,))])
    with pytest.raises(OSError, match="Bad file"):
        os.close(opened)


def test_the_error_of_a_misbehaving_child_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(Misbehaved("x")))
    assert (str(error), type(error)) == ("crashed: an answer that is none: x", Misbehaved)
