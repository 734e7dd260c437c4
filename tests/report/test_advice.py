from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind
from pipeline.program import to_copy
from pipeline.report.advice import Failed, by_kind, command

CONFIG = Path("/srv/my photos/it's.yaml")


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_an_advice_and_a_command_that_a_shell_reads(kind: ErrorKind) -> None:
    [group] = by_kind([(kind, Failed("a.jpg", "", "x", known=True, pictures=()))], CONFIG)
    assert group.advice.endswith(".")
    words = shlex.split(command(kind, CONFIG))
    assert shlex.join(words).startswith(to_copy(anywhere=True))
    assert str(CONFIG) in words


def test_the_most_frequent_kind_comes_first_and_its_examples_are_few() -> None:
    many = [(ErrorKind.DAMAGED, Failed(f"{n}.jpg", "", "", known=n > 2, pictures=())) for n in range(40)]
    crash = (ErrorKind.CRASHED, Failed("z.jpg", "", "", known=False, pictures=()))
    first, second = by_kind([crash, *many], CONFIG)
    assert (first.kind, first.number, first.new, len(first.examples)) == (ErrorKind.DAMAGED, 40, 3, 12)
    assert (second.kind, second.number) == (ErrorKind.CRASHED, 1)
