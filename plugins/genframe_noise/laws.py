"""Laws that can be written down; each z is a pure function of the key and of its own index."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genframe.randomness import derive_key, normal, uniform
from genframe_noise import MixtureSettings, NoiseSettings, SphericalSettings, TruncatedSettings, UniformSettings

#: What turns a key into that of another stream, from which a mixture's components come.
_COMPONENTS = derive_key(0, "components of a mixture")


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

    def truncated(self, bound: float) -> Truncated:
        """The law with the coordinates beyond `bound` left out.

        Raises:
            ConfigError: `bound` is not from 1e-6 to 1e6.
        """
        return Truncated(TruncatedSettings(dim=self.shape[0], bound=bound))


class Truncated:
    """``(N, dim)`` float32, independent standard normal numbers given that they are in [-bound, bound].

    The truncation trick of Marchesi, "Megapixel size image creation using generative adversarial networks", 2017, and
    of Brock, Donahue and Simonyan, "Large scale GAN training for high fidelity natural image synthesis", 2019, section
    3.1, which draw anew whatever is beyond the bound. Here each number is the inverse of the distribution function at a
    uniform number, sqrt(2) erfinv((2u - 1) erf(bound / sqrt(2))), so that none is ever drawn twice. The uniform numbers
    are the midpoints of a grid of 2**-24, which is why none is beyond 5.3 whatever the bound.
    """

    def __init__(self, settings: TruncatedSettings) -> None:
        self.shape = (settings.dim,)
        self._bound = settings.bound
        self._inside = math.erf(settings.bound / math.sqrt(2.0))  # the share of normal numbers within the bound

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Sample i of the stream `key`, for each i in `indices`."""
        centred = 2.0 * (uniform(indices, self.shape, key).double() + 2.0**-25) - 1.0  # in (-1, 1), without its ends
        noise = math.sqrt(2.0) * torch.erfinv(centred * self._inside)
        return self.project(noise.float())

    def project(self, noise: Tensor) -> Tensor:
        """The nearest point of the cube [-bound, bound]^dim."""
        return noise.clamp(-self._bound, self._bound)

    def truncated(self, bound: float) -> Truncated:
        """The law with the coordinates beyond `bound` left out, too; one of its own bound or beyond changes nothing.

        Raises:
            ConfigError: `bound` is not from 1e-6 to 1e6.
        """
        TruncatedSettings(bound=bound)
        return Truncated(TruncatedSettings(dim=self.shape[0], bound=min(bound, self._bound)))


class Spherical:
    """``(N, dim)`` float32, uniform on the sphere about the origin: a normal z by its length (Muller, 1959)."""

    def __init__(self, settings: SphericalSettings) -> None:
        self.shape = (settings.dim,)
        self._radius = math.sqrt(settings.dim) if settings.radius is None else settings.radius

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Sample i of the stream `key`, for each i in `indices`."""
        return self.project(normal(indices, self.shape, key))

    def project(self, noise: Tensor) -> Tensor:
        """The nearest point of the sphere. All are equally near to the origin, of which the first axis's is taken."""
        noise_NZ = noise.double()  # in which no float32's square is zero or infinite
        axis_NZ = torch.zeros_like(noise_NZ)
        axis_NZ[..., 0] = 1.0
        noise_NZ = torch.where((noise_NZ == 0.0).all(-1, keepdim=True), axis_NZ, noise_NZ)
        length_N1: Tensor = torch.linalg.vector_norm(noise_NZ, dim=-1, keepdim=True)
        return noise_NZ.mul(self._radius).div(length_N1).float()


class Mixture:
    """``(N, dim)`` float32: each z comes from one of the Gaussians, all of them equally likely.

    The mean of component k is a pure function of the settings and of k, and nothing that is kept.
    """

    def __init__(self, settings: MixtureSettings) -> None:
        self.shape = (settings.dim,)
        self._settings = settings
        self._means_key = derive_key(settings.seed, "means of a mixture")

    def means(self, components: Tensor) -> Tensor:
        """``float32 (N, dim)``: the mean of each component in ``components`` ``int64 (N,)``."""
        return self._settings.spread * normal(components, self.shape, self._means_key)

    def draw(self, indices: Tensor, key: int | Tensor) -> Tensor:
        """Sample i of the stream `key`, for each i in `indices`."""
        # Below `components`, since a uniform number is at most 1 - 2**-24.
        components_N = (self._settings.components * component_numbers(indices, key)).long()
        return self.means(components_N) + self._settings.deviation * normal(indices, self.shape, key)

    def project(self, noise: Tensor) -> Tensor:
        """`noise` itself: the law's support is everything."""
        return noise


def component_numbers(indices: Tensor, key: int | Tensor) -> Tensor:
    """``float32 (N,)``, uniform on [0, 1): by which each sample of a mixture chooses its component.

    They are independent of the normal numbers of the stream `key`.
    """
    return uniform(indices, (1,), key ^ _COMPONENTS)[:, 0]
