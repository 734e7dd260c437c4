"""Small pictures: the same Pillow calls, hashes, temporary files, fsyncs and renames, in a plain loop.

What was encoded is opened once more, as `pipeline` does before it delivers it.

One picture after another in one process, with nothing remembered. Arguments: source, target, pixels, extra.
"""

import hashlib
import io
import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image

source, target, side = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
options: dict[str, Any] = dict.fromkeys(sys.argv[4:], True)  # optimize, progressive

for path in sorted(source.iterdir()):
    content = path.read_bytes()
    hashlib.sha256(content)
    encoded = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.convert("RGB").save(encoded, "JPEG", quality=80, **options)
    encoded.seek(0)
    with Image.open(encoded) as made:
        if made.format != "JPEG" or max(made.size) > side:
            sys.exit(f"{path}: {made.format} of {made.size}")
    hashlib.sha256(encoded.getbuffer())
    temporary = target / f".{path.stem}.tmp"
    with temporary.open("wb") as file:
        file.write(encoded.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(target / (path.stem + ".jpg"))
folder = os.open(target, os.O_RDONLY)
os.fsync(folder)
