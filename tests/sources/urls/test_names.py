"""Names of pictures are safe wherever they come from, and nothing secret is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.urls.names import followed, from_hash, from_path, identity, place, safe

SECRET = "https://user:pass@Example.org:8443/a%20b/c.jpg?token=hush#part"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/b.jpg?x=1#y", "example.org/a/b.jpg"),
        (SECRET, "example.org_8443/a b/c.jpg"),
        ("http://example.org", "example.org"),
        ("http://example.org/../../etc/passwd", "example.org/etc/passwd"),
        ("http://example.org/%2e%2e/%2fetc%2fpasswd", "example.org/etc/passwd"),
        ("http://example.org/.hidden/.jpg", "example.org/_hidden/_jpg"),
        ("http://example.org/a%00b%0a.jpg", "example.org/a_b_.jpg"),
        ("http://example.org/a\\b:c*.jpg", "example.org/a_b_c_.jpg"),
        ("http://[2606:4700::1]/x.jpg", "2606_4700__1/x.jpg"),
        ("http://müller.de/ü.jpg", "xn--mller-kva.de/ü.jpg"),
        ("http://example.org/%ff.jpg", "example.org/\ufffd.jpg"),
    ],
)
def test_a_url_becomes_a_safe_path(url: str, name: str) -> None:
    assert from_path(place(url)) == name


@given(st.text(max_size=400))
def test_no_text_becomes_a_path_that_leaves_the_target_or_is_hidden(text: str) -> None:
    try:
        name = safe(text)
    except ValueError:
        return
    assert len(name.encode()) <= 900
    for part in name.split("/"):
        assert part
        assert not part.startswith(".")
        assert len(part.encode()) <= 180
        assert "\0" not in part


def test_long_names_are_cut_and_stay_apart() -> None:
    first, other = (safe("x" * 500 + end + ".jpg") for end in "ab")
    assert first != other
    assert first.endswith(".jpg")
    assert safe("y/" * 600 + "z.jpg").startswith("y/z-")


def hashed(url: str) -> str:
    return from_hash(url, place(url))


def test_a_hash_is_of_the_whole_url() -> None:
    first, other = (hashed(f"http://example.org/p.jpg?id={number}") for number in (1, 2))
    assert first != other
    assert first.endswith(".jpg")
    assert hashed("http://example.org/p?id=1.jpg").count(".") == 0
    assert identity("http://example.org/?a") != identity("http://example.org/?b")


def test_what_is_shown_of_a_url_has_no_secret() -> None:
    shown = place(SECRET).shown
    assert shown == "https://example.org:8443/a%20b/c.jpg?..."
    assert "hush" not in repr(place(SECRET)) + shown
    assert "pass" not in repr(place(SECRET)) + shown


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "//a/b", "http://", "http://a:99999/", "http://a b/", "http://[::1/", ""]
)
def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(does not begin|has no host|is not a URL)"):
        place(url)


def test_a_redirect_takes_credentials_to_the_same_origin_only() -> None:
    start = place(SECRET)
    assert followed(start, "/other.jpg").user == "user:pass"
    assert followed(start, "https://example.org/other.jpg").user == ""
    assert followed(start, "//elsewhere.org/x").origin.scheme == "https"
    with pytest.raises(ValueError, match="does not begin"):
        followed(start, "file:///etc/passwd")


@pytest.mark.parametrize("location", ["//user:hush@[::1/", "https://user:hush@a\u2100b.org/"])
def test_a_redirect_that_is_no_url_is_refused_without_its_secrets(location: str) -> None:
    with pytest.raises(ValueError, match=r"^[^:]*$") as caught:
        followed(place(SECRET), location)
    assert "hush" not in str(caught.value)
