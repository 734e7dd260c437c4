from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import pytest
from PIL import Image, ImageFile

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import NotRendered, Rendered, RenderTask
from pipeline.model.spec import Fit, Format, Limits, Spec
from pipeline.render.line import render
from pipeline.workers.exchange import whole
from tests.pictures import DISPLAY_P3, WRITTEN, descriptor_of, encoded, exif, giant_png, matrix_profile, noise, quarters
from tests.render.drawing import answer_to

ALL = tuple(Spec(format_.value, 60, 50, fit, format=format_) for format_, fit in zip(WRITTEN, cycle(Fit), strict=False))


def open_descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


def sources() -> list[bytes]:
    noise = Image.effect_noise((200, 150), 50).convert("RGB")
    return [
        encoded(noise, "JPEG", icc_profile=matrix_profile(DISPLAY_P3), exif=exif({0x0112: 6})),
        encoded(noise, "JPEG", progressive=True),
        encoded(noise.convert("RGBA"), "PNG"),
        encoded(noise, "WEBP"),
        encoded(noise, "AVIF"),
        encoded(noise, "GIF", save_all=True, append_images=[noise.rotate(90), quarters((200, 150))], duration=90),
        encoded(noise, "TIFF", compression="tiff_lzw"),
    ]


def test_one_decode_serves_all_renditions_in_the_order_of_the_specs() -> None:
    answer, files = answer_to(encoded(quarters(), "PNG"), *ALL)
    assert [rendition.name for rendition in answer.renditions] == [spec.name for spec in ALL]
    assert list(files) == [spec.name for spec in ALL]
    assert all(
        isinstance(rendition, Rendered) and rendition.size == len(files[rendition.name])
        for rendition in answer.renditions
    )
    assert answer.seconds_decode > 0
    assert answer.libraries.startswith("pillow=")


def test_the_same_picture_and_task_give_the_same_bytes_on_any_number_of_threads() -> None:
    contents = sources()
    alone = [answer_to(content, *ALL)[1] for content in contents]
    jobs = contents * 6
    random.Random(1).shuffle(jobs)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda content: (content, answer_to(content, *ALL)[1]), jobs))
    for content, files in together:
        assert files == alone[contents.index(content)]


def test_bytes_depend_on_neither_process_nor_locale_nor_time_zone() -> None:
    program = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]);"
        "from tests.render.test_line import *;"
        "print(hashlib.sha256(b''.join(b''.join(answer_to(one, *ALL)[1].values()) for one in sources())).hexdigest())"
    )
    here = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    surroundings = [{"LC_ALL": "C", "TZ": "UTC"}, {"LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}]
    digests = [
        subprocess.run(
            [sys.executable, "-c", program, here], env=env, capture_output=True, check=True, text=True, timeout=60
        ).stdout
        for env in surroundings
    ]
    assert digests[0] == digests[1]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")
def test_renditions_can_be_read_from_their_beginning_and_not_be_changed() -> None:
    descriptor = descriptor_of(encoded(quarters(), "PNG"))
    *_, (_, descriptors) = render(whole(descriptor), RenderTask(ALL, Limits()))
    for made in descriptors:
        assert os.read(made, 4) != b""
        assert not os.get_inheritable(made)
        assert fcntl.fcntl(made, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
        with pytest.raises(OSError, match="not permitted"):
            os.write(made, b"x")
        os.close(made)
    os.close(descriptor)


def test_a_rendition_that_cannot_be_encoded_is_its_own_failure() -> None:
    wide = encoded(Image.new("RGB", (20_000, 4), (1, 2, 3)), "PNG")
    answer, files = answer_to(wide, Spec("webp", format=Format.WEBP), Spec("png", format=Format.PNG))
    failed, made = answer.renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.kind == ErrorKind.NOT_ENCODABLE
    assert isinstance(made, Rendered)
    assert made.index == 0
    assert list(files) == ["png"]


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_nothing_stays_open_whatever_happens() -> None:
    before = open_descriptors()
    good = encoded(quarters(), "PNG")
    answer_to(good, *ALL)
    answer_to(encoded(Image.new("RGB", (20_000, 4)), "PNG"), Spec("webp", format=Format.WEBP))
    for content in (good[:200], b"text", b""):
        with pytest.raises(PictureError):
            answer_to(content, *ALL)
    descriptor = descriptor_of(good)
    line = render(whole(descriptor), RenderTask(ALL, Limits()))
    next(line)
    line.close()  # no room for it: never resumed
    os.close(descriptor)
    assert open_descriptors() == before


def test_no_switch_of_pillow_is_touched_in_the_callers_process() -> None:
    switches = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK)
    answer_to(encoded(quarters(), "JPEG"), *ALL)
    assert switches == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")
def test_after_warming_up_no_file_is_opened_any_more() -> None:
    """What a child renders when it is confined must need nothing from the file system."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from tests.render.test_line import *; from pipeline.render.line import warm_up;"
        "contents = [descriptor_of(one) for one in sources()]; warm_up(); opened = [];"
        "sys.addaudithook(lambda event, args:"
        " opened.append(args[0]) if event == 'open' and not isinstance(args[0], int) else None);"
        "task = RenderTask(ALL, Limits());"
        "[[os.close(fd) for fd in reply.descriptors] for one in contents for reply in render(whole(one), task)];"
        "print(opened)"
    )
    here = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    run = subprocess.run([sys.executable, "-c", program, here], capture_output=True, check=True, text=True, timeout=60)
    assert run.stdout == "[]\n"
    assert run.stderr == ""


def _pictures_alive() -> int:
    return sum(isinstance(thing, ImageFile.ImageFile) for thing in gc.get_objects())


@pytest.mark.parametrize(
    ("content", "spec"),
    [
        pytest.param(encoded(noise((64, 64), 60), "JPEG")[:-900], Spec("a", 8), id="truncated"),
        pytest.param(giant_png(64, 64), Spec("a", 8), id="damaged"),
        pytest.param(encoded(quarters((8, 8)), "PNG"), Spec("a", 8, max_bytes=9), id="not rendered"),
    ],
)
def test_what_a_failed_picture_took_is_free_at_once(content: bytes, spec: Spec) -> None:
    """A child's next picture has its memory; what only the garbage collector frees would be missing there."""
    gc.collect()
    gc.disable()
    try:
        before = _pictures_alive()
        with contextlib.suppress(PictureError):
            assert isinstance(answer_to(content, spec)[0].renditions[0], NotRendered)
        assert _pictures_alive() <= before
    finally:
        gc.enable()
