"""Which files are ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifest.claims import Claim, ClaimedFile, fold
from tests.manifest.builders import opened, record, rendition


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("A.jpg", "a.jpg", True),
        ("caf\u00e9.jpg", "cafe\u0301.jpg", True),
        ("CAF\u00c9.JPG", "cafe\u0301.jpg", True),
        ("stra\u00dfe.jpg", "STRASSE.jpg", True),
        ("\u212a.jpg", "k.jpg", True),  # the Kelvin sign
        ("\u03b1\u0345\u0301", "\u03ac\u0399", True),  # casefold alone would leave these apart
        ("a.jpg", "b.jpg", False),
        ("cafe.jpg", "caf\u00e9.jpg", False),
        (os.fsdecode(b"\xe9.jpg"), "\u00e9.jpg", False),
        (os.fsdecode(b"\xe9.jpg"), os.fsdecode(b"\xc9.jpg"), False),
    ],
)
def test_names_meet_that_some_file_system_takes_for_one(name: str, other: str, same: bool) -> None:
    assert (fold(name) == fold(other)) is same


@given(st.binary(min_size=1, max_size=40))
def test_every_name_has_a_key_and_the_key_is_stable(raw: bytes) -> None:
    name = os.fsdecode(raw)
    assert fold(name) == fold(name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"))
    assert fold(fold(name).decode("utf-8", "surrogateescape")) == fold(name)


def test_only_claimed_names_are_ours_and_claiming_again_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        hostile = os.fsdecode(b"\xff\n.jpg")
        for _ in range(2):
            manifest.claim([Claim("a.jpg", "A.png", "thumb"), Claim(hostile, "B.png", "thumb")])
        assert manifest.claimed(["a.jpg", "A.jpg", hostile, "c.jpg"]) == {"a.jpg", hostile}
        assert len(list(manifest.claimed_files())) == 2
    with opened(tmp_path) as manifest:
        assert manifest.claimed(["a.jpg"]) == {"a.jpg"}, "a claim is durable"


def test_a_claim_stays_with_the_picture_that_has_made_the_file(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg"))
        manifest.flush()
        manifest.claim([Claim("a.jpg-thumb.jpg", "a.jxl", "thumb")])
        (claim,) = manifest.claimed_files()
    assert (claim.source, claim.current) == ("a.jpg", True)


def test_a_claim_moves_to_the_source_that_now_makes_the_file(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.claim([Claim("a.webp", "a.png", "thumb")])
        manifest.claim([Claim("a.webp", "a.jpg", "web")])
        (claim,) = manifest.claimed_files()
    assert (claim.target, claim.source, claim.rendition, claim.sha256) == ("a.webp", "a.jpg", "web", None)


def test_names_that_differ_in_case_are_both_ours_and_know_of_each_other(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.claim([Claim("Photo.webp", "Photo.jpg", "web")])
        manifest.claim([Claim("photo.webp", "photo.jpg", "web")])
        assert manifest.claimed(["Photo.webp", "photo.webp"]) == {"Photo.webp", "photo.webp"}
        assert manifest.lookalikes("photo.webp") == ["Photo.webp"]
        manifest.release(["Photo.webp"])
        assert manifest.lookalikes("photo.webp") == []


def test_a_claimed_file_remembers_what_was_written_when_its_rendition_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        kept, gone = rendition("kept.jpg"), rendition("gone.jpg")
        manifest.claim([Claim("killed.jpg", "killed", "thumb")])
        manifest.add(record("kept.jpg", kept))
        manifest.add(record("gone.jpg", gone))
        manifest.flush()
        manifest.forget(["gone.jpg"])
        files = {file.target: file for file in manifest.claimed_files()}
    assert gone.written is not None
    assert files[gone.target] == ClaimedFile(
        gone.target, "gone.jpg", "thumb", gone.written.size, 17, gone.written.sha256, current=False
    )
    assert files[kept.target].current
    assert files["killed.jpg"].size is None


def test_a_new_name_template_leaves_the_old_file_ours(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        old = rendition("a.jpg")
        manifest.add(record("a.jpg", old))
        moved = type(old)("thumb", "elsewhere/a.jpg", "r1", old.status, old.reason, None, old.written)
        manifest.add(record("a.jpg", moved))
        manifest.flush()
        current = {file.target: file.current for file in manifest.claimed_files()}
    assert current == {old.target: False, "elsewhere/a.jpg": True}


def test_many_claims_are_read_in_pages(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        names = [f"{number:05d}.jpg" for number in range(2500)]
        manifest.claim([Claim(name, name, "thumb") for name in names])
        assert [file.target for file in manifest.claimed_files()] == names
