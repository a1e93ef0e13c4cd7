"""``--branch-from`` begins with another run's exact state; ``genframe diff`` says where two runs part."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import genframe
from genframe.errors import CheckpointError
from genframe.rundir.checkpoint import complete_checkpoints, load_checkpoint

BASE = ["--plugin", "cdcgan", "--batch-size", "16", "--set", "architecture.width=8", "--set", "architecture.hidden=16"]
BASE += ["--device", "cpu", "--set", "metrics=[]", "--log-every", "1", "--sample-every", "3", "--checkpoint-every", "2"]


def made(cli: Any, folder: Path, *words: object) -> Path:
    result = cli("run", *words, "--output-dir", folder)
    assert result.code == 0, result.err
    return folder


def rows(run: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def tensors(run: Path) -> dict[str, bytes]:
    return {
        file.name: file.read_bytes() for file in complete_checkpoints(run / "checkpoints")[-1].glob("*.safetensors")
    }


@pytest.fixture
def parent(cli: Any, tmp_path: Path) -> Path:
    return made(cli, tmp_path / "parent", *BASE, "--steps", 8, "--keep-last", 4)


def test_a_branch_with_nothing_changed_is_the_run_itself(cli, tmp_path, parent):
    twin = made(cli, tmp_path / "twin", "--branch-from", parent, "--at", 4)
    assert tensors(twin) == tensors(parent)
    assert rows(twin) == rows(parent)[4:]
    assert (twin / "samples/final.png").read_bytes() == (parent / "samples/final.png").read_bytes()
    result = cli("diff", parent, twin)
    assert result.code == 0
    assert result.out.splitlines()[0] == "the same settings"
    assert "they do not part: compared" in result.out


def test_a_branch_differs_from_its_first_step_on_by_what_was_changed_alone(cli, tmp_path, parent):
    other = made(cli, tmp_path / "other", "--branch-from", parent, "--at", 4, "--lr", 0.01)
    result = cli("diff", parent, other)
    assert result.out.splitlines()[:2] == [
        "algorithm.learning_rate: 0.001 | 0.01",
        "equal at step 4 and at all that both logged before it",
    ]
    assert "part at step 5" in result.out
    assert "generator." in result.out
    ours, theirs = rows(parent)[4], rows(other)[0]
    assert ours["critic_loss"] == theirs["critic_loss"]  # the same data, the same noise, the same weights
    assert ours["digest"] != theirs["digest"]
    written = json.loads((other / "run.json").read_text())
    assert written["branched_from"]["step"] == 4
    assert written["branched_from"]["run"] == json.loads((parent / "run.json").read_text())["id"]
    assert written["id"] != written["branched_from"]["run"]


def test_a_branch_stands_on_its_own(cli, tmp_path, parent):
    whole = made(cli, tmp_path / "whole", "--branch-from", parent, "--at", 4, "--lr", 0.01)
    part = made(cli, tmp_path / "part", "--branch-from", parent, "--at", 4, "--lr", 0.01, "--steps", 4)
    shutil.rmtree(parent)
    made(cli, part, "--resume", "--steps", 8)
    assert tensors(part) == tensors(whole)
    assert rows(part) == rows(whole)
    assert json.loads((part / "run.json").read_text())["branched_from"]["step"] == 4


def test_what_a_scheduler_starts_again_goes_on_with_its_branch(cli, tmp_path, parent):
    words = ["--branch-from", parent, "--at", 4, "--lr", 0.01, "--resume"]
    whole = made(cli, tmp_path / "branch", *words)
    before = tensors(whole)
    assert tensors(made(cli, whole, *words)) == before


def test_only_later_checkpoints_may_be_missing(cli, tmp_path, parent):
    result = cli("run", "--branch-from", parent, "--at", 3, "--output-dir", tmp_path / "new")
    assert (result.code, "has no complete checkpoint of step 3; there are: 2, 4, 6, 8" in result.err) == (5, True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--at", 4], 2, "give --branch-from"),
        (["--branch-from", "{parent}", "--plugin", "dcgan"], 2, "contradict each other"),
        (["--branch-from", "{parent}", "--config", "{parent}/config.toml"], 2, "contradict each other"),
        (["--branch-from", "{parent}", "--at", 6, "--steps", 5], 2, "has made 6 steps already"),
        (["--branch-from", "{parent}", "--set", "architecture.width=16"], 5, "does not fit"),
        (["--branch-from", "{parent}", "--set", "architecture.widht=16"], 2, "Did you mean 'width'"),
        (["--branch-from", "nowhere"], 5, "there is no such folder"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(cli, tmp_path, parent, words, code, sentence):
    given = [str(word).format(parent=parent) for word in words]
    result = cli("run", *given, "--output-dir", tmp_path / "new")
    assert (result.code, sentence in result.err) == (code, True), result.err
    assert not (tmp_path / "new").exists()


def test_equal_runs_have_equal_digests_and_another_seed_parts_at_once(cli, tmp_path, parent):
    again = made(cli, tmp_path / "again", *BASE, "--steps", 8, "--keep-last", 4)
    assert (again / "digests.jsonl").read_bytes() == (parent / "digests.jsonl").read_bytes()
    other = made(cli, tmp_path / "other", *BASE, "--steps", 2, "--seed", 1)
    result = cli("diff", parent, other, "--json")
    found = json.loads(result.out)
    assert (found["parts_at"], found["equal_until"], found["steps"]) == (0, None, [0, 1, 2])
    assert ["seed", 0, 1] in found["settings"]


def test_one_bit_of_one_tensor_is_found_and_named(cli, tmp_path, parent, monkeypatch):
    import torch

    from genframe.training.trainer import Trainer

    step = Trainer.step

    def flipped(self: Trainer, number: int, *rest: Any) -> Any:
        values = step(self, number, *rest)
        if number == 6:  # the seventh step
            weights = self.networks["critic"].state_dict()
            name = next(name for name, value in weights.items() if value.dim() == 1)
            weights[name].view(torch.int32)[7] ^= 1
            flipped.name = f"critic.{name}"
        return values

    monkeypatch.setattr(Trainer, "step", flipped)
    other = made(cli, tmp_path / "other", *BASE, "--steps", 8, "--keep-last", 4)
    found = json.loads(cli("diff", parent, other, "--json").out)
    assert (found["equal_until"], found["parts_at"], found["tensors"]) == (6, 7, [flipped.name])


@pytest.mark.parametrize(
    "damage", [b"", b"{}\n", b"[1]\n", b'{"step": 0, "tensors": ["a"]}\n{"step": 1, "digests": "00"}\n']
)
def test_a_run_without_good_digests_cannot_be_compared(cli, tmp_path, parent, damage):
    other = tmp_path / "other"
    shutil.copytree(parent, other)
    (other / "digests.jsonl").write_bytes(damage)
    result = cli("diff", parent, other)
    assert (result.code, "digests.jsonl is damaged" in result.err) == (5, True)
    result = cli("diff", parent, tmp_path / "nowhere")
    assert (result.code, "is not a run directory" in result.err) == (5, True)


def test_python_resumes_and_branches_in_the_same_words(tmp_path, parent):
    other = genframe.train(branch_from=parent, at=4, lr=0.01, output_dir=tmp_path / "other", steps=6)
    grown = genframe.train(resume=True, output_dir=other.directory, steps=8)
    whole = genframe.train(branch_from=parent, at=4, lr=0.01, output_dir=tmp_path / "whole")
    assert tensors(grown.directory) == tensors(whole.directory)
    with pytest.warns(UserWarning, match="seed stays 0"):
        genframe.train(resume=True, output_dir=whole.directory, seed=4)
    with pytest.raises(CheckpointError, match="no complete checkpoint of step 3"):
        genframe.train(branch_from=parent, at=3)


def test_a_checkpoint_itself_can_be_branched_from(cli, tmp_path, parent):
    twin = made(cli, tmp_path / "twin", "--branch-from", complete_checkpoints(parent / "checkpoints")[1])
    assert load_checkpoint(complete_checkpoints(twin / "checkpoints")[-1]).step == 8
    assert tensors(twin) == tensors(parent)


@pytest.mark.parametrize(("first", "second"), [("adam", "sgd"), ("sgd", "adam")])
def test_another_optimizer_is_refused(cli, tmp_path, first, second):
    words = ["--set", f"algorithm.optimizer={first}", "--set", "algorithm.learning_rate=0.01"]
    run = made(cli, tmp_path / "run", *BASE, *words, "--steps", 2)
    result = cli("run", "--branch-from", run, "--set", f"algorithm.optimizer={second}", "--steps", 4)
    assert result.code == 5
    assert f"the optimizer of 'generator' is {second.upper() if second == 'sgd' else 'Adam'} and was" in result.err


def test_a_branch_killed_after_its_first_checkpoint_goes_on_as_that_branch(cli, tmp_path, parent):
    whole = made(cli, tmp_path / "whole", "--branch-from", parent, "--at", 4, "--lr", 0.01)
    part = made(cli, tmp_path / "part", "--branch-from", parent, "--at", 4, "--lr", 0.01, "--steps", 4)
    for path in part.iterdir():  # as if it had been killed before it wrote anything else
        if path.name not in ("checkpoints", ".lock"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = cli("run", "--resume", "--output-dir", part, "--steps", 8)
    assert result.code == 0, result.err
    assert tensors(part) == tensors(whole)
    written = json.loads((part / "run.json").read_text())
    assert written["branched_from"]["step"] == 4
    assert "do not part" in cli("diff", part, whole).out


def test_a_branch_that_would_end_before_it_begins_is_refused(cli, tmp_path, parent):
    result = cli("run", "--branch-from", parent, "--minutes", 0.00001, "--output-dir", tmp_path / "new")
    assert result.code == 2
    assert "give more, all in all" in result.err
    assert not (tmp_path / "new").exists()
