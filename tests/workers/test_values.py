from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Status
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered
from pipeline.model.source import Header
from pipeline.model.spec import Format
from pipeline.workers.exchange import Confinement, Meter, Reply
from pipeline.workers.values import NotAValue, dumped, loaded

HEADER = Header("jpeg", 640, 480, 1, "RGB", 5_000_000)
RENDERED = Rendered("thumb", 0, 99, Format.WEBP, 32, 24, 0.5, 1, Status.KEPT, ("a warning",))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**62),
        1.5,
        "",
        "Ünïcödé",
        b"\x00\xff",
        (),
        (1, ("two", b"3")),
        HEADER,
        (HEADER, None),
        Confinement(7, seccomp=True, lacking=("a", "b")),
        Meter(None, 5, "chatter"),
        (1e300, -1e300, 2**63 - 1, 1 - 2**63),
        Reply("ready", (3, 4)),
        Status.DONE,
        RenderAnswer(HEADER, (RENDERED,), 0.25, "pillow=13", ("w",), thumbhash=b"\1\2"),
    ],
)
def test_values_come_back_equal(value: object) -> None:
    came = loaded(dumped(value))
    assert came == value
    assert type(came) is type(value)


def test_errors_come_back_with_their_kind_wherever_they_are() -> None:
    answer = RenderAnswer(HEADER, (NotRendered("x", PictureError(ErrorKind.NOT_ENCODABLE, "why")),), 0.0, "")
    came = loaded(dumped(answer))
    assert isinstance(came, RenderAnswer)
    failed = came.renditions[0]
    assert isinstance(failed, NotRendered)
    assert (failed.error.kind, failed.error.detail) == (ErrorKind.NOT_ENCODABLE, "why")


@pytest.mark.parametrize("value", [object(), [1], {"a": 1}, print, PictureError, {1}, ValueError("x"), float("nan")])
def test_what_is_no_value_cannot_be_sent(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        dumped(value)


def fields(**changes: object) -> object:
    return {"Header": list({"format": "jpeg", "w": 640, "h": 480, "f": 1, "mode": "RGB", "e": 5, **changes}.values())}


@pytest.mark.parametrize(
    "sent",
    [
        fields(w="640"),
        fields(w=True),
        fields(w=None),
        fields(w=1.5),
        fields(w=2**63),
        fields(w=-(2**63)),
        fields(format=["jpeg"]),
        fields(format={"bytes": "00"}),
        fields(extra=1),
        {"Header": []},
        {"Header": 5},
        {"Header": {"format": "jpeg"}},
        {"Rendered": ["x", 0, 1, "webp", 3, 4, 0.0, 0.0, {"Status": "done"}, [], None]},
        {"Format": "exe"},
        {"Format": ["webp"]},
        {"PictureError": ["nonsense", ""]},
        {"PictureError": ["damaged", 5]},
        {"PictureError": ["damaged"]},
        {"ConfigError": ["x"]},
        {"ErrorKind": "__class__"},
        {"os.system": ["true"]},
        {"Protocol": []},
        {"Renderer": []},
        {"InThread": [1]},
        {"bytes": "0"},
        {"bytes": 5},
        {},
        {"Header": [], "Meter": []},
    ],
)
def test_what_does_not_fit_is_no_value(sent: object) -> None:
    with pytest.raises(NotAValue):
        loaded(json.dumps(sent).encode())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"[" * 500_000,
        b"\x80\x05K\x01.",
        b"\xff\xfe",
        b"9" * 5000,
    ],
)
def test_what_is_no_text_of_ours_is_no_value(text: bytes) -> None:
    with pytest.raises(NotAValue):
        loaded(text)


def test_texts_from_a_child_are_safe_to_print() -> None:
    assert loaded(json.dumps(["\x1b[2J", "a\nb", "\udc80"]).encode()) == ("\\x1b[2J", "a\\nb", "\\x80")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(text: bytes) -> None:
    with contextlib.suppress(NotAValue):
        loaded(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=6)
            | st.dictionaries(
                st.sampled_from(["Header", "Meter", "Reply", "PictureError", "Format", "bytes"]), inner, max_size=2
            )
        ),
        max_leaves=20,
    )
)
def test_any_structure_is_a_value_or_refused(structure: object) -> None:
    with contextlib.suppress(NotAValue):
        loaded(json.dumps(structure).encode())
