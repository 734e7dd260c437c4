"""What the recipes come to for the whole folder, estimated from the sample, stratum by stratum."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.run.compare.comparing import Case, Comparison
from pipeline.run.compare.strata import Picked


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total for the folder. It is right within `doubt` in 19 of 20 samples; 0 where every picture was rendered.

    Strata with a single picture in the sample count as if their pictures were equal.
    """

    value: float
    doubt: float


@dataclass(frozen=True, slots=True)
class Total:
    """One rendition by one recipe."""

    rendition: str
    recipe: int  # its number
    bytes: Estimate
    score: float | None  # the mean over the folder, as far as it is known
    worst: tuple[float, str] | None  # the lowest score of the sample, and its source
    failed: int  # pictures of the sample that this recipe did not make


@dataclass(frozen=True, slots=True)
class Totals:
    """All of them. In `bytes`, `seconds` and each of `formats` each recipe has its place; seconds are those of
    decoding, resizing and encoding, added up over all children.
    """

    renditions: tuple[Total, ...]
    bytes: tuple[Estimate, ...]
    formats: dict[str, tuple[Estimate, ...]]  # bytes of the renditions of a format: of a family a browser takes one
    seconds: tuple[Estimate, ...]


def totals(comparison: Comparison) -> Totals:
    """The estimates. Pictures that any of the recipes failed to make count for none of them."""
    whole = [case for case in comparison.cases if all(rendition is None or rendition.file for rendition in case.made)]
    numbers = range(len(comparison.recipes))
    return Totals(
        tuple(
            _total(comparison, whole, name, number)
            for name in comparison.renditions
            for number in numbers
            if name in comparison.recipes[number].names
        ),
        tuple(_bytes(whole, number) for number in numbers),
        {name: tuple(_bytes(whole, number, name) for number in numbers) for name in _formats(whole)},
        tuple(_seconds(whole, number) for number in numbers),
    )


def _total(comparison: Comparison, whole: Iterable[Case], name: str, number: int) -> Total:
    made = [(case.picture, rendition) for case in whole if case.rendition == name and (rendition := case.made[number])]
    known = [(picture, rendition.score) for picture, rendition in made if rendition.score is not None]
    weights = sum(picture.stands_for for picture, _ in known)
    failed = [
        case
        for case in comparison.cases
        if case.rendition == name and (rendition := case.made[number]) and not rendition.file
    ]
    return Total(
        name,
        number,
        _estimated((picture, rendition.bytes) for picture, rendition in made),
        sum(score * picture.stands_for for picture, score in known) / weights if weights else None,
        min(((score, picture.source) for picture, score in known), default=None),
        len(failed),
    )


def _formats(whole: Iterable[Case]) -> list[str]:
    """In the order of the renditions."""
    return list(dict.fromkeys(made.format for case in whole for made in case.made if made))


def _bytes(whole: Iterable[Case], number: int, only: str | None = None) -> Estimate:
    """Those of all renditions, or of the format `only`."""
    return _estimated(
        (case.picture, made.bytes) for case in whole if (made := case.made[number]) and only in (None, made.format)
    )


def _seconds(whole: Iterable[Case], number: int) -> Estimate:
    """Decoding counts once for a picture, however many renditions it has."""
    seconds: dict[Picked, float] = {}
    for case in whole:
        if rendition := case.made[number]:
            seconds[case.picture] = seconds.get(case.picture, rendition.seconds_decode) + rendition.seconds
    return _estimated(seconds.items())


def _estimated(values: Iterable[tuple[Picked, float]]) -> Estimate:
    """The total over the folder of a value of each picture, by the means of its strata."""
    by_picture: defaultdict[Picked, float] = defaultdict(float)
    for picture, value in values:
        by_picture[picture] += value
    strata: defaultdict[str, list[tuple[Picked, float]]] = defaultdict(list)
    for picture, value in by_picture.items():
        strata[picture.stratum].append((picture, value))
    total = variance = 0.0
    for some in strata.values():
        amounts = [value for _, value in some]
        pictures = sum(picture.stands_for for picture, _ in some)
        total += pictures * statistics.fmean(amounts)
        if len(amounts) > 1:
            variance += pictures * max(0.0, pictures - len(amounts)) * statistics.variance(amounts) / len(amounts)
    return Estimate(total, 2 * math.sqrt(variance))
