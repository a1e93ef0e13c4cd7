"""A metric's figure as an entry of a JSON file and as a line of text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from genframe.interfaces import Measurement
from genframe.specs import MetricSpec


def measurement_entry(measurement: Measurement) -> dict[str, Any]:
    """``value``, ``interval`` where there is one, and ``protocol``; a value that is not finite is None.

    Raises:
        TypeError: the protocol holds what JSON does not.
    """
    value = float(measurement.value)
    entry: dict[str, Any] = {"value": value if math.isfinite(value) else None}
    if measurement.interval is not None:
        entry["interval"] = [float(end) for end in measurement.interval]
    return entry | {"protocol": json.loads(json.dumps(dict(measurement.protocol)))}


def figure_line(spec: MetricSpec, entry: Mapping[str, Any]) -> str:
    """``nn1: 2.36% [2.07%, 2.68%] (lower is better): what it is``, or why there is no figure.

    Args:
        spec: of the metric.
        entry: as `measurement_entry` has it, or ``skipped`` or ``failed`` with the reason.
    """
    if "skipped" in entry:
        return f"{spec.name}: not measured: {entry['skipped']}"
    if "failed" in entry:
        return f"{spec.name}: failed: {entry['failed']}"
    if entry["value"] is None:
        return f"{spec.name}: not a finite number: {spec.summary}"
    interval = ", ".join(figure_text(end, spec.percent) for end in entry.get("interval", ()))
    ends = f" [{interval}]" if interval else ""
    return f"{spec.name}: {figure_text(entry['value'], spec.percent)}{ends} ({spec.better} is better): {spec.summary}"


def figure_text(value: float, percent: bool) -> str:
    """``2.36%`` of a fraction, four digits of another figure."""
    return f"{100 * value:.2f}%" if percent else f"{value:.4g}"
