"""The Parzen-window log-likelihood by which the first GAN papers are compared.

Goodfellow et al., "Generative adversarial nets" (2014, table 1), after Breuleux, Bengio and Vincent (2011): a Gaussian
of one deviation around each sample is taken for the generator's density; the deviation is the one under which pictures
held back for it are likeliest. Theis, van den Oord and Bethge, "A note on the evaluation of generative models" (2016)
show how little it says of samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from genframe.analysis.labelled import check_positive, pixels
from genframe.errors import ConfigError
from genframe.interfaces import Measurement, RunView
from genframe.memory import refuse_too_large
from genframe_metrics.raw import real_pixels, some_pixels
from genframe_metrics.settings import ParzenSettings

#: So many queries at once: their products with 10,000 samples take 20 MB.
_CHUNK = 256

#: Of a normal law, 95% lies within so many deviations.
_DEVIATIONS = 1.96


class Parzen:
    """The mean over held-out pictures, in nats, with pixels in [0, 1]."""

    def __init__(self, settings: ParzenSettings) -> None:
        check_positive("parzen", count=settings.count, validation=settings.validation)
        if not settings.deviations or min(settings.deviations) <= 0:
            raise ConfigError(
                f"the metric 'parzen' got deviations = {list(settings.deviations)}; it lists numbers above 0"
            )
        self._settings = settings

    def measure(self, view: RunView) -> Measurement:
        """The figure; its protocol says which deviation was chosen, and the standard error.

        Raises:
            ConfigError: the run makes no pictures, or so many samples do not fit in memory.
            DataError: the run's data is not there, or a sample is not finite.
        """
        settings = self._settings
        heldout = real_pixels(view, "parzen", "heldout", fewest=2)
        held_back = some_pixels(view, "parzen", "train", settings.validation)
        refuse_too_large(8 * settings.count * heldout.shape[1], f"{settings.count:,} windows", "ask for fewer")
        samples = torch.cat([pixels(piece) for piece in view.stream(settings.count)])
        means = [float(each.mean()) for each in log_likelihoods(held_back, samples, settings.deviations)]
        deviation = settings.deviations[max(range(len(means)), key=means.__getitem__)]
        (values,) = log_likelihoods(heldout, samples, [deviation])
        mean, error = float(values.mean()), float(values.std() / math.sqrt(len(values)))
        return Measurement(
            value=mean,
            interval=(mean - _DEVIATIONS * error, mean + _DEVIATIONS * error),
            protocol={
                "unit": "nats per picture, pixels in [0, 1]",
                "samples": len(samples),
                "queries": len(heldout),
                "sigma": deviation,
                "validation": len(held_back),
                "standard_error": error,
                "interval": "1.96 standard errors of the queries",
                "seed": view.seed,
            },
        )


def log_likelihoods(queries_QD: Tensor, samples_ND: Tensor, deviations: Sequence[float]) -> list[Tensor]:
    """The log-density of each query under a Gaussian of each deviation around each sample, ``float64 (Q,)`` each.

    Args:
        queries_QD: ``uint8``.
        samples_ND: ``uint8``.
        deviations: with pixels in [0, 1].
    """
    known_ND = samples_ND.double() / 255.0
    halves_N = known_ND.square().sum(1) / 2.0
    size = known_ND.shape[1]
    found: list[list[Tensor]] = [[] for _ in deviations]
    for part in torch.split(queries_QD, _CHUNK):
        asked_QD = part.double() / 255.0
        half_Q = asked_QD.square().sum(1) / 2.0
        scores_QN = torch.addmm(-halves_N, asked_QD, known_ND.T)  # half of -|q - x|**2, but for half of |q|**2
        for place, deviation in enumerate(deviations):
            scale = math.log(len(known_ND)) + size * math.log(deviation * math.sqrt(2.0 * math.pi))
            found[place].append((scores_QN / deviation**2).logsumexp(1) - half_Q / deviation**2 - scale)
    return [torch.cat(each) for each in found]
