"""Picture files become dots: black stays black, what is transparent is paper, and nonsense is refused."""

from pathlib import Path

import pytest
from PIL import Image

from drivers.errors import DocumentInvalid
from drivers.printer.logo import read_logo


def saved(path: Path, picture: Image.Image) -> Path:
    picture.save(path)
    return path


def test_black_white_and_transparent(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (16, 3), (0, 0, 0, 255))
    picture.paste((255, 255, 255, 255), (0, 1, 16, 2))
    picture.paste((0, 0, 0, 0), (0, 2, 16, 3))
    logo = read_logo(saved(tmp_path / "logo.png", picture))
    assert (logo.width_dots, logo.height_dots, logo.rows) == (16, 3, b"\xff\xff\x00\x00\x00\x00")


@pytest.mark.parametrize("size", [(2000, 10), (10, 1500)])
def test_a_large_picture_is_made_smaller(size: tuple[int, int], tmp_path: Path) -> None:
    logo = read_logo(saved(tmp_path / "logo.png", Image.new("L", size)), dots_max=384)
    assert logo.width_dots <= 384
    assert logo.height_dots <= 800


def test_what_is_no_picture_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for path, remedy in (
        (tmp_path / "missing.png", "give a PNG"),
        (tmp_path / "text.png", "give a PNG"),
        (saved(tmp_path / "bomb.png", Image.new("1", (5000, 5000))), "smaller"),
    ):
        with pytest.raises(DocumentInvalid, match=remedy):
            read_logo(path)
