"""The parts themselves; only a run imports this module, and with it torch."""

from __future__ import annotations

import csv

import torch

from genframe.randomness import normal


class Fog:
    """Normal numbers of a smaller spread."""

    def __init__(self, settings):
        self.shape = (settings.dim,)
        self.spread = 1.0 - settings.density

    def draw(self, indices, key):
        return self.spread * normal(indices, self.shape, key)

    def project(self, noise):
        return noise


class Drift:
    """Keeps the logits of real samples near zero."""

    def __init__(self, settings):
        self.weight = settings.weight

    def __call__(self, critic, real, fake, condition, rng):
        return self.weight * sum(logits.square().mean() for logits in critic(real, condition).logits)


class Veil:
    """Blends each sample with grey."""

    def __init__(self, settings):
        pass

    def __call__(self, samples, rng):
        shape = (len(samples),) + (1,) * (samples.ndim - 1)
        return samples * torch.empty(shape, device=samples.device).uniform_(0.8, 1.0, generator=rng)


class Haze:
    """Keeps outputs away from -1 and 1."""

    def __init__(self, settings):
        self.weight = settings.weight

    def __call__(self, batch, output, real, fake):
        return self.weight * output.square().mean()


class CsvLog:
    """Writes what is logged into the run directory."""

    def __init__(self, settings):
        self.name = settings.file

    def started(self, run):
        self.file = run["directory"] / self.name

    def logged(self, step, values):
        with self.file.open("a", newline="") as file:
            writer = csv.writer(file)
            if file.tell() == 0:
                writer.writerow(["step", *values])
            writer.writerow([step, *values.values()])

    def sampled(self, step, view, picture):
        pass

    def finished(self, outcome):
        pass
