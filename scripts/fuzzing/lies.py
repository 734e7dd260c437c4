"""Bends what a child answers: the values in its message, its bytes, and the descriptors that come with it."""

from __future__ import annotations

import copy
import fcntl
import json
import os
from collections.abc import Callable
from random import Random
from typing import Any

_ODD: tuple[object, ...] = (
    *(0, -1, 1, 2, 65_536, 2**31, 2**62, 2**63 - 1, -(2**63) + 1, 2**64, 10**30),
    *(0.0, -0.0, -1e-9, 1e-300, 1e9, 1e308, -1e308, True, False, None),
    *(
        "",
        "x" * 300,
        "x" * 70_000,
        "<script>alert(1)</script>",
        "\x00\x1b[2J\n",
        "\ud800",
        "=1+1",
        "#12345g",
        "../../x",
    ),
    *([], [[]], {}, {"bytes": ""}, {"bytes": "00" * 40}, {"ErrorKind": "not ours"}, {"PictureError": ["not ours", ""]}),
    *({"PictureError": ["truncated", "x" * 9000]}, {"Status": "touched"}, {"Status": "kept"}, {"Format": "png"}),
)
_MOST = 253  # the kernel's SCM_MAX_FD
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def lie(message: bytes, random: Random) -> bytes:
    """`message`, which is JSON, with one to three of its values bent; now and then its bytes."""
    if random.random() < 0.1:
        at = random.randrange(len(message))
        return message[:at] + random.randbytes(random.choice((0, 1, 4))) + message[at + random.choice((0, 1, 5)) :]
    value = json.loads(message)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _bent(value, random)
    return json.dumps(value).encode("ascii")


def _bent(value: object, random: Random) -> object:
    """One of all values in `value`, found by chance, is another: mostly of its own type."""
    places: list[tuple[Any, Any, object]] = []  # a list or an object, where in it, and what is there
    whole = [value]

    def walk(within: list[object] | dict[str, object]) -> None:
        for key, value in list(enumerate(within) if isinstance(within, list) else within.items()):
            places.append((within, key, value))
            if isinstance(value, list | dict):
                walk(value)

    walk(whole)
    within, key, value = random.choice(places)
    if isinstance(value, list) and random.random() < 0.5:
        value.insert(random.randrange(len(value) + 1), copy.deepcopy(random.choice(value or [0])))
        return whole[0]
    like = [odd for odd in _ODD if type(odd) is type(value)]
    other = random.choice(like if like and random.random() < 0.8 else _ODD)
    within[key] = copy.deepcopy(other)
    return whole[0]


def files(honest: tuple[int, ...], random: Random) -> list[int]:
    """Descriptors in place of `honest`, all of them new and the caller's: mostly copies, now and then other files."""
    sent = [os.dup(descriptor) for descriptor in honest]
    if random.random() < 0.3:
        if sent and random.random() < 0.5:
            os.close(sent.pop(random.randrange(len(sent))))
        for _ in range(random.choice((0, 1, 1, 2, 40, 253))):
            sent.insert(random.randrange(len(sent) + 1), random.choice(_FILES)(random))
    for descriptor in sent[_MOST:]:
        os.close(descriptor)
    return sent[:_MOST]


def _sealed(size: int, head: bytes) -> int:
    made = os.memfd_create("made", os.MFD_ALLOW_SEALING)
    os.write(made, head)
    os.ftruncate(made, size)
    fcntl.fcntl(made, fcntl.F_ADD_SEALS, _SEALS)
    return made


_FILES: tuple[Callable[[Random], int], ...] = (
    lambda random: _sealed(random.choice((0, 1, 5000, 2**30)), b""),
    lambda random: _sealed(random.choice((64, 2**21, 2**31)), b"\xff\xd8\xff\xe0"),
    lambda random: os.open("/dev/zero", os.O_RDONLY),
    lambda random: os.memfd_create("unsealed"),
)
