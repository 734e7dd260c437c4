from __future__ import annotations

import pytest

from pipeline.errors import has_password, without_secrets

SHOWN = {
    "s3://bucket/photos": "s3://bucket/photos",
    "sftp://me@host:22/photos@2x": "sftp://me@host:22/photos@2x",
    "sftp://me@[::1]:22/photos": "sftp://me@[::1]:22/photos",
    "github://owner:repository@main/photos": "github://owner:repository@main/photos",
    "zip://photos::/srv/what?.zip": "zip://photos::/srv/what?.zip",
    "photos/a:b@c.jpg": "photos/a:b@c.jpg",
    "sftp://me:SECRET@host/photos": "sftp://...@host/photos",
    "ftp://me:SEC/RET@host/photos": "ftp://...@host/photos",
    "sftp://me:SEC@RET@host/photos": "sftp://...@host/photos",
    "https://SECRET@SECRET@host/a.zip": "https://...@host/a.zip",
    "HTTPS://SECRET@host/a.zip": "HTTPS://...@host/a.zip",
    "gist://me:SECRET@0123/a.jpg": "gist://...@0123/a.jpg",
    "https://SECRET@host/photos.zip": "https://...@host/photos.zip",
    "simplecache::https://host/a.zip?X-Amz-Signature=SECRET": "simplecache::https://host/a.zip?...",
    "zip://a::https://me:SEC::RET@host/b.zip?sig=SECRET::RET": "zip://a::https://...@host/b.zip?...",
    "zip://a::simplecache::s3://KEY:SECRET@bucket/b.zip": "zip://a::simplecache::s3://...@bucket/b.zip",
}


@pytest.mark.parametrize("url", SHOWN)
def test_a_url_is_shown_without_its_secrets_and_else_as_it_is(url: str) -> None:
    assert without_secrets(url) == SHOWN[url]
    assert has_password(url) == ("...@" in SHOWN[url] and not url.lower().startswith("https://secret@"))
