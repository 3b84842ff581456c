"""Pictures of a field and of where it is flattest: a map, two measures side by side, cuts.

Every function returns a :class:`matplotlib.figure.Figure` that belongs to no global state, so it
works without a display, in threads, and beside a user's own ``pyplot`` figures.  Colours come from
*cividis*, which is perceptually uniform, reads the same with a colour-vision deficiency and gets
lighter all the way, so that it can be read in grey.  What was found is red with a white rim, and
flat regions are hatched.  A field larger than about 1000 points per side is averaged over cells,
block by block, each read once; marks are placed afterwards, and a cell with one flat point in it
is flat, so none of them is lost.  Every picture has an alt text, which files carry too.
"""

from __future__ import annotations

from dhess.plot.cuts import answer, slices
from dhess.plot.local import local
from dhess.plot.planes import compare, map  # noqa: A004  (the name is part of the public API)
from dhess.plot.saving import alt_text, check_format, png, save

__all__ = [
    "alt_text", "answer", "check_format", "compare", "local", "map", "png", "save", "slices",
]  # fmt: skip
