"""Which columns of a table become labels by themselves: what docs/data.md says."""

import csv

import numpy as np
import pytest
from PIL import Image

from genframe_datasets import FolderSettings
from genframe_datasets.folder.opening import open_folder


@pytest.mark.parametrize(
    ("columns", "kind", "settings"),
    [
        ({"label": ["cat", "dog"]}, "class", {}),
        ({"class": [0, 1], "hat": [1, 0], "smile": [0, 1]}, "class", {}),
        ({"hat": [1, 0], "smile": [0, 1]}, "multilabel", {}),
        ({"angle": [0.25, 0.5]}, "vector", {}),
        ({"colour": ["red", "blue"]}, None, {}),
        ({"kind": [2, 3]}, None, {}),
        ({"colour": ["red", "blue"]}, "class", {"labels": "colour"}),
        ({"kind": [2, 3]}, "class", {"labels": "kind"}),
    ],
)
def test_columns_become_labels_by_name_and_content(tmp_path, columns, kind, settings):
    names = [f"{place}.png" for place in range(20)]
    for name in names:
        Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / name)
    rows = [[name, *(values[place % 2] for values in columns.values())] for place, name in enumerate(names)]
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file_name", *columns], *rows])
    label = open_folder(FolderSettings(path=str(tmp_path), **settings)).fields.get("label")
    assert (label.kind if label else None) == kind
