"""Features of one layer of k-means over patches: what a learnt critic has to beat.

Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning", 2011: patches are
normalised and whitened, k-means finds centroids, a patch is described by how much nearer than the mean each centroid
is ("triangle"), and a picture by the sums over its quarters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, unfold

from genframe.interfaces import Dataset
from genframe.randomness import derive_key, seeded_generator

#: The paper takes up to 4,000 centroids and patches of 6x6; of small pictures, smaller ones.
_CENTROIDS, _PATCH, _SMALL_PATCH, _SMALL_SIDE = 200, 6, 3, 16

#: Patches are learnt from so many pictures, some of each.
_PICTURES, _PATCHES = 2000, 20_000

#: The paper's: added to the variance of pixels 0 to 255, and to that of each whitened direction.
_CONTRAST, _WHITENING = 10.0, 0.1

_CHUNK = 64


class PatchDictionary:
    """``4 * K`` features of a picture, K at most 200.

    Args:
        train: the part to learn from, without its labels.
        image: its field of pictures.
    """

    protocol: Mapping[str, str | int] = {"patches": "whitened, k-means, triangle encoding, summed over quarters"}

    def __init__(self, train: Dataset, image: str) -> None:
        self._side = _PATCH if min(train.fields[image].shape[1:]) >= _SMALL_SIDE else _SMALL_PATCH
        rng = seeded_generator(derive_key(0, "linear-probe kmeans"))
        places = torch.randperm(len(train), generator=rng)[:_PICTURES]
        patches = [
            self._patches(train.read(some.tolist(), epoch=0, seed=0)[image]) for some in torch.split(places, _CHUNK)
        ]
        patches_ND = torch.cat([each.flatten(0, 1) for each in patches])
        patches_ND = patches_ND[torch.randperm(len(patches_ND), generator=rng)[:_PATCHES]]
        self._mean_D = patches_ND.mean(0)
        values_D, vectors_DD = torch.linalg.eigh(torch.cov(patches_ND.T, correction=0).reshape(len(self._mean_D), -1))
        self._white_DD: Tensor = vectors_DD / (values_D.clamp(min=0.0) + _WHITENING).sqrt() @ vectors_DD.T
        self._centroids_KD = self._centroids(self._whitened(patches_ND))

    def __call__(self, images_NCHW: Tensor) -> Tensor:
        """``float32 (N, 4 * K)``."""
        return torch.cat([self._of(some) for some in torch.split(images_NCHW, _CHUNK)])

    def _of(self, images_NCHW: Tensor) -> Tensor:
        distances_NPK = torch.cdist(self._whitened(self._patches(images_NCHW)), self._centroids_KD)
        nearer_NPK = (distances_NPK.mean(2, keepdim=True) - distances_NPK).clamp(min=0.0)
        rows, columns = (side - self._side + 1 for side in images_NCHW.shape[2:])
        nearer_NKHW = nearer_NPK.transpose(1, 2).reshape(len(images_NCHW), -1, rows, columns)
        return adaptive_avg_pool2d(nearer_NKHW, 2).flatten(1)

    def _patches(self, images_NCHW: Tensor) -> Tensor:
        """``float32 (N, P, D)``, of mean 0 and deviation near 1 each."""
        patches_NPD = unfold(images_NCHW.float(), self._side).transpose(1, 2)
        centred_NPD = patches_NPD - patches_NPD.mean(2, keepdim=True)
        return centred_NPD / (centred_NPD.square().mean(2, keepdim=True) + _CONTRAST).sqrt()

    def _whitened(self, patches: Tensor) -> Tensor:
        return (patches - self._mean_D) @ self._white_DD

    @staticmethod
    def _centroids(patches_ND: Tensor) -> Tensor:
        count = min(_CENTROIDS, len(patches_ND))
        kmeans = MiniBatchKMeans(count, random_state=derive_key(0, "linear-probe centroids") % 2**32, n_init=1)
        with threadpool_limits(limits=1):  # sums in the same order on any number of cores
            centroids_KD: Tensor = torch.from_numpy(kmeans.fit(patches_ND.numpy()).cluster_centers_)
        return centroids_KD.to(torch.float32)
