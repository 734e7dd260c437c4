"""The page of a comparison in a real browser: flip, slider, difference, keys, names that are markup, and no request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.report import comparison
from pipeline.run.compare.comparing import compared
from pipeline.run.compare.recipes import of_qualities
from pipeline.run.compare.totals import totals
from tests.browser import CHROMIUM, Page, browser
from tests.world import World, jpeg

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]

HOSTILE = "<img src=x onerror=document.title=1>&\"'.jpg"
CONFIG = """
source: photos
target: out
renditions:
  page: {width: 200}
  tiny: {width: 20}
workers: {processes: 0, threads: 2}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about five pictures, in three qualities."""
    world = World(tmp_path_factory.mktemp("compare"), CONFIG)
    world.put(HOSTILE, jpeg((9, 9, 200), (300, 200)))
    for number in range(4):
        world.put(f"{number}.jpg", jpeg((60 * number, 90, 90), (320, 200)))
    path = world.root / "page.html"
    with compared(of_qualities(world.config, [5, 50, 90], []), 8, (), lambda what, share: None) as done:
        comparison.write(done, totals(done), path)
    return path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(file: Path, chromium: Page) -> Iterator[Page]:
    """The page with its first picture in the viewer; in the end nothing was complained of or asked for."""
    chromium.open(file.as_uri())
    chromium.click("#cards .tile")
    chromium.until("document.querySelector('img.right').naturalWidth === 200")
    yield chromium
    assert chromium.complaints == []
    assert [request for request in chromium.requests if not request.startswith("data:")] == [file.as_uri()]


SEEN = "getComputedStyle(document.querySelector('img.left')).visibility === 'visible'"
NAMED = "document.querySelector('.side.left').textContent"


def press(page: Page, key: str) -> None:
    page.run(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))")


def test_space_and_clicks_flip_and_numbers_choose(page: Page) -> None:
    assert (page.run(SEEN), page.run(NAMED)) == (False, "quality 90")
    press(page, " ")
    assert (page.run(SEEN), page.run(NAMED)) == (True, "quality 5")
    page.click(".comparing .frame")
    assert page.run(NAMED) == "quality 90"
    press(page, "2")
    assert page.run(NAMED) == "quality 50"
    press(page, "0")
    assert page.run(NAMED) == "source"
    assert page.run("document.querySelector('img.right').src").startswith("data:image/png")
    assert "similarity" in page.run("document.querySelector('.about').textContent")


def test_the_slider_shows_both(page: Page) -> None:
    press(page, "s")
    assert page.run(SEEN)
    clip = "document.querySelector('img.left').style.clipPath"
    assert page.run(clip) == "inset(0px 50% 0px 0px)"
    page.key("ArrowUp")
    assert page.run(clip) == "inset(0px 45% 0px 0px)"
    box = "(({x, y, width}) => [x, y, width])(document.querySelector('.frame').getBoundingClientRect())"
    x, y, width = page.run(box)
    page.drag((x + width / 2, y + 5), (x + width / 4, y + 5))
    assert page.run("Math.round(document.querySelector('.frame input').value)") == 25


def test_the_difference_is_that_of_the_pixels_made_brighter(page: Page) -> None:
    mean = (
        "(() => { const blend = getComputedStyle(document.querySelector('img.left')).mixBlendMode;"
        "return [blend, viewer.dataset.mode] })()"
    )
    press(page, "d")
    assert page.run(mean) == ["difference", "difference"]
    assert page.run("getComputedStyle(document.querySelector('.frame')).filter") == "brightness(8)"


def test_arrows_go_on_to_other_pictures_and_escape_comes_back(page: Page) -> None:
    first = page.run("document.querySelector('.title').textContent")
    page.key("ArrowRight")
    page.key("ArrowRight")
    assert page.run("document.querySelector('.title').textContent") != first
    page.key("Escape")
    page.until("document.activeElement.dataset.at === '2'")


def test_zoom_shows_pixels(page: Page) -> None:
    for width in (200, 400, 800):
        press(page, "z")
        assert page.run("document.querySelector('.frame').offsetWidth") == width
    assert page.run("document.querySelector('.frame').classList.contains('pixels')")


def test_a_hostile_name_is_text_and_filters_and_orders_work(page: Page) -> None:
    page.key("Escape")
    assert page.run("document.title") == "quality 5 / quality 50 / quality 90 · pipeline compare"
    assert page.run("document.querySelectorAll('[onerror]').length") == 0
    assert HOSTILE in page.run("[...document.querySelectorAll('.card p')].map((one) => one.title)")
    page.run("byId('by-rendition').value = 'tiny'; byId('by-rendition').dispatchEvent(new Event('input'))")
    assert page.run("byId('found').value") == "5 of 10"
    page.run("byId('by-order').value = 'bytes'; byId('by-order').dispatchEvent(new Event('input'))")
    cells = "[...document.querySelectorAll('.card tr:last-child td:nth-child(2)')]"
    sizes = page.run(f"{cells}.map((one) => parseFloat(one.textContent))")
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)])
def test_nothing_is_wider_than_the_window(page: Page, file: Path, width: int, dark: bool) -> None:
    page.open(file.as_uri(), width=width, dark=dark)
    assert page.run("document.documentElement.scrollWidth") == width
    page.click("#cards .tile")
    assert page.run("document.querySelector('#viewer').scrollWidth") == width
