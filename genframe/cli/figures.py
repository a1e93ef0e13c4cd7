"""A metric's figure as a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genframe.specs import MetricSpec


def figure_line(spec: MetricSpec, entry: Mapping[str, Any]) -> str:
    """``nn1: 2.36% (lower is better): what it is``, or why there is no figure.

    Args:
        spec: of the metric.
        entry: ``value`` and ``protocol``, or ``skipped``.
    """
    if "skipped" in entry:
        return f"{spec.name}: not measured: {entry['skipped']}"
    if "failed" in entry:
        return f"{spec.name}: failed: {entry['failed']}"
    if entry["value"] is None:
        return f"{spec.name}: not a finite number: {spec.summary}"
    value = f"{100 * entry['value']:.2f}%" if spec.percent else f"{entry['value']:.4g}"
    return f"{spec.name}: {value} ({spec.better} is better): {spec.summary}"
