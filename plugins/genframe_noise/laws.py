"""Laws of independent numbers; each z is a pure function of the key and of its own index."""

from __future__ import annotations

from torch import Tensor

from genframe.randomness import normal, uniform
from genframe_noise import NoiseSettings, UniformSettings


class Uniform:
    """``(N, dim)`` float32, uniform on [low, high); on [-1, 1) in the DCGAN paper (Radford et al., 2016)."""

    def __init__(self, settings: UniformSettings) -> None:
        self.shape = (settings.dim,)
        self._low, self._high = settings.low, settings.high

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Sample i of the stream `key`, for each i in `indices`."""
        return (self._high - self._low) * uniform(indices, self.shape, key) + self._low

    def project(self, noise: Tensor) -> Tensor:
        """The nearest point of the cube [low, high]^dim."""
        return noise.clamp(self._low, self._high)


class Gaussian:
    """``(N, dim)`` float32, standard normal."""

    def __init__(self, settings: NoiseSettings) -> None:
        self.shape = (settings.dim,)

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Sample i of the stream `key`, for each i in `indices`."""
        return normal(indices, self.shape, key)

    def project(self, noise: Tensor) -> Tensor:
        """`noise` itself: the law's support is everything."""
        return noise
