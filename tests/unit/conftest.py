"""Fixtures that several rooms' tests share."""

from pathlib import Path

import pytest

from tests.unit.photo_folder import make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photos and other things, beside what is none of its business."""
    return make_folder(tmp_path)
