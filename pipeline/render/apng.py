"""Animated PNGs as their standard composes them: Pillow's plugin lays what is half transparent over the frame before by
its own rule, and forgets what to go back to when such a frame is to be undone.
"""

from __future__ import annotations

from PIL import Image, PngImagePlugin


class Png(PngImagePlugin.PngImageFile):
    """Pillow's plugin, with `blend_op` over composed by alpha, and `dispose_op` previous after it."""

    def load_end(self) -> None:
        """Called by `load` when a frame's own pixels are there."""
        before = getattr(self, "_prev_im", None) if getattr(self, "is_animated", False) else None
        over = before is not None and self.blend_op == PngImagePlugin.Blend.OP_OVER
        kept = before.copy() if before is not None and over else None
        drawn = self._crop(self.im, self.dispose_extent) if kept is not None and self.mode == "RGBA" else None
        super().load_end()
        if kept is None:
            return
        self._prev_im = kept  # what disposal goes back to; `load_end` has drawn over it
        if drawn is not None:
            self.im = kept.copy()
            below = self._new(self._crop(kept, self.dispose_extent))
            self.im.paste(Image.alpha_composite(below, self._new(drawn)).im, self.dispose_extent)
