"""The page as people meet it: in a real browser, with names that are markup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from pipeline.program import to_copy
from pipeline.report.page import place, write
from tests.browser import CHROMIUM, Page, browser
from tests.world import World, jpeg

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]

HOSTILE = "<img src=x onerror=document.title=1>/<!--<script>\"'&amp;.jpg"
CONFIG = """
source: photos
target: out
placeholder: true
renditions:
  thumb: {width: 32, height: 32}
  page: {width: 300, format: webp}
  tif: {width: 20, format: tiff}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Forty pictures in four folders, one of them with a hostile name, one broken."""
    world = World(tmp_path_factory.mktemp("report"), CONFIG)
    for number in range(38):
        world.put(f"{'abc'[number % 3]}/{number:03}.jpg", jpeg((6 * number, 90, 90), (640, 400)))
    world.put(HOSTILE, jpeg((1, 2, 3), (300, 600)))
    world.put("b/broken.jpg", jpeg(size=(300, 200))[:-400])
    world.run()
    write(world.config, place(world.config))
    return world


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(world: World, chromium: Page) -> Iterator[Page]:
    """The report, open; after each test it has neither complained nor asked for anything but pictures."""
    chromium.open(place(world.config).as_uri())
    chromium.run("document.querySelector('#gallery').scrollIntoView()")
    choose(chromium, "#by-rendition", "every rendition")
    chromium.until("document.querySelectorAll('#rows .tile.loaded').length > 5")
    yield chromium
    assert chromium.complaints == []
    ours = (place(world.config).as_uri(), world.target.as_uri(), world.source.as_uri())
    assert [request for request in chromium.requests if not request.startswith(ours)] == []


def choose(page: Page, selector: str, value: str) -> None:
    """Choose an option by its text."""
    page.run(
        f"(() => {{ const one = document.querySelector('{selector}');"
        f"one.value = [...one.options].find((option) => option.text === '{value}').value;"
        "one.dispatchEvent(new Event('input')) })()"
    )


def tiles(page: Page) -> list[str]:
    """What the tiles in view are called."""
    titles: list[str] = page.run("[...document.querySelectorAll('#rows .tile')].map((one) => one.title)")
    return titles


def test_what_failed_is_shown_as_far_as_it_can_be_with_the_command_to_type(page: Page, world: World) -> None:
    page.run("document.querySelector('#failures').scrollIntoView()")
    page.until("document.querySelector('#failures img').naturalWidth === 300")
    assert page.run("document.querySelector('#failures h3').firstChild.textContent.trim()") == "truncated"
    assert page.run("document.querySelector('#failures code').textContent") == to_copy(
        "run", str(world.config_path), anywhere=True
    )


def test_the_page_says_what_the_manifest_holds(page: Page) -> None:
    assert page.run("document.querySelector('h1').textContent") == "39 of 40 pictures have every rendition; 1 failed."
    parts = "(one) => [...one.children].map((part) => part.textContent)"
    figures = dict(page.run(f"[...document.querySelectorAll('.figures div')].map({parts})"))
    assert (figures["made in the last run"], figures["new failures"], figures["unchanged"]) == ("39", "1", "0")
    assert page.run("document.querySelector('.privacy').textContent.trim()").startswith("0 of 117 targets hold GPS")


def test_pictures_at_the_head_open_the_viewer(page: Page) -> None:
    page.until("document.querySelectorAll('#strip .loaded').length > 3")
    page.click("#strip .tile:nth-child(2)")
    name = page.run("document.querySelector('#strip .tile:nth-child(2)').title")
    assert name.startswith(page.run("document.querySelector('#viewer .title').textContent"))


def test_tiles_load_the_smallest_picture_that_fills_them(chromium: Page, tmp_path: Path) -> None:
    world = World(tmp_path, "source: photos\ntarget: out\nrenditions: {hero: {widths: [150, 400, 900]}}\n")
    for number in range(2):
        world.put(f"{number}.jpg", jpeg((90 * number, 9, 9), (960, 600)))
    world.run()
    write(world.config, place(world.config))
    chromium.open(place(world.config).as_uri())
    choose(chromium, "#by-rendition", "every rendition")
    chromium.until("document.querySelectorAll('#rows .tile.loaded').length === 6")
    sizes = "[...document.querySelectorAll('.tile img')].map((one) => one.currentSrc.replace(/.*-/, ''))"
    assert set(chromium.run(sizes)) == {"400.jpg"}
    assert not [request for request in chromium.requests if request.endswith("900.jpg")]
    (world.target / "0-hero-400.jpg").unlink()  # shown as far as there is another
    chromium.open(place(world.config).as_uri())
    choose(chromium, "#by-rendition", "every rendition")
    chromium.until("document.querySelectorAll('#rows .tile.loaded').length === 5")
    assert chromium.run("document.querySelectorAll('#rows .tile .label').length") == 1


def test_only_the_rows_in_view_are_there_and_others_come_by_scrolling(page: Page) -> None:
    before = set(tiles(page))
    assert 10 < len(before) < 119
    page.run("window.scrollTo(0, document.body.scrollHeight)")
    page.until("[...document.querySelectorAll('#rows .tile')].some((one) => one.title.startsWith('c/035.jpg'))")
    assert not before & {"c/035.jpg · thumb"}


def test_a_hostile_name_is_text(page: Page) -> None:
    page.click("#by-name")
    page.type("onerror")
    page.until("document.querySelector('#found').value === '3 of 120 renditions'")
    assert {tile.rpartition(" · ")[0] for tile in tiles(page)} == {HOSTILE}
    page.until(
        "document.querySelectorAll('#rows .tile.loaded').length === 2"
    )  # of the third, a TIFF, the placeholder is seen
    page.key("Enter")
    page.click("#rows .tile")
    assert page.run("document.querySelector('#viewer .title').textContent") == HOSTILE
    page.until("document.querySelector('#viewer img.source').naturalWidth === 300")
    assert page.run("document.title") == "thumbs · pipeline report"
    assert page.run("document.querySelectorAll('main script, dialog script, [onerror]').length") == 0


def test_filters_narrow_each_other_and_can_be_taken_back(page: Page) -> None:
    for selector, value, count in (
        ("#by-folder", "b", "42 of 120 renditions"),
        ("#by-status", "failed", "3 of 120 renditions"),
        ("#by-rendition", "page", "1 of 120 renditions"),
    ):
        choose(page, selector, value)
        assert page.run("document.querySelector('#found').value") == count
    assert tiles(page)[0].startswith("b/broken.jpg · page\ntruncated: ")
    page.click("#by-name")
    page.type("nothing is called so")
    assert tiles(page) == []
    page.click("#all")
    assert page.run("document.querySelector('#found').value") == "40 pictures"


def test_a_picture_has_one_tile_and_its_other_renditions_are_in_the_viewer(page: Page) -> None:
    choose(page, "#by-rendition", "by picture")
    assert page.run("document.querySelector('#found').value") == "40 pictures"
    first, second = tiles(page)[:2]
    page.click("#rows .tile")
    about = "viewer.querySelector('.about').textContent"
    assert first == page.run("viewer.querySelector('.title').textContent") + " · 3 renditions"
    assert page.run(about).startswith("page · webp 300")
    choose(page, "#viewer select", "thumb · jpeg 16 \u00d7 32")
    page.until("viewer.querySelector('img.target').naturalWidth === 16")
    assert (page.run(about).split(" · ")[0], page.run(about).split(" · ")[-1]) == ("thumb", "1 of 40")
    page.key("ArrowRight")
    assert page.run("viewer.querySelector('.title').textContent") + " · 3 renditions" == second
    page.key("Escape")
    choose(page, "#by-status", "failed")
    assert tiles(page)[0].startswith("b/broken.jpg · 3 renditions\npage: truncated: ")


def test_a_picture_of_the_head_is_found_whatever_the_filters_say(page: Page) -> None:
    choose(page, "#by-status", "failed")
    page.click("#strip .tile:nth-child(2)")
    name = page.run("document.querySelector('#strip .tile:nth-child(2)').title")
    assert name.startswith(page.run("document.querySelector('#viewer .title').textContent"))


def test_the_viewer_goes_on_by_arrows_and_comes_back_to_where_it_was(page: Page) -> None:
    first, second, third = tiles(page)[:3]
    shown = "`${document.querySelector('#viewer .title').textContent} · ${viewer.querySelector('.about').textContent}`"
    page.click("#rows .tile")
    assert page.run(shown).startswith(f"{first} · ")
    page.key("ArrowRight")
    assert page.run(shown).startswith(f"{second} · ")
    page.key("ArrowRight")
    assert page.run(shown).startswith(f"{third} · ")
    page.key("ArrowLeft")
    assert page.run(shown).startswith(f"{second} · ")
    page.key("Escape")
    assert page.run("viewer.open") is False
    page.until(f"document.activeElement.title === {json.dumps(second)}")


def test_the_slider_uncovers_source_and_target_by_mouse_and_keys(page: Page) -> None:
    page.click("#rows .tile[title*='thumb']")
    page.until("document.querySelector('#viewer img.source').complete")
    clip = "document.querySelector('#viewer img.source').style.clipPath"
    assert page.run(clip) == "inset(0px 50% 0px 0px)"
    page.key("ArrowUp")
    assert page.run(clip) == "inset(0px 45% 0px 0px)"
    x, y, width = page.run(
        "(({x, y, width}) => [x, y, width])(document.querySelector('#viewer .frame').getBoundingClientRect())"
    )
    page.drag((x + width / 2, y + 5), (x + width / 4, y + 5))
    assert page.run("Math.round(document.querySelector('#viewer input').value)") == 25


def test_arrows_move_through_the_gallery_and_enter_opens(page: Page) -> None:
    page.run("document.querySelector('#rows .tile').focus()")
    names = tiles(page)
    page.key("ArrowRight")
    assert page.run("document.activeElement.title") == names[1]
    page.key("ArrowDown")
    assert page.run("document.activeElement.closest('.row') !== document.querySelector('.row')")
    page.key("ArrowUp")
    assert page.run("document.activeElement.title") == names[1]
    page.key("Enter")
    assert page.run("document.querySelector('#viewer').open") is True


def test_a_target_that_no_browser_shows_is_said_to_be_one(page: Page) -> None:
    page.click("#rows .tile[title*='tif']")
    assert page.run("document.querySelector('#viewer .lacking').textContent").startswith("No browser shows tiff")
    address = page.run("document.querySelector('#viewer .open-target').href")
    assert Path(unquote(urlsplit(address).path)).is_file()


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1280, True)])
def test_nothing_is_wider_than_the_window(page: Page, world: World, width: int, dark: bool) -> None:
    page.open(place(world.config).as_uri(), width=width, dark=dark)
    assert page.run("document.documentElement.scrollWidth") == width
    page.click("#rows .tile")
    assert page.run("document.querySelector('#viewer').scrollWidth") == width
