from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.config.settings import StoreSettings
from pipeline.stores.aws_files import from_files
from pipeline.stores.opening import store_at
from pipeline.stores.store import Fault, Store, StoreFailure
from tests import buckets, fakes3
from tests.site import Request, serving


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)


def _store(endpoint: str, bucket: str = "pictures", prefix: str = "", silence: float = 30, retry: float = 0.2) -> Store:
    return store_at(StoreSettings(f"s3://{bucket}{prefix}", endpoint, silence=silence, retry=retry))


def _failure(store: Store, name: str | None = None) -> StoreFailure:
    with pytest.raises(StoreFailure) as caught:
        list(store.entries()) if name is None else b"".join(store.get(name).pieces)
    return caught.value


def test_what_is_listed_looked_at_and_read_has_one_version(s3: buckets.Service) -> None:
    bucket = s3.bucket()
    bucket.put("a/b ü%.jpg", b"x" * 5)
    bucket.put("large.bin", bytes(3 << 20))
    store = _store(s3.endpoint, bucket.name)
    listed = sorted(entry for entries in store.entries() for entry in entries)
    assert [(entry.name, entry.size) for entry in listed] == [("a/b ü%.jpg", 5), ("large.bin", 3 << 20)]
    body = store.get("a/b ü%.jpg")
    looked = store.look("a/b ü%.jpg")
    assert looked is not None
    assert listed[0].version == looked.version == body.entry.version
    assert b"".join(body.pieces) == b"xxxxx"
    pieces = list(store.get("large.bin").pieces)
    assert len(pieces) > 1
    assert b"".join(pieces) == bytes(3 << 20)


def test_a_large_object_is_put_in_parts_or_under_a_condition_and_is_the_same(s3: buckets.Service) -> None:
    bucket = s3.bucket()
    store = _store(s3.endpoint, bucket.name, silence=5)
    content = bytes(range(256)) * 2**15 + b"more than a part"
    for name, replace in (("in parts", True), ("at once", False)):
        put = store.put(name, memoryview(content), {"Content-Type": "image/png"}, replace=replace)
        looked = store.look(name)
        assert looked is not None
        assert (looked.size, looked.version) == (len(content), put.version)
        assert b"".join(store.get(name).pieces) == content


def test_a_prefix_is_a_store_of_its_own(s3: buckets.Service) -> None:
    bucket = s3.bucket()
    bucket.put("a/b/c.jpg", b"x")
    bucket.put("a/bc.jpg", b"x")
    store = _store(s3.endpoint, bucket.name, "/a/b")
    assert [entry.name for entries in store.entries() for entry in entries] == ["c.jpg"]
    assert store.entries_in("")[0][0].name == "c.jpg"
    assert _store(s3.endpoint, bucket.name).entries_in("a")[1] == ["a/b"]


