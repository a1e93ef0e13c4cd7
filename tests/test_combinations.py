"""Parts compose: any architecture, conditioning, objective, regularizer and noise, whatever the kind of the labels.

Every pair of choices occurs in some combination of two steps on tiny pictures; ``make test-all`` makes them all. What
cannot be combined is refused before training, in a sentence.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import torch
from allpairspy import AllPairs

import genframe
from genframe.assembly import assemble
from genframe.config import tree_of
from genframe.errors import ConfigError
from genframe.planning import plan
from genframe.registry import load_registry
from genframe.shapes import Field
from genframe.specs import DatasetSpec
from genframe.training.batches import batches

LABELS = {
    "class": Field(kind="class", classes=("a", "b", "c")),
    "multilabel": Field(kind="multilabel", shape=(2,), classes=("bold", "slanted")),
    "vector": Field(kind="vector", shape=(2,)),
}
#: What makes an architecture small.
SMALL = {
    "dcgan": {"width": 4, "hidden": 6},
    "maxout-mlp": {"noise_units": 4, "joint_units": 6, "critic_units": 4},
    "mlp": {"hidden": 6, "generator_norm": True},
    "residual": {"width": 4},
}
#: What has no place for labels, and what the sentence says.
REFUSED = {
    ("maxout-mlp", "conditional-batch-norm"): "no BatchNorm.*--conditioning concat",
}


@dataclass(frozen=True)
class Pictures:
    """Random pictures of 9x12 with labels of one kind, the same in both parts."""

    kind: str

    @property
    def fields(self):
        return {"image": Field(kind="image", shape=(1, 9, 12)), "label": LABELS[self.kind]}

    def __len__(self):
        return 16

    def split(self, part):
        return self

    def read(self, indices, *, epoch, seed):
        rng = torch.Generator().manual_seed(5)
        images = torch.randint(0, 256, (16, 1, 9, 12), generator=rng, dtype=torch.uint8)
        labels = {
            "class": torch.arange(16) % 3,
            "multilabel": torch.randint(0, 2, (16, 2), generator=rng).float(),
            "vector": torch.randn(16, 2, generator=rng),
        }
        return {"image": images[list(indices)], "label": labels[self.kind][list(indices)]}


def offered(kind: str, *but: str) -> list[str]:
    specs = [found.spec.name for found in load_registry().all(kind) if found.plugin.distribution == "genframe"]
    return sorted(set(specs) - set(but))


#: Each choice of each kind. A fitted law has nothing to fit before there is a run.
CHOICES = {
    "architecture": list(SMALL),
    "conditioning": offered("conditioning"),
    "objective": offered("objective"),
    "regularizer": ["", *offered("regularizer")],
    "noise": offered("noise", "fitted"),
    "labels": list(LABELS),
}


def losses_of(
    architecture: str,
    conditioning: str,
    objective: str,
    regularizer: str,
    noise: str,
    labels: str,
    augmentation: str = "",
    precision: str = "float32",
):
    """Two steps of such a run."""
    data = DatasetSpec(name="pictures", summary="Random pictures", factory=lambda settings: Pictures(labels))
    genframe.register(data)
    options = {"data": "pictures", "architecture": architecture, "conditioning": conditioning, "objective": objective}
    options |= {"noise": noise, "noise_dim": 5, "batch_size": 8, "precision": precision}
    options |= {"regularizer": (regularizer,) if regularizer else ()}
    options |= {"augmentation": (augmentation,) if augmentation else ()}
    small = [tree_of(f"architecture.{key}", value) for key, value in SMALL[architecture].items()]
    settings = [*small, tree_of("metrics", []), tree_of("observers", [])]
    registry = load_registry()
    assembly = assemble(plan(registry, recipe="dcgan", options=options, settings=settings).config, registry)
    stream = batches(assembly.train, batch_size=8, seed=0)
    rows = [assembly.trainer.step(number, next(stream)) for number in range(2)]
    assembly.trainer.check()
    return [float(value) for row in rows for value in row.values()]


def compose(**choices: str) -> None:
    """Two finite steps; or the refusal that these parts deserve."""
    sentence = REFUSED.get((choices["architecture"], choices["conditioning"]))
    if sentence is None:
        assert torch.tensor(losses_of(**choices)).isfinite().all(), choices
        return
    with pytest.raises(ConfigError, match=sentence):
        losses_of(**choices)


def test_every_pair_of_choices_composes_or_is_refused_in_a_sentence():
    combinations = [dict(zip(CHOICES, each, strict=True)) for each in AllPairs(list(CHOICES.values()))]
    pairs = {pair for each in combinations for pair in itertools.combinations(each.items(), 2)}
    assert len(pairs) == sum(len(a) * len(b) for a, b in itertools.combinations(CHOICES.values(), 2))
    for each in combinations:
        compose(**each)


@pytest.mark.parametrize("augmentation", offered("augmentation"))
@pytest.mark.parametrize("regularizer", CHOICES["regularizer"])
def test_penalties_and_augmentations_compose_in_low_precision(regularizer, augmentation):
    parts = {"conditioning": "projection", "objective": "hinge", "noise": "gaussian", "labels": "class"}
    for architecture in ("dcgan", "residual"):
        losses = losses_of(
            architecture, **parts, regularizer=regularizer, augmentation=augmentation, precision="bfloat16"
        )
        assert torch.tensor(losses).isfinite().all()


def test_every_architecture_of_these_roles_takes_part():
    roles = {"generator", "critic"}
    specs = [found.spec for found in load_registry().all("architecture") if found.plugin.distribution == "genframe"]
    assert sorted(SMALL) == sorted(spec.name for spec in specs if spec.roles == roles)


@pytest.mark.slow
@pytest.mark.parametrize("conditioning", CHOICES["conditioning"])
@pytest.mark.parametrize("architecture", SMALL)
def test_every_combination_composes_or_is_refused_in_a_sentence(architecture, conditioning):
    rest = [CHOICES[kind] for kind in ("objective", "regularizer", "noise", "labels")]
    for objective, regularizer, noise, labels in itertools.product(*rest):
        compose(
            architecture=architecture,
            conditioning=conditioning,
            objective=objective,
            regularizer=regularizer,
            noise=noise,
            labels=labels,
        )
