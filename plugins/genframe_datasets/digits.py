"""Handwritten digits that come with scikit-learn: real data for a first run, without a download.

The test set of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (UCI Machine Learning Repository,
1998): 1,797 digits by 13 writers, 8x8 pixels of 17 grey levels.

The held-out part is not an easy one: a 1-nearest-neighbour classifier that knows the 1,500 others misreads 2.0% of it;
over 200 such divisions the median is 1.3%, and 5% to 95% are 0.3% to 2.4%.
"""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from genframe.analysis.strata import stratified
from genframe_datasets import ImageSettings
from genframe_datasets.parted import PartedDataset
from genframe_datasets.pictures import in_memory

#: Leaves exactly 1,500 to train on.
HELDOUT = 297


def open_digits(settings: ImageSettings) -> PartedDataset:
    """``image`` uint8 ``(1, H, W)`` and ``label``; 1,500 for training and a fixed 297 held out, stratified.

    Raises:
        ConfigError: an image size that makes no sense.
    """
    levels, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    images = (levels.reshape(-1, 1, 8, 8) * (255.0 / 16.0)).round().byte()
    heldout = stratified(labels.long(), HELDOUT, "digits held out")
    return in_memory(images, labels.long(), tuple("0123456789"), heldout, settings)
