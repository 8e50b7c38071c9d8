"""The page of supported operators is the one that the compiler's rules give now."""

from __future__ import annotations

from tools.make_supported_operators import PAGE, page


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run python tools/make_supported_operators.py"
