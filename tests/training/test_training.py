"""Batches, running averages and the loop's cadences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import pytest
import torch
from torch import nn

from genframe.errors import ConfigError, DataError, DivergenceError, StoppedError
from genframe.interfaces import Batch
from genframe.shapes import Field
from genframe.training.averages import Averages
from genframe.training.batches import batches, batches_per_epoch
from genframe.training.device import Compute
from genframe.training.loop import train
from genframe.training.signals import StopRequest
from genframe.training.trainer import Trainer
from genframe.training_settings import Cadence, TrainingSettings

CPU = Compute.choose("cpu", "float32", 1)


class Numbers:
    """Sample i is the number i; a batch also says which epoch and seed it was read for."""

    fields: Mapping[str, Field] = {"points": Field(kind="points", shape=(1,))}

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def split(self, part: str) -> Numbers:
        return self

    def read(self, indices: Sequence[int], *, epoch: int, seed: int) -> Batch:
        return {"points": torch.tensor(indices, dtype=torch.float32)[:, None], "when": torch.tensor([epoch, seed])}


def first(count: int, **options: int) -> list[Batch]:
    options = {"batch_size": 4, "seed": 0} | options
    return list(islice(batches(Numbers(10), **options), count))


def values(batch: Batch) -> list[int]:
    return [int(value) for value in batch["points"][:, 0]]


def test_an_epoch_visits_each_sample_at_most_once_in_an_order_of_its_own() -> None:
    stream = first(4)
    epochs = [values(stream[0]) + values(stream[1]), values(stream[2]) + values(stream[3])]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert [batch["when"].tolist() for batch in stream] == [[0, 0], [0, 0], [1, 0], [1, 0]]


def test_the_order_depends_on_the_seed_alone() -> None:
    assert [values(batch) for batch in first(5)] == [values(batch) for batch in first(5)]
    assert [values(batch) for batch in first(5)] != [values(batch) for batch in first(5, seed=1)]


@pytest.mark.parametrize("start", [1, 2, 3, 7])
def test_the_stream_can_begin_at_any_step(start: int) -> None:
    assert [values(b) for b in first(3, first=start)] == [values(b) for b in first(3 + start)[start:]]


def test_workers_change_nothing() -> None:
    assert [values(batch) for batch in first(6, workers=2)] == [values(batch) for batch in first(6)]


class Torn(Numbers):
    """One sample cannot be read."""

    def read(self, indices: Sequence[int], *, epoch: int, seed: int) -> Batch:
        if 7 in indices:
            raise DataError("sample 7 is torn")
        return super().read(indices, epoch=epoch, seed=seed)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_cannot_be_read_is_the_same_sentence_with_workers(workers: int) -> None:
    with pytest.raises(DataError, match=r"^sample 7 is torn$"):
        list(islice(batches(Torn(10), batch_size=4, seed=0, workers=workers), 6))


def test_reading_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first(3, workers=1)
    assert torch.equal(before, torch.get_rng_state())


def test_fewer_samples_than_a_batch_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--batch-size 11 is more than the 10"):
        batches_per_epoch(10, 11)


def test_the_average_follows_its_definition() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    averages = Averages({"net": network}, ["net"], decay=0.5)
    expected, running = network[0].weight.item(), float(network[1].running_mean)
    for update in range(20):
        with torch.no_grad():
            network[0].weight.fill_(float(update))
            network[1].running_mean.fill_(float(-update))
        averages.update("net", averages.next_weight("net"))
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * update
        running = decay * running - (1 - decay) * update
    average = averages.networks["net"]
    assert average[0].weight.item() == pytest.approx(expected, rel=1e-5)
    assert float(average[1].running_mean) == pytest.approx(running, rel=1e-5)
    assert not average.training


def test_without_decay_the_average_is_a_copy() -> None:
    network = nn.Linear(2, 2)
    averages = Averages({"net": network}, ["net"], decay=0.0)
    with torch.no_grad():
        network.weight.add_(1.0)
    averages.update("net", averages.next_weight("net"))
    assert torch.equal(averages.networks["net"].weight, network.weight)


@pytest.mark.parametrize(
    ("text", "cadence"), [(500, Cadence(500)), ("500", Cadence(500)), ("30s", Cadence(None, 30.0))]
)
def test_a_cadence_is_steps_or_seconds(text: int | str, cadence: Cadence) -> None:
    assert Cadence.parse(text) == cadence


@pytest.mark.parametrize("text", ["0", "s", "-5", "1.5", "30m", ""])
def test_any_other_cadence_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="checkpoint_every"):
        Cadence.parse(text)


class Descent:
    """Minimises w**2; from step `bad` on the loss is what `poison` makes of it."""

    def __init__(self, poison: float = 1.0, bad: int = 10**9) -> None:
        self.poison, self.bad = poison, bad

    def problem(self, fields: Mapping[str, Field]) -> object:
        raise AssertionError

    def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": torch.optim.SGD(networks["net"].parameters(), lr=0.1)}

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
        loss = networks["net"].weight.square().sum()
        if step.number >= self.bad:
            loss = loss * self.poison
        step.minimise(loss, "net")
        return {"loss": loss.detach()}

    def generator(self, networks: Mapping[str, nn.Module]) -> object:
        raise AssertionError


def trainer(algorithm: Descent) -> Trainer:
    networks = {"net": nn.Linear(1, 1, bias=False)}
    nn.init.ones_(networks["net"].weight)
    averages = Averages(networks, ["net"], 0.9)
    return Trainer(algorithm, networks, Numbers.fields, CPU, averages, TrainingSettings(), seed=0)


class Diary:
    def __init__(self) -> None:
        self.logged: list[int] = []
        self.sampled: list[int] = []
        self.saved: list[int] = []
        self.settled: list[int] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.logged.append(step)

    def sample(self, step: int) -> None:
        self.sampled.append(step)

    def save(self, step: int) -> None:
        self.saved.append(step)

    def settle(self) -> None:
        self.settled = list(self.saved)


def stream() -> Iterator[Batch]:
    return batches(Numbers(10), batch_size=4, seed=0)


def settings(**changes: int) -> TrainingSettings:
    return TrainingSettings(**({"steps": 7, "log_every": 2, "sample_every": 3, "checkpoint_every": 3} | changes))


def test_each_cadence_is_kept_and_the_last_step_is_logged_and_saved() -> None:
    diary, descent = Diary(), trainer(Descent())
    train(descent, stream(), settings(), diary, StopRequest())
    assert (diary.logged, diary.sampled, diary.saved) == ([2, 4, 6, 7], [3, 6], [3, 6, 7])
    assert diary.settled == diary.saved
    assert descent.networks["net"].weight.item() == pytest.approx(0.8**7)


def test_a_request_to_stop_saves_the_step_that_was_reached() -> None:
    diary, stop = Diary(), StopRequest()
    diary.log = lambda step, values: stop.receive(2, None)  # type: ignore[method-assign]
    with pytest.raises(StoppedError, match=r"SIGINT after step 2 of 7") as caught:
        train(trainer(Descent()), stream(), settings(), diary, stop)
    assert (diary.saved, diary.settled, caught.value.exit_code) == ([2], [2], 130)


class Rooted(Descent):
    """The loss stays finite at w = 0, the gradient of the square root does not."""

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
        loss = (networks["net"].weight * (step.number < self.bad)).sum().abs().sqrt()
        step.minimise(loss, "net")
        return {"loss": loss.detach()}


@pytest.mark.parametrize(
    ("algorithm", "culprit"),
    [
        (Descent(float("nan"), bad=4), "the loss"),
        (Descent(float("inf"), bad=4), "the loss"),
        (Rooted(bad=4), "a gradient"),
    ],
)
def test_divergence_is_noticed_before_the_update(algorithm: Descent, culprit: str) -> None:
    descent, diary = trainer(algorithm), Diary()
    seen: list[float] = []
    diary.log = lambda step, values: seen.append(descent.networks["net"].weight.item())  # type: ignore[method-assign]
    with pytest.raises(DivergenceError, match=rf"step 5: {culprit} of 'net'"):
        train(descent, stream(), settings(log_every=1), diary, StopRequest())
    assert descent.networks["net"].weight.item() == seen[-1]
    assert (len(seen), diary.saved) == (4, [3])


class Filling(Descent):
    """Changes its network without minimising anything, as an estimate in closed form does."""

    def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
        return {}

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
        with torch.no_grad():
            networks["net"].weight.fill_(step.number + 5.0)
        return {}


def test_what_nothing_minimises_is_copied_into_the_averages() -> None:
    filling = trainer(Filling())
    train(filling, stream(), settings(steps=2), Diary(), StopRequest())
    assert filling.averages.networks["net"].weight.item() == 6.0


def test_a_network_that_is_not_minimised_gets_no_gradients() -> None:
    networks = {"net": nn.Linear(1, 1, bias=False), "other": nn.Linear(1, 1, bias=False)}

    class Through(Descent):
        def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
            step.minimise(networks["other"](networks["net"](batch["points"])).square().mean(), "net")
            return {}

    made = Trainer(Through(), networks, Numbers.fields, CPU, Averages(networks, ["net"], 0.9), TrainingSettings(), 0)
    made.step(0, first(1)[0])
    assert networks["net"].weight.grad is not None
    assert networks["other"].weight.grad is None


def test_a_learning_rate_may_be_a_tensor() -> None:
    class Scheduled(Descent):
        def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
            return {"net": torch.optim.Adam(networks["net"].parameters(), lr=torch.tensor(0.5))}

    (group,) = json.loads(json.dumps(trainer(Scheduled()).training_state()))["optimizers"]["net"]
    assert group["lr"] == 0.5


def test_random_streams_differ_by_purpose_and_step_and_repeat() -> None:
    seen = []

    class Probe(Descent):
        def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
            seen.append((step.key("a"), step.key("b"), float(torch.rand((), generator=step.rng("a")))))
            assert step.indices.tolist() == [0, 1, 2, 3]
            return super().step(networks, batch, step)

    for _ in range(2):
        train(trainer(Probe()), stream(), settings(steps=3), Diary(), StopRequest())
    assert seen[:3] == seen[3:]
    assert len({number for row in seen[:3] for number in row}) == 9


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Compute.choose(name, "auto", 1)


def test_pixels_are_scaled_and_other_fields_left_alone() -> None:
    fields = {"image": Field(kind="image", shape=(1, 1, 3)), "label": Field(kind="class", classes=("a", "b"))}
    batch = {
        "image": torch.tensor([[[[0, 127, 255]]]], dtype=torch.uint8),
        "label": torch.tensor([1]),
        "more": torch.ones(1),
    }
    prepared = CPU.prepare(batch, fields)
    assert prepared["image"].flatten().tolist() == pytest.approx([-1.0, -1 / 255, 1.0], abs=1e-6)
    assert prepared["label"].tolist() == [1]
    assert set(prepared) == {"image", "label"}


class Pair(Descent):
    """The second loss runs through the network that the first one has just updated."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def optimizers(self, networks: Mapping[str, nn.Module]) -> Mapping[str, torch.optim.Optimizer]:
        return {role: torch.optim.SGD(network.parameters(), 0.25) for role, network in networks.items()}

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
        one = torch.ones(1, 1)
        step.minimise(networks["judge"](one).sum(), "judge")
        loss = networks["judge"](networks["net"](one)).sum()
        self.seen.append(loss.item())
        step.minimise(loss, "net")
        return {}


