"""What the template of each kind of part does, and the commands that use the part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where an author of a kind of part starts from.

    Attributes:
        called: the kind as a reader calls it.
        does: what the part of the template does, in a sentence.
        commands: those that use the part, with ``$name`` in them.
    """

    called: str
    does: str
    commands: tuple[str, ...]


def _one_run(options: str) -> tuple[str, ...]:
    return (f"genframe run --plugin cdcgan {options} --steps 200",)


def _run_then(command: str) -> tuple[str, ...]:
    return ("genframe run --plugin cdcgan --steps 200 --output-dir runs/$name", command)


STARTS: Mapping[str, Start] = {
    "recipe": Start(
        called="recipe",
        does="It puts parts that are installed already together to a slim conditional DCGAN.",
        commands=("genframe run --plugin $name",),
    ),
    "algorithm": Start(
        called="algorithm",
        does="It trains a generator by the energy distance, without a critic.",
        commands=_one_run("--algorithm $name"),
    ),
    "architecture": Start(
        called="architecture",
        does="It builds a generator and a critic of dense layers, for samples of any shape and any labels.",
        commands=_one_run("--architecture $name"),
    ),
    "conditioning": Start(
        called="conditioning scheme",
        does="A learnt code of the class joins the input of every layer.",
        commands=_one_run("--conditioning $name"),
    ),
    "noise": Start(
        called="noise sampler",
        does="It draws points of a sphere, each as probable as any other.",
        commands=_one_run("--noise $name"),
    ),
    "objective": Start(
        called="objective",
        does="It is least squares: the critic's logits of real and of generated samples have a target each.",
        commands=_one_run("--objective $name"),
    ),
    "regularizer": Start(
        called="regularizer",
        does="It keeps the critic's logits of real samples near zero.",
        commands=_one_run("--regularizer $name"),
    ),
    "augmentation": Start(
        called="augmentation",
        does="It makes each sample that the critic sees brighter or darker.",
        commands=_one_run("--augmentation $name"),
    ),
    "term": Start(
        called="term of the generator's loss",
        does="It brings the mean of generated samples near the mean of real ones.",
        commands=_one_run("""--set 'terms=["$name"]'"""),
    ),
    "dataset": Start(
        called="dataset",
        does="It draws discs, squares and diamonds of any place and size.",
        commands=_one_run("--data $name"),
    ),
    "metric": Start(
        called="metric",
        does="It is the Fréchet distance of generated pixels to held-out ones, taken as independent normal numbers.",
        commands=_run_then("genframe evaluate runs/$name --metric $name"),
    ),
    "visualizer": Start(
        called="visualizer",
        does="It draws sheets in which each row goes from one sample to another through the noise between them.",
        commands=_run_then("genframe visualize runs/$name $name"),
    ),
    "observer": Start(
        called="observer",
        does="It writes moving averages of all logged figures into the run directory.",
        commands=_one_run("""--set 'observers=["$name"]'"""),
    ),
    "experiment": Start(
        called="experiment",
        does="It asks whether wider networks err less on digits, and answers with a page beside the claim.",
        commands=("genframe reproduce $name --seeds 2",),
    ),
}
