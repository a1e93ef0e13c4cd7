"""Super-resolution by two: the output is larger than what it is made from."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import torch
from sklearn.datasets import load_digits
from torch import nn

import genframe
from genframe.interfaces import Critique
from genframe.shapes import Field
from genframe.specs import ArchitectureSpec, Choice, DatasetSpec, RecipeSpec, TermSpec


@dataclass(frozen=True)
class Pyramid:
    digits: torch.Tensor
    fields = {"image": Field(kind="image", shape=(1, 8, 8)), "low": Field(kind="image", shape=(1, 4, 4))}

    def __len__(self):
        return len(self.digits)

    def split(self, part):
        heldout = torch.arange(len(self.digits)) % 6 == 0
        return replace(self, digits=self.digits[heldout if part == "heldout" else ~heldout])

    def read(self, indices, *, epoch, seed):
        images = self.digits[list(indices)]
        low = nn.functional.avg_pool2d(images.float(), 2).round().to(torch.uint8)
        return {"image": images, "low": low}


def digits_8x8(settings):
    images = torch.from_numpy(load_digits().images).mul(255 / 16).round().to(torch.uint8)
    return Pyramid(images[:, None])


class Upscaler(nn.Sequential):
    def forward(self, noise, condition):
        return super().forward(condition["low"])


class Judge(nn.Sequential):
    def forward(self, output, condition):
        low = nn.functional.interpolate(condition["low"], scale_factor=2)
        return Critique((super().forward(torch.cat([output, low], dim=1))[:, 0],))


def build(problem, conditioning):
    upscaler = Upscaler(nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 4, 3, 1, 1), nn.PixelShuffle(2), nn.Tanh())
    judge = Judge(nn.Conv2d(2, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(256, 1))
    return {"generator": upscaler, "critic": judge}


@genframe.hookimpl
def genframe_datasets():
    yield DatasetSpec(name="digit-pyramid", summary="Digits at two sizes", factory=digits_8x8)


@genframe.hookimpl
def genframe_architectures():
    roles, tiny = frozenset({"generator", "critic"}), SimpleNamespace(build=build)
    yield ArchitectureSpec(name="tiny-upscaler", summary="Small", factory=lambda settings: tiny, roles=roles)


@genframe.hookimpl
def genframe_terms():
    def term(settings):
        return lambda batch, output, real, fake: 50 * (output - batch["image"]).square().mean()

    yield TermSpec(name="tiny-l2", summary="L2 to the target", factory=term)


@genframe.hookimpl
def genframe_recipes():
    slots = {"objective": Choice(name="non-saturating"), "terms": (Choice(name="tiny-l2"),)}
    parts = {"algorithm": Choice(name="adversarial"), "architecture": Choice(name="tiny-upscaler")}
    yield RecipeSpec(name="tiny-super-resolver", summary="x2", data=Choice(name="digit-pyramid"), slots=slots, **parts)