def test_in_bfloat16_a_loss_runs_through_the_weights_as_they_are_after_an_update() -> None:
    networks = {role: nn.Linear(1, 1, bias=False) for role in ("net", "judge")}
    for network in networks.values():
        nn.init.ones_(network.weight)
    pair, compute = Pair(), Compute.choose("cpu", "bfloat16", 1)
    made = Trainer(pair, networks, Numbers.fields, compute, Averages(networks, [], 0.9), TrainingSettings(), 0)
    made.step(0, next(stream()))
    assert pair.seen == [0.75]  # the judge's weight is 1 - 0.25 by then
    assert networks["net"].weight.item() == 1 - 0.25 * 0.75


class Shaken(Descent):
    """A network that draws at random itself."""

    def step(self, networks: Mapping[str, nn.Module], batch: Batch, step: object) -> Mapping[str, torch.Tensor]:
        drawn = torch.nn.functional.dropout(torch.ones(64), 0.5)
        step.minimise(networks["net"].weight.sum(), "net")
        return {"drawn": drawn}


def test_what_networks_draw_is_a_function_of_the_seed_and_the_step() -> None:
    drawn = {step: trainer(Shaken()).step(step, next(stream()))["drawn"].tolist() for step in (0, 1)}
    torch.rand(3)
    assert trainer(Shaken()).step(0, next(stream()))["drawn"].tolist() == drawn[0] != drawn[1]
