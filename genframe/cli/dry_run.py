"""What ``genframe run --dry-run`` prints: the configuration as TOML, and the networks."""

from __future__ import annotations

import tomli_w
from torch import nn

from genframe.assembly import assemble
from genframe.config import RunConfig
from genframe.registry import Registry


def describe(config: RunConfig, registry: Registry) -> str:
    """The text. Everything is built, so that whatever a run would refuse is refused here too."""
    assembly = assemble(config, registry)
    sections = [tomli_w.dumps(assembly.config.tree()).rstrip()]
    sections.append(f"# {len(assembly.train):,} training samples, {len(assembly.heldout):,} held out")
    sections.append(f"# on {assembly.compute.device} in {assembly.compute.precision}")
    sections += [_network(role, network) for role, network in assembly.trainer.networks.items()]
    return "\n\n".join(sections)


def _network(role: str, network: nn.Module) -> str:
    parameters = sum(p.numel() for p in network.parameters())
    lines = [f"{role}: {parameters:,} parameters", *str(network).splitlines()]
    return "\n".join(f"# {line}" for line in lines)
