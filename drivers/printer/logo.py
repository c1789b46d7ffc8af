"""A picture file into the dots of a logo. Loads Pillow, at start-up and not with a receipt."""

from __future__ import annotations

from pathlib import Path

from drivers.errors import DocumentInvalid
from drivers.printer.document import LOGO_HEIGHT_DOTS_MAX, Logo

__all__ = ["read_logo"]

_BYTES_MAX = 2 * 1024 * 1024
_PIXELS_MAX = 4_000_000


def read_logo(path: Path, *, dots_max: int = 576) -> Logo:
    """Read a PNG, JPEG or GIF; a picture wider than `dots_max` is made smaller, grey becomes a pattern of dots.

    Raises DocumentInvalid for what is no such picture, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        if path.stat().st_size > _BYTES_MAX:
            raise DocumentInvalid(f"logo {path} is larger than {_BYTES_MAX} bytes: make the picture smaller")
        with Image.open(path, formats=("PNG", "JPEG", "GIF")) as opened:
            if opened.width * opened.height > _PIXELS_MAX:
                raise DocumentInvalid(f"logo {path} has more than {_PIXELS_MAX} pixels: make the picture smaller")
            picture = opened.convert("RGBA")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        if isinstance(error, DocumentInvalid):
            raise
        raise DocumentInvalid(f"logo {path} cannot be read ({error}): give a PNG, JPEG or GIF file") from None
    scale = min(1.0, dots_max / picture.width, LOGO_HEIGHT_DOTS_MAX / picture.height)
    size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
    # What is transparent is paper.
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("L").resize(size)
    dots = flat.point(lambda light: 255 - light).convert("1")
    return Logo(width_dots=size[0], rows=dots.tobytes())
