"""The fixed, stratified choice of samples."""

import pytest
import torch

from genframe.analysis.strata import stratified


@pytest.mark.parametrize("count", [0, 1, 7, 100, 299, 300])
def test_exactly_as_many_are_chosen_as_were_asked_for(count):
    labels = torch.randint(0, 7, (300,), generator=torch.Generator().manual_seed(0))
    assert int(stratified(labels, count, "test").sum()) == count


def test_each_class_gives_its_share_to_within_one():
    labels = torch.arange(10).repeat_interleave(torch.arange(10, 110, 10))
    chosen = torch.bincount(labels[stratified(labels, 55, "test")], minlength=10)
    assert ((chosen - torch.arange(1, 11)).abs() <= 1).all()


def test_the_choice_is_the_same_each_time_and_another_by_another_name():
    labels = torch.arange(200) % 4
    first = stratified(labels, 50, "one")
    assert torch.equal(first, stratified(labels, 50, "one"))
    assert not torch.equal(first, stratified(labels, 50, "other"))


def test_the_choice_is_frozen():
    chosen = stratified(torch.arange(40) % 4, 8, "frozen").nonzero()[:, 0]
    assert chosen.tolist() == [1, 6, 7, 10, 13, 27, 28, 32]


def test_the_last_sample_of_a_class_is_left_while_others_can_give():
    labels = torch.tensor([0] * 8 + [1, 2])
    assert not stratified(labels, 3, "test")[8:].any()


def test_classes_without_samples_are_no_obstacle():
    assert int(stratified(torch.tensor([5, 5, 5, 9, 9, 9]), 2, "test").sum()) == 2
