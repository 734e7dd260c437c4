"""Small pictures that ask for much: each is refused from its header or stopped at its limit, by name, within seconds.

They go through real children under the default limits unless a test says otherwise, so that nothing depends on what
one decoder's release happens to check.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import NotRendered, RenderAnswer, RenderTask
from pipeline.model.spec import Format, Limits, Spec
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, Meter, whole
from pipeline.workers.token import Token
from tests import pictures
from tests.hostile import HOSTILE, bmp_rle_bomb, jpeg_slow, png_of_zeros

SMALL = (Spec("small", width=32, height=32), Spec("moving", width=32, height=32, format=Format.GIF))
GOOD = pictures.encoded(pictures.quarters((64, 48)), "JPEG")


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    with ChildPool("pipeline.render.line:render", "pipeline.render.line:warm_up", 1) as opened:
        yield opened


@pytest.fixture
def fresh() -> Iterator[ChildPool]:
    """One whose child holds no memory of earlier pictures, which later ones could take without asking."""
    with ChildPool("pipeline.render.line:render", "pipeline.render.line:warm_up", 1) as opened:
        yield opened


def carried(
    pool: ChildPool, content: bytes, limits: Limits | None = None, specs: tuple[Spec, ...] = SMALL
) -> tuple[str, Meter]:
    """The kind of error, or "done"; a child's death under its own name."""
    limits = limits or Limits()
    descriptor = pictures.descriptor_of(content)
    try:
        with pool.ask(
            whole(descriptor), RenderTask(specs, limits), Bounds(limits.seconds, limits.memory, len(specs)), Token()
        ) as exchange:
            exchange.first()
            reply, meter = exchange.last()
        for made in reply.descriptors:
            os.close(made)
        assert isinstance(reply.payload, RenderAnswer)
        failed = [
            str(rendition.error.kind) for rendition in reply.payload.renditions if isinstance(rendition, NotRendered)
        ]
        return (failed or ["done"])[0], meter
    except PictureError as error:
        return str(error.kind), Meter()
    except ChildDied as death:
        return f"died: {death}", Meter()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_meets_its_limit_and_harms_no_other(pool: ChildPool, name: str) -> None:
    make, kinds = HOSTILE[name]
    assert carried(pool, make(), Limits(seconds=30))[0] in kinds
    assert carried(pool, GOOD)[0] == "done"


def test_scans_that_are_within_the_limit_are_stopped_by_time(pool: ChildPool) -> None:
    assert carried(pool, jpeg_slow(), Limits(seconds=0.5))[0] == "time limit"
    assert carried(pool, GOOD)[0] == "done"


@pytest.mark.parametrize("name", ["png", "bmp"])
def test_kilobytes_that_need_more_memory_than_there_is_are_stopped_by_memory(pool: ChildPool, name: str) -> None:
    content = png_of_zeros(9_000, 10_000) if name == "png" else bmp_rle_bomb()
    assert len(content) < 2**20
    assert carried(pool, content, Limits(memory=100 * 2**20))[0] == "memory limit"
    assert carried(pool, GOOD)[0] == "done"


_NOISE = Image.effect_noise((1600, 1100), 60).convert("RGB")


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {"compress_level": 1}),
        ("WEBP", {"method": 0}),
        ("AVIF", {"speed": 10}),
        ("GIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_however_a_decoder_says_that_memory_ran_out_it_is_called_so(
    fresh: ChildPool, format_: str, options: dict[str, object]
) -> None:
    content = pictures.encoded(_NOISE, format_, **options)
    came = [carried(fresh, content, Limits(memory=mib * 2**20), (Spec("a", width=1400),))[0] for mib in (1, 3, 6, 9)]
    assert set(came) <= {"memory limit", "done"}
    assert came[0] == "memory limit"


@pytest.mark.parametrize("format_", pictures.WRITTEN)
def test_however_an_encoder_says_that_memory_ran_out_it_is_called_so(fresh: ChildPool, format_: Format) -> None:
    content = pictures.encoded(_NOISE, "JPEG")
    specs = (Spec("a", width=1600, format=format_),)
    came = [carried(fresh, content, Limits(memory=mib * 2**20), specs)[0] for mib in (1, 8, 11, 13, 30)]
    assert set(came) <= {"memory limit", "done"}
    assert came[0] == "memory limit"


def test_an_encoder_that_writes_without_end_is_stopped(pool: ChildPool) -> None:
    """A file in memory is no memory of the child's own: it has a limit of its own."""
    content = pictures.encoded(Image.effect_noise((1200, 1200), 90), "PNG")
    specs = (Spec("large", width=1200, height=1200, format=Format.TIFF),)
    with_room, _meter = carried(pool, content, Limits(memory=64 * 2**20), specs)
    assert with_room == "done"
    kind, _meter = carried(pool, content, Limits(memory=2**20), specs)
    assert kind == str(ErrorKind.MEMORY_LIMIT)
