"""Pictures in a folder or a zip, in every layout that is common.

This module imports neither torch nor Pillow, so that listing the datasets stays fast. The way of a folder: `sources`
lists and opens files, `layouts` says which of them are samples and what their labels are, `survey` settles size and
channels, `decode` reads one picture, `stores` keeps them in memory or reads them again and again, and
`opening` joins these.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

#: Files of other endings are no pictures, and are left alone.
ENDINGS = frozenset({"png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"})

#: What datasets are made of that other readers open.
_FOREIGN = ("-ubyte", "-ubyte.gz", ".bin", ".mat")

#: A folder's first entries tell what it is; a million others tell nothing more.
_LOOKED_AT = 1000


def is_picture(name: str) -> bool:
    """Whether the name ends as a picture's does, in upper or lower case."""
    return name.rpartition(".")[2].lower() in ENDINGS


def opens_folder(path: Path) -> bool:
    """Whether this is a folder, or called ``.zip``. A folder of IDX or binary files is others' to read."""
    try:
        if not path.is_dir():
            return path.suffix.lower() == ".zip"
        with os.scandir(path) as entries:
            return _may_hold_pictures(list(islice(entries, _LOOKED_AT)))
    except (OSError, ValueError):  # opening it will say what is wrong
        return True


def _may_hold_pictures(entries: list[os.DirEntry[str]]) -> bool:
    if not any(entry.name.lower().endswith(_FOREIGN) for entry in entries):
        return True
    return any(is_picture(entry.name) for entry in entries)
