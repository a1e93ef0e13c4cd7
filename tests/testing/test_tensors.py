"""What the kit asks of tensors: values that are read, and states that come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genframe.testing.results import FaultError, SkippedError
from genframe.testing.tensors import keeps_its_state, no_values


def numbers():
    return torch.arange(6.0)


def assigned(values):
    def run(mask):
        numbers()[mask] = values

    return run


COUNTS = torch.tensor([1, 2, 1])
MASK = torch.tensor([True, False, True, True, False, False])

READS = {
    "item": lambda mask: numbers()[0].item(),
    "branch": lambda mask: 1 if numbers().sum() > 0 else 2,
    "tolist": lambda mask: numbers().tolist(),
    "numpy": lambda mask: numbers().numpy(),
    "asarray": lambda mask: np.asarray(numbers()),
    "equal": lambda mask: torch.equal(numbers(), numbers()),
    "allclose": lambda mask: torch.allclose(numbers(), numbers()),
    "nonzero": lambda mask: mask.nonzero(),
    "where of one argument": lambda mask: torch.where(mask),
    "masked_select": lambda mask: numbers().masked_select(mask),
    "index": lambda mask: numbers()[mask],
    "assignment": assigned(torch.ones(3)),
    "index_put": lambda mask: numbers().index_put((mask,), torch.ones(3)),
    "unique": lambda mask: torch.unique(COUNTS),
    "unique of rows": lambda mask: torch.unique(COUNTS, dim=0),
    "unique_consecutive": lambda mask: torch.unique_consecutive(COUNTS),
    "unique_consecutive of rows": lambda mask: torch.unique_consecutive(COUNTS, dim=0),
    "bincount": lambda mask: torch.bincount(COUNTS),
    "repeat_interleave": lambda mask: torch.repeat_interleave(numbers()[:3], COUNTS),
}

READS_NOTHING = {
    "assignment of a number": assigned(2.0),
    "assignment of a tensor of one number": assigned(torch.tensor(2.0)),
    "masked_fill": lambda mask: numbers().masked_fill_(mask, 2.0),
    "where": lambda mask: torch.where(mask, numbers(), 0.0),
    "places": lambda mask: numbers()[COUNTS],
    "assignment to places": lambda mask: numbers().index_put_((COUNTS,), torch.ones(3)),
    "repeat_interleave of a number": lambda mask: torch.repeat_interleave(numbers(), 2),
    "repeat_interleave of a known size": lambda mask: torch.repeat_interleave(numbers()[:3], COUNTS, output_size=4),
    "isclose": lambda mask: torch.isclose(numbers(), numbers()).all(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_whoever_reads_a_value_fails(read):
    with no_values(), pytest.raises(FaultError, match="it reads a tensor's value"):
        read(MASK)
    read(MASK)


@pytest.mark.parametrize("use", READS_NOTHING.values(), ids=READS_NOTHING)
def test_what_reads_no_value_is_let_through(use):
    with no_values():
        use(MASK)


class Part:
    """Keeps a number, which use increases; the number may be limited, refused or lost."""

    def __init__(self, first=0.5, limits=(-10.0, 10.0), grows=0.0):
        self.number, self.limits, self.grows = torch.tensor(first), limits, grows

    def use(self):
        self.number = (self.number + self.grows).clamp(*self.limits)

    def state(self):
        return {"number": self.number}

    def load_state(self, state):
        self.number = state["number"].clamp(*self.limits)


class Strict(Part):
    def load_state(self, state):
        if not self.limits[0] <= float(state["number"]) <= self.limits[1]:
            raise ValueError("no such number")
        self.number = state["number"]


class Fixed(Strict):
    def load_state(self, state):
        if float(state["number"]) != 0.5:
            raise ValueError("no such number")


class Doubling(Part):
    def load_state(self, state):
        self.number = 2 * state["number"]


class Forgetful(Part):
    def load_state(self, state):
        pass


class Partial(Part):
    def state(self):
        return {"number": self.number, "other": torch.ones(2, dtype=torch.bool)}


class Empty(Part):
    def state(self):
        return {}


def kept(make):
    return keeps_its_state(make, lambda part: part.use())


@pytest.mark.parametrize("first", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("kind", [Part, Strict])
def test_a_part_that_limits_or_refuses_numbers_keeps_its_state(kind, first):
    assert kept(lambda: kind(first, limits=(0.0, 1.0))) == "1 tensors"


def test_a_part_that_begins_at_infinity_keeps_its_state():
    assert kept(lambda: Part(float("inf"), limits=(None, torch.inf))) == "1 tensors"


def test_a_part_that_refuses_all_but_what_it_has_become_keeps_its_state():
    class Becoming(Part):
        def load_state(self, state):
            if float(state["number"]) != 0.75:
                raise ValueError("no such number")
            self.number = state["number"]

    assert kept(lambda: Becoming(grows=0.25)) == "1 tensors"


@pytest.mark.parametrize("grows", [0.0, 1.0])
@pytest.mark.parametrize("kind", [Doubling, Forgetful, Partial])
def test_a_part_that_does_not_take_its_numbers_back_fails(kind, grows):
    with pytest.raises(FaultError, match=r"load_state does not take back (number|other)"):
        kept(lambda: kind(grows=grows))


def test_a_part_without_numbers_is_skipped():
    with pytest.raises(SkippedError, match="it keeps no numbers of its own"):
        kept(Empty)
    with pytest.raises(SkippedError, match="it keeps no numbers of its own"):
        keeps_its_state(object, id)


def test_a_part_whose_other_states_are_unknown_is_skipped():
    with pytest.raises(SkippedError, match="its use does not change number, and load_state refuses"):
        kept(Fixed)
