"""The committed sample pictures: what they promise to be, and that the script still makes them."""

from __future__ import annotations

import io
import platform
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import PIL
import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat, features

from scripts import make_sample_data

FOLDER = Path(__file__).resolve().parents[2] / "sample_data"
# The bytes hang on these: the encoders, Pillow's arithmetic, and the C library's pow().
MADE_WITH = {
    "machine": "x86_64",
    "libc": "2.36",
    "pillow": "13.0.0",
    "avif": "1.4.2",
    "libjpeg_turbo": "3.2.0",
    "libtiff": "4.7.2",
    "webp": "1.6.0",
    "zlib_ng": "2.3.3",
}


def _libraries() -> dict[str, str | None]:
    own = {"machine": platform.machine(), "libc": platform.libc_ver()[1], "pillow": PIL.__version__}
    return {name: own.get(name) or features.version(name) for name in MADE_WITH}


def _open(name: str) -> Image.Image:
    with Image.open(FOLDER / name) as picture:
        picture.load()
        return picture


def _files() -> Iterator[str]:
    return (str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


def test_the_folder_holds_the_samples_and_nothing_else() -> None:
    assert sorted(_files()) == sorted(make_sample_data.SAMPLES)


def test_they_stay_below_4_mb() -> None:
    assert sum((FOLDER / name).stat().st_size for name in _files()) <= 4_000_000


def test_names_are_nfc_and_some_are_difficult() -> None:
    names = list(_files())
    assert all(unicodedata.is_normalized("NFC", name) for name in names)
    assert any(" " in name for name in names)
    assert any(not name.isascii() for name in names)


@pytest.mark.parametrize(
    ("name", "format_", "mode", "frames"),
    [
        ("kitchen/citrus, CMYK.jpg", "JPEG", "CMYK", 1),
        ("made/bubbles, alpha.png", "PNG", "RGBA", 1),
        ("made/moon ground, 16 bit.png", "PNG", "I;16", 1),
        ("made/poster, palette.png", "PNG", "P", 1),
        ("made/tiles.tif", "TIFF", "RGB", 1),
        ("moving/month.gif", "GIF", "P", 16),
        ("moving/sea.webp", "WEBP", "RGBA", 12),
        ("travel/aurora.avif", "AVIF", "RGB", 1),
        ("travel/city at night.webp", "WEBP", "RGB", 1),
        ("travel/forest, grey.jpg", "JPEG", "L", 1),
    ],
)
def test_each_kind_is_there(name: str, format_: str, mode: str, frames: int) -> None:
    with Image.open(FOLDER / name) as picture:
        assert (picture.format, picture.mode, getattr(picture, "n_frames", 1)) == (format_, mode, frames)


def test_one_scene_is_stored_in_all_eight_orientations_and_looks_the_same() -> None:
    upright = _open("orientation/cabin 1.jpg")
    for number in range(1, 9):
        stored = _open(f"orientation/cabin {number}.jpg")
        assert stored.getexif()[0x0112] == number
        difference = ImageChops.difference(ImageOps.exif_transpose(stored), upright)
        assert max(ImageStat.Stat(difference).mean) < 1.5, number


def test_the_alpha_has_soft_edges() -> None:
    shares = _open("made/bubbles, alpha.png").getchannel("A").histogram()
    assert shares[0] > 10_000
    assert sum(shares[1:255]) > 10_000


def test_sixteen_bits_are_more_than_eight() -> None:
    values = set(_open("made/moon ground, 16 bit.png").get_flattened_data())
    assert len(values) > 5_000


def test_the_progressive_one_is_progressive() -> None:
    assert _open("travel/dunes, progressive.jpg").info["progressive"]


def test_the_signed_one_has_copyright_artist_and_a_place() -> None:
    exif = _open("travel/lighthouse, GPS.jpg").getexif()
    assert "authors" in exif[0x8298]
    assert "authors" in exif[0x013B]
    assert exif.get_ifd(0x8825)[1] == "N"


def test_the_display_p3_profile_moves_colours_as_display_p3_does() -> None:

    picture = _open("garden/gerbera, Display P3.jpg")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    assert ImageCms.getProfileDescription(profile).strip() == "Display P3"
    square = Image.new("RGB", (1, 1), (200, 100, 60))
    moved = ImageCms.profileToProfile(square, profile, ImageCms.createProfile("sRGB"))
    assert moved is not None
    # 214.9, 92.6, 46.9 by hand: sRGB's curve, linear P3 to linear sRGB (matrix of CSS Color 4), the curve again
    assert all(abs(band - right) <= 2 for band, right in zip(moved.tobytes(), (215, 93, 47), strict=True))


same_libraries = pytest.mark.skipif(_libraries() != MADE_WITH, reason=f"other libraries: {_libraries()}")


@same_libraries
@pytest.mark.parametrize("name", ["made/poster, palette.png", "travel/forest, grey.jpg", "travel/aurora.avif"])
def test_the_script_makes_what_is_committed(name: str) -> None:
    assert make_sample_data.SAMPLES[name]() == (FOLDER / name).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
@same_libraries
def test_the_script_makes_everything_that_is_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_sample_data.main([str(tmp_path)]) == 0
    assert f"{len(make_sample_data.SAMPLES)} pictures" in capsys.readouterr().out
    different = [name for name in sorted(_files()) if (tmp_path / name).read_bytes() != (FOLDER / name).read_bytes()]
    assert different == []
