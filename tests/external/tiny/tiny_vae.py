"""A variational autoencoder (Kingma and Welling, 2013): an algorithm of its own, with no critic and no objective."""

import math
from dataclasses import dataclass

import torch
from torch import nn

import genframe
from genframe.shapes import Problem
from genframe.specs import AlgorithmSpec, ArchitectureSpec, Choice, RecipeSpec, Slot


@dataclass(frozen=True, kw_only=True)
class Settings:
    learning_rate: float = 1e-3


class Vae:
    def __init__(self, settings, parts):
        self.settings, self.noise = settings, parts["noise"]

    def problem(self, fields):
        return Problem(output=fields["image"], noise_shape=self.noise.shape)

    def optimizers(self, networks):
        return {role: torch.optim.Adam(net.parameters(), self.settings.learning_rate) for role, net in networks.items()}

    def step(self, networks, batch, step):
        mean, log_variance = networks["encoder"](batch["image"]).chunk(2, dim=1)
        noise = self.noise.draw(step.indices, step.key("posterior"))
        output = networks["decoder"](mean + noise * (0.5 * log_variance).exp(), {})
        error = (output - batch["image"]).square().sum() / len(output)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum() / len(output)
        step.minimise(error + divergence, "encoder", "decoder")
        return {"reconstruction_loss": error.detach(), "divergence": divergence.detach()}

    def generator(self, networks):
        return networks["decoder"]


class Decoder(nn.Sequential):
    def forward(self, noise, condition):
        return super().forward(noise)


class Perceptrons:
    def build(self, problem, conditioning):
        shape, (dim,) = problem.output.shape, problem.noise_shape
        pixels = math.prod(shape)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 256), nn.ReLU(), nn.Linear(256, 2 * dim))
        decoder = Decoder(nn.Linear(dim, 256), nn.ReLU(), nn.Linear(256, pixels), nn.Tanh(), nn.Unflatten(1, shape))
        return {"encoder": encoder, "decoder": decoder}


ROLES = frozenset({"encoder", "decoder"})


@genframe.hookimpl
def genframe_algorithms():
    noise, generates = {"noise": Slot(kind="noise")}, frozenset({"decoder"})
    yield AlgorithmSpec(
        name="tiny-vae", summary="ELBO", factory=Vae, settings=Settings, slots=noise, roles=ROLES, generates=generates
    )


@genframe.hookimpl
def genframe_architectures():
    yield ArchitectureSpec(name="tiny-vae", summary="Small", factory=lambda settings: Perceptrons(), roles=ROLES)


@genframe.hookimpl
def genframe_recipes():
    algorithm, architecture, data = Choice(name="tiny-vae"), Choice(name="tiny-vae"), Choice(name="digits")
    slots = {"noise": Choice(name="gaussian", settings={"dim": 16})}
    yield RecipeSpec(
        name="tiny-vae", summary="A VAE", algorithm=algorithm, architecture=architecture, data=data, slots=slots
    )
