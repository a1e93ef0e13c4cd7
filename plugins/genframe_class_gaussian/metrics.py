"""What only a density can be asked: how likely held-out data is, and which class it is of."""

from __future__ import annotations

import torch
from torch import Tensor

from genframe.errors import ConfigError, DataError
from genframe.interfaces import Measurement, RunView
from genframe.specs import NoSettings
from genframe_class_gaussian.gaussians import Gaussians


class LogLikelihood:
    """Mean nats a held-out sample under the Gaussian of its own class.

    It is a density on the numbers as the network has them, pixels in [-1, 1], taken at the 256 levels themselves, with
    no noise between them (no dequantisation): comparable with densities on the same scale with the same ridge alone.
    """

    def __init__(self, settings: NoSettings) -> None:
        pass

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run fits no Gaussians.
            DataError: the run's data is not there.
        """
        density = _density(view, "log-likelihood")
        output, labels = _heldout(view, density)
        scale = {"unit": "nats per sample", "pixels": "[-1, 1], not dequantised"}
        return _measured(density, density.log_likelihood(output).gather(1, labels[:, None]), scale)


class BayesError:
    """The fraction of held-out samples whose class is not the most probable one."""

    def __init__(self, settings: NoSettings) -> None:
        pass

    def measure(self, view: RunView) -> Measurement:
        """The figure.

        Raises:
            ConfigError: the run fits no Gaussians, or not one a class.
            DataError: the run's data is not there.
        """
        density = _density(view, "bayes-error")
        if not density.label:
            raise ConfigError("the metric 'bayes-error' tells classes apart, and this run knows none: train with them")
        output, labels = _heldout(view, density)
        return _measured(density, (density.posterior(output).argmax(1) != labels).double(), {"prior": "frequencies"})


def _density(view: RunView, metric: str) -> Gaussians:
    density = view.trained.networks.get("density")
    if not isinstance(density, Gaussians):
        raise ConfigError(
            f"the metric '{metric}' asks a density that is known, and this run fits none: leave the metric out, or "
            "train with --plugin class-gaussian"
        )
    return density


def _heldout(view: RunView, density: Gaussians) -> tuple[Tensor, Tensor]:
    """All held-out samples as the network takes them, and their classes, 0 where there are none."""
    problem, data = view.trained.problem, view.dataset().split("heldout")
    names = [name for name, field in data.fields.items() if field == problem.output]
    if len(names) != 1 or any(data.fields.get(name) != field for name, field in problem.condition.items()):
        raise DataError("the dataset is not like that of the run: evaluate on the data that it was trained on")
    if not len(data):
        raise DataError("nothing of the dataset is held out, and the metric is taken on held-out samples; add some")
    batch = data.read(range(len(data)), epoch=0, seed=0)
    output = batch[names[0]].to(density.counts.device)
    output = output if output.is_floating_point() else output.double() / 127.5 - 1.0
    labels = batch[density.label] if density.label else torch.zeros(len(output), dtype=torch.int64)
    return output, labels.to(output.device)


def _measured(density: Gaussians, values: Tensor, further: dict[str, str]) -> Measurement:
    """The mean, and how it was taken."""
    fit = {"covariance": density.settings.covariance, "ridge": density.settings.ridge}
    counts = {"queries": len(values), "fitted_to": int(density.counts.sum())}
    return Measurement(value=float(values.mean()), protocol={**counts, **fit, **further})
