from __future__ import annotations

import errno
import os

import pytest

from pipeline.workers import sealed

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux")


def test_what_is_sealed_cannot_be_written_or_cut_any_more() -> None:
    descriptor = sealed.create("test")
    os.write(descriptor, b"content")
    assert sealed.seal(descriptor) == 7
    assert os.read(descriptor, 10) == b"content"
    with pytest.raises(PermissionError):
        os.write(descriptor, b"more")
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


@pytest.mark.parametrize("is_known", [True, False])
def test_the_kernel_is_told_that_nothing_is_executed_where_it_can_be(
    is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    create = os.memfd_create

    def noted(name: str, flags: int) -> int:
        asked.append(flags & 0x8)
        if asked[-1] and not is_known:  # Linux before 6.3
            raise OSError(errno.EINVAL, "Invalid argument")
        return create(name, flags & ~0x8)

    monkeypatch.setattr(os, "memfd_create", noted)
    os.close(sealed.create("test"))
    assert asked == ([0x8] if is_known else [0x8, 0])
