"""Image to image (Isola et al., 2017): from an outline to the filled shape, judged patch by patch. No noise."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import torch
from torch import nn

import genframe
from genframe.interfaces import Critique
from genframe.shapes import Field
from genframe.specs import ArchitectureSpec, Choice, DatasetSpec, RecipeSpec, TermSpec


@dataclass(frozen=True)
class Boxes:
    members: tuple[int, ...] = tuple(range(256))
    fields = {"image": Field(kind="image", shape=(3, 16, 16)), "outline": Field(kind="image", shape=(1, 16, 16))}

    def __len__(self):
        return len(self.members)

    def split(self, part):
        return replace(self, members=tuple(i for i in self.members if (i % 8 == 0) == (part == "heldout")))

    def read(self, indices, *, epoch, seed):
        images = torch.full((len(indices), 3, 16, 16), 255, dtype=torch.uint8)
        outlines = torch.zeros(len(indices), 1, 16, 16, dtype=torch.uint8)
        for image, outline, member in zip(images, outlines, (self.members[i] for i in indices), strict=True):
            top, left, size = member % 6 + 1, member // 6 % 6 + 1, 5 + member % 4
            image[:, top : top + size, left : left + size] = torch.tensor([200, 40, 90])[:, None, None]
            outline[:, top : top + size, left : left + size] = 255
            outline[:, top + 1 : top + size - 1, left + 1 : left + size - 1] = 0
        return {"image": images, "outline": outlines}


class Painter(nn.Sequential):
    def forward(self, noise, condition):
        return super().forward(condition["outline"])


class PatchCritic(nn.Sequential):
    def forward(self, output, condition):
        return Critique((super().forward(torch.cat([output, condition["outline"]], dim=1)),))


def build(problem, conditioning):
    down, up = nn.Conv2d(1, 16, 4, 2, 1), nn.ConvTranspose2d(16, 3, 4, 2, 1)
    middle = nn.Conv2d(16, 16, 7, 1, 3)
    critic = PatchCritic(nn.Conv2d(4, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 1, 3, 1, 1))
    return {"generator": Painter(down, nn.ReLU(), middle, nn.ReLU(), up, nn.Tanh()), "critic": critic}


@genframe.hookimpl
def genframe_datasets():
    yield DatasetSpec(name="boxes", summary="Outlines and filled boxes", factory=lambda settings: Boxes())


@genframe.hookimpl
def genframe_architectures():
    roles, tiny = frozenset({"generator", "critic"}), SimpleNamespace(build=build)
    yield ArchitectureSpec(name="tiny-painter", summary="Small", factory=lambda settings: tiny, roles=roles)


@genframe.hookimpl
def genframe_terms():
    def term(settings):
        return lambda batch, output, real, fake: 100 * (output - batch["image"]).abs().mean()

    yield TermSpec(name="tiny-l1", summary="L1 to the target", factory=term)


@genframe.hookimpl
def genframe_recipes():
    slots = {"objective": Choice(name="non-saturating"), "terms": (Choice(name="tiny-l1"),)}
    parts = {"algorithm": Choice(name="adversarial"), "architecture": Choice(name="tiny-painter")}
    yield RecipeSpec(name="tiny-translator", summary="Fills outlines", data=Choice(name="boxes"), slots=slots, **parts)
