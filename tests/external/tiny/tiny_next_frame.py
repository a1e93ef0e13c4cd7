"""Next-frame prediction (Mathieu et al., 2016): frames as the condition, a critic at two scales, edges in the loss."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import torch
from torch import nn

import genframe
from genframe.interfaces import Critique
from genframe.shapes import Field
from genframe.specs import ArchitectureSpec, Choice, DatasetSpec, RecipeSpec, TermSpec


@dataclass(frozen=True)
class MovingDot:
    members: tuple[int, ...] = tuple(range(320))
    fields = {"image": Field(kind="image", shape=(1, 16, 16)), "context": Field(kind="frames", shape=(3, 1, 16, 16))}

    def __len__(self):
        return len(self.members)

    def split(self, part):
        return replace(self, members=tuple(i for i in self.members if (i % 5 == 0) == (part == "heldout")))

    def read(self, indices, *, epoch, seed):
        film = torch.zeros(len(indices), 4, 1, 16, 16, dtype=torch.uint8)
        for frames, member in zip(film, (self.members[i] for i in indices), strict=True):
            for time, frame in enumerate(frames):
                top, left = member % 8 + time * (member % 3), member // 8 % 8 + time * (member // 3 % 3)
                frame[:, top : top + 3, left : left + 3] = 255
        return {"image": film[:, 3], "context": film[:, :3]}


class Predictor(nn.Sequential):
    def forward(self, noise, condition):
        return super().forward(condition["context"].flatten(1, 2))


class TwoScales(nn.ModuleList):
    def forward(self, output, condition):
        film = torch.cat([condition["context"].flatten(1, 2), output], dim=1)
        return Critique(tuple(scale(film) for scale in self))


def build(problem, conditioning):
    predictor = Predictor(nn.Conv2d(3, 32, 9, 1, 4), nn.ReLU(), nn.Conv2d(32, 1, 9, 1, 4), nn.Tanh())
    fine = nn.Sequential(nn.Conv2d(4, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 1, 3, 1, 1))
    coarse = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 1, 3, 1, 1))
    return {"generator": predictor, "critic": TwoScales([fine, coarse])}


def gradient_difference(batch, output, real, fake):
    pairs = [(image.diff(dim=2).abs(), image.diff(dim=3).abs()) for image in (output, batch["image"])]
    return 20 * sum((ours - theirs).abs().mean() for ours, theirs in zip(*pairs, strict=True))


@genframe.hookimpl
def genframe_datasets():
    yield DatasetSpec(name="moving-dot", summary="A dot on its way", factory=lambda settings: MovingDot())


@genframe.hookimpl
def genframe_architectures():
    roles, tiny = frozenset({"generator", "critic"}), SimpleNamespace(build=build)
    yield ArchitectureSpec(name="tiny-predictor", summary="Small", factory=lambda settings: tiny, roles=roles)


@genframe.hookimpl
def genframe_terms():
    yield TermSpec(name="gradient-difference", summary="Edges", factory=lambda settings: gradient_difference)


@genframe.hookimpl
def genframe_recipes():
    slots = {"objective": Choice(name="non-saturating"), "terms": (Choice(name="gradient-difference"),)}
    parts = {"algorithm": Choice(name="adversarial"), "architecture": Choice(name="tiny-predictor")}
    yield RecipeSpec(name="tiny-next-frame", summary="Next", data=Choice(name="moving-dot"), slots=slots, **parts)
