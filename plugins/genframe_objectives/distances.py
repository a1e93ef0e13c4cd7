"""Losses of unbounded scores: least squares, hinge, Wasserstein, and the pairing of real and generated samples."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu, softplus

from genframe.interfaces import Critique
from genframe.specs import NoSettings
from genframe_objectives import LeastSquaresSettings
from genframe_objectives.logits import mean


class LeastSquares:
    """Mao et al., "Least squares generative adversarial networks", 2017, equation 2.

    The critic minimises ``(D(real) - b)^2 / 2 + (D(fake) - a)^2 / 2``, the generator ``(D(fake) - c)^2 / 2``.
    """

    pairs = False

    def __init__(self, settings: LeastSquaresSettings) -> None:
        self._settings = settings

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """A scalar, 0 where every score is its target."""
        return _half_square(real, self._settings.real) + _half_square(fake, self._settings.fake)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar, 0 where every score is the wanted one."""
        return _half_square(fake, self._settings.wanted)


class Hinge:
    """Lim and Ye, "Geometric GAN", 2017; Miyato et al., "Spectral normalization ...", 2018, equations 16 and 17.

    The critic minimises ``max(0, 1 - D(real)) + max(0, 1 + D(fake))``, the generator ``-D(fake)``.
    """

    pairs = False

    def __init__(self, settings: NoSettings) -> None:
        pass

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """A scalar: 2 where all scores are 0, 0 beyond the margin of one."""
        return mean(lambda scores: relu(1.0 - scores), real) + mean(lambda scores: relu(1.0 + scores), fake)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar."""
        return -mean(lambda scores: scores, fake)


class Wasserstein:
    """Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, equation 2; with a regularizer that bounds the slope.

    The critic minimises ``D(fake) - D(real)``, the generator ``-D(fake)``.
    """

    pairs = False

    def __init__(self, settings: NoSettings) -> None:
        pass

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """A scalar: minus the estimated distance, for a critic of slope one."""
        return mean(lambda scores: scores, fake) - mean(lambda scores: scores, real)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar."""
        return -mean(lambda scores: scores, fake)


class Relativistic:
    """The critic judges pairs of a real and a generated sample: which of the two is real.

    Jolicoeur-Martineau, "The relativistic discriminator", 2019, section 4.1; with R1 and R2, Huang et al., "The GAN is
    dead; long live the GAN!", 2024, section 2. The critic minimises ``softplus(D(fake) - D(real))``, the generator
    ``softplus(D(real) - D(fake))``; sample i of a batch is paired with sample i.
    """

    pairs = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def critic(self, real: Critique, fake: Critique) -> Tensor:
        """A scalar: log 2 = 0.693 where the critic cannot tell real from fake."""
        return mean(lambda real, fake: softplus(fake - real), real, fake)

    def generator(self, real: Critique | None, fake: Critique) -> Tensor:
        """A scalar: log 2 = 0.693 where the critic cannot tell real from fake."""
        assert real is not None, "an objective that pairs is given both"
        return mean(lambda real, fake: softplus(real - fake), real, fake)


def _half_square(critique: Critique, target: float) -> Tensor:
    return 0.5 * mean(lambda scores: (scores - target).square(), critique)