def test_failures_say_what_to_do_and_no_secret(s3: buckets.Service, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = s3.bucket()
    assert _failure(_store(s3.endpoint, "no-such-bucket")).fault is Fault.NO_STORE
    missing = _failure(_store(s3.endpoint, bucket.name), "nothing.jpg")
    assert (missing.fault, missing.text) == (Fault.MISSING, "has no such object (404 NoSuchKey)")
    assert _store(s3.endpoint, bucket.name).look("nothing.jpg") is None
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret")
    refused = _failure(_store(s3.endpoint, bucket.name))
    assert refused.fault is Fault.NO_STORE
    assert refused.text.startswith("refuses the credentials (403 SignatureDoesNotMatch): see AWS_ACCESS_KEY_ID")
    assert "wrong-and-secret" not in repr(refused)


def test_a_store_that_is_not_there_is_unreachable() -> None:
    failure = _failure(_store("http://127.0.0.1:1", retry=0.01))
    assert (failure.fault, failure.text) == (Fault.UNREACHABLE, "cannot be reached: no connection")


def test_a_store_that_stalls_or_breaks_off_or_fails_is_unreachable() -> None:
    with serving() as site:
        site.pages["/pictures/stalls"] = _stalls
        site.pages["/pictures/resets"] = Request.reset
        site.pages["/pictures/fails"] = lambda request: request.reply(b"<Code>SlowDown</Code>", status=503)
        site.pages["/pictures/torn"] = _torn
        region = b"<Code>AuthorizationHeaderMalformed</Code>"
        site.pages["/pictures/region"] = lambda request: request.reply(region, status=400)
        assert _failure(_store(site.root, silence=0.1, retry=0.01), "stalls").text == "did not answer in time"
        store = _store(site.root, retry=0.01)
        assert _failure(store, "resets").fault is Fault.UNREACHABLE
        assert _failure(store, "fails").text == "answers with errors (503 SlowDown)"
        assert _failure(store, "torn").fault is Fault.UNREACHABLE
        assert _failure(store, "region").text.startswith("is in another region (400 AuthorizationHeaderMalformed)")


def test_an_object_that_is_larger_or_smaller_than_its_store_has_said_is_no_object() -> None:
    with serving() as site:
        site.pages["/pictures/more"] = lambda request: _lies(request, 3)
        site.pages["/pictures/less"] = lambda request: _lies(request, 0)
        store = _store(site.root, retry=0.01)
        assert _failure(store, "more").text == "sent more than the 5 bytes that it has said"
        assert _failure(store, "less").text == "sent 0 of the 5 bytes that it has said"


def _lies(request: Request, chunks: int) -> None:
    """Its length says less than the chunks that come: clients go by these."""
    request.reply(b"", length=5, ETag='"1"', Last_Modified="Thu, 01 Jan 2026 00:00:00 GMT", Transfer_Encoding="chunked")
    request.wfile.write(b"3\r\nabc\r\n" * chunks + b"0\r\n\r\n")


def _stalls(request: Request) -> None:
    request.site.over.wait(5)


def _torn(request: Request) -> None:
    request.reply(b"half", length=8, ETag='"1"', Last_Modified="Thu, 01 Jan 2026 00:00:00 GMT")
    request.reset()


def test_google_and_azure_are_stores_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with fakes3.serving() as bucket:
        account = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(account | {"gcs_base_url": bucket.endpoint}))
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0")
        for scheme, account_name in (("gs", None), ("az", "mine")):
            bucket.objects.clear()
            place = StoreSettings(f"{scheme}://{bucket.name}", bucket.endpoint, account=account_name, retry=0.05)
            store = store_at(place)
            put = store.put("a.jpg", memoryview(b"content"), {"Content-Type": "image/jpeg"}, replace=False)
            with pytest.raises(StoreFailure) as caught:
                store.put("a.jpg", memoryview(b"content"), {}, replace=False)
            assert caught.value.fault is Fault.TAKEN
            ((listed,),) = store.entries()
            looked = store.look("a.jpg")
            assert looked is not None
            assert put.version == listed.version == looked.version
            assert b"".join(store.get("a.jpg").pieces) == b"content"


def test_a_store_without_its_account_says_so() -> None:
    with pytest.raises(StoreFailure, match="needs a storage account: `account:`"):
        store_at(StoreSettings("az://pictures"))


def test_keys_come_from_the_profile_where_the_environment_has_none(
    s3: buckets.Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = s3.bucket()
    bucket.put("a.jpg", b"x")
    for name in buckets.ENV:
        monkeypatch.delenv(name)
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[photos]\naws_access_key_id = {buckets.KEY}\naws_secret_access_key = {buckets.SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_PROFILE", "photos")
    assert [entry.name for entries in _store(s3.endpoint, bucket.name).entries() for entry in entries] == ["a.jpg"]


def test_files_of_a_home_folder_that_there_is_none_of_hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "~no-such-user/credentials")
    monkeypatch.setenv("AWS_CONFIG_FILE", "~no-such-user/config")
    assert from_files() == {}
