"""From finished pixels to the delivered file: encoded, small enough, and inspected.

Every encoded file is opened again from its bytes, so that a defect of an encoder, or of this program, fails its
rendition and never becomes a file with a final name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Status
from pipeline.model.rendering import Inspection
from pipeline.model.spec import Format, Profile, Similarity, Spec, Verify
from pipeline.render.encoding.encode import encode, prepared
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.encoding.inspect import inspect
from pipeline.render.encoding.similar import Measure, is_measurable, sought
from pipeline.render.opening.source import DEEP
from pipeline.render.pixels.deep import Deep

_LEAST_QUALITY = 1


@dataclass(frozen=True, slots=True)
class Delivered:
    """An encoded file in a sealed descriptor, which the caller closes. `size` is in bytes."""

    descriptor: int
    size: int
    status: Status = Status.DONE
    quality: int | None = None  # at which a search for `max_bytes` or a similarity ended
    score: float | None = None  # its similarity, where that was sought
    warnings: tuple[str, ...] = ()


def deliver(encode_input: EncodeInput, spec: Spec, hint: int | None) -> Delivered:
    """Encodes as `spec` asks. `hint`: the quality that an earlier search for this picture and recipe ended with.

    Raises PictureError if the file cannot be made small enough or fails the inspection, and whatever an encoder raises.
    No descriptor is left open then.
    """
    encode_input, warnings = prepared(encode_input, spec)
    if isinstance(spec.quality, Similarity) and is_measurable(encode_input):
        made, told = _similar(encode_input, spec, spec.quality.ssimulacra2, hint)
        made = replace(made, warnings=(*warnings, *told))
    elif spec.max_bytes is None or spec.effective_quality is None:
        descriptor, size = encode(encode_input, spec, spec.effective_quality)
        made = Delivered(descriptor, size, warnings=warnings)
    else:
        descriptor, size, quality = _fitting(encode_input, spec, spec.max_bytes, spec.effective_quality, hint)
        made = Delivered(descriptor, size, quality=quality, warnings=warnings)
    try:
        prove(made.descriptor, encode_input, spec)
    except BaseException:
        os.close(made.descriptor)
        raise
    return made


def _similar(encode_input: EncodeInput, spec: Spec, goal: float, hint: int | None) -> tuple[Delivered, tuple[str, ...]]:
    """The file of the lowest quality with the score `goal`, and warnings; of a lower one, where it has to fit."""
    measure = Measure(encode_input)
    found = sought(encode_input, spec, goal, hint if spec.max_bytes is None else None, measure)
    if spec.max_bytes is None or found.size <= spec.max_bytes:
        told = (f"ssimulacra2 {goal:g} is out of reach: quality {found.quality} has {found.score:g}",)
        return Delivered(found.descriptor, found.size, quality=found.quality, score=found.score), told * (
            found.score < goal
        )
    os.close(found.descriptor)
    below = max(_LEAST_QUALITY, found.quality - 1)
    descriptor, size, quality = _fitting(encode_input, spec, spec.max_bytes, below, None)
    try:
        return Delivered(descriptor, size, quality=quality, score=measure.score(descriptor)), ()
    except BaseException:
        os.close(descriptor)
        raise


def _fitting(encode_input: EncodeInput, spec: Spec, most: int, best: int, hint: int | None) -> tuple[int, int, int]:
    """The descriptor, size and quality of the best file, of at most quality `best`, that fits into `most` bytes.

    A binary search, which assumes that size grows with quality. If an encoder breaks that rule the result still fits
    but may not be the best. A hint that fits is taken without a search.
    """
    first = hint if hint is not None and _LEAST_QUALITY <= hint <= best else best
    descriptor, size = encode(encode_input, spec, first)
    if size <= most:
        return descriptor, size, first
    os.close(descriptor)
    fitting: tuple[int, int, int] | None = None
    smallest = size
    low, high = _LEAST_QUALITY, best if first < best else best - 1
    while low <= high:
        middle = (low + high) // 2
        descriptor, size = encode(encode_input, spec, middle)
        smallest = min(smallest, size)
        if size > most:
            os.close(descriptor)
            high = middle - 1
            continue
        if fitting is not None:
            os.close(fitting[0])
        fitting = (descriptor, size, middle)
        low = middle + 1
    if fitting is None:
        raise PictureError(
            ErrorKind.NOT_ENCODABLE, f"max_bytes is {most:,}; the smallest that could be made: {smallest:,}"
        )
    return fitting


def prove(descriptor: int, encode_input: EncodeInput, spec: Spec) -> None:
    """Inspects an encoded file. Raises PictureError (`internal error`) if it differs from what `spec` asks for."""
    try:
        written = inspect(descriptor, decode=spec.verify is Verify.DECODE)
    except PictureError as error:
        raise PictureError(ErrorKind.INTERNAL, f"what was encoded cannot be read: {error}") from error
    first = encode_input.images[0]
    wrong = []
    if written.format != ("mpo" if encode_input.gain else spec.format):
        wrong.append(f"format {written.format}")
    if (written.width, written.height) != first.size:
        wrong.append(f"size {written.width} x {written.height}")
    if written.frames > len(encode_input.images):  # encoders may join equal neighbours into one frame
        wrong.append(f"{written.frames} frames")
    if written.has_profile and spec.profile is Profile.SRGB:
        wrong.append("a colour profile")
    if not _same_channels(written, first.mode, spec.format):
        wrong.append(f"mode {written.mode}")
    if isinstance(first, Deep) and written.bits <= DEEP:
        wrong.append(f"{written.bits} bits a channel")
    wrong += [f"private metadata ({kind})" for kind in written.private if kind not in spec.private]
    if wrong:
        raise PictureError(ErrorKind.INTERNAL, f"what was encoded has {', '.join(wrong)}")


def _same_channels(written: Inspection, made: str, format_: Format) -> bool:
    mode = written.mode
    if format_ is Format.GIF or made == "P":
        return mode in ("P", "L", "RGB", "RGBA", "1")
    if format_ is Format.PNG and written.frames > 1:  # an animation always decodes with alpha
        return mode.removesuffix("A") == made.removesuffix("A")
    if format_ is Format.JXL:  # whose header is not read as far as what it says of grey
        return mode == f"RGB{made.removeprefix('RGB').removeprefix('L')}"
    if written.bits > DEEP:  # Pillow opens grey as one of these
        return mode in {"L": ("L", "I;16", "RGB"), "LA": ("LA", "RGBA")}.get(made, (made,))
    return mode == made or (format_ is Format.WEBP and {mode, made} <= {"RGB", "RGBA", "RGBX"})
