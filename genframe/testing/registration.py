"""What a plugin's module does when it is all that is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

from genframe.registry import PluginInfo
from genframe.testing.results import FaultError

#: What a listing of parts has no time for.
_HEAVY = ("torch", "tensorflow", "jax")

_SECONDS = 120

_SCRIPT = """
import json, sys
from pathlib import Path
from genframe.registry import PluginInfo
from genframe.registry.manager import load
given = json.loads(sys.argv[1])
file = Path(given["file"]) if given["file"] else None
loaded = load(PluginInfo(**{**given, "file": file}))
print(json.dumps({
    "specs": [[each.spec.kind, each.spec.name] for each in loaded.specs],
    "broken": [str(each) for each in loaded.broken],
    "modules": sorted(sys.modules),
}))
"""


@cache
def registered_alone(plugin: PluginInfo) -> dict[str, Any]:
    """What a plugin offers (``specs``), what is ``broken``, and which ``heavy`` modules it imports.

    Raises:
        FaultError: the process ended otherwise.
    """
    given = {name: getattr(plugin, name) for name in ("name", "distribution", "module", "version")}
    words = json.dumps({**given, "file": str(plugin.file) if plugin.file else None})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _SCRIPT, words]
    try:
        process = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise FaultError(f"importing the plugin's module '{plugin.module}' takes over {_SECONDS} seconds") from None
    if process.returncode != 0:
        last = (process.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FaultError(f"importing the plugin's module '{plugin.module}' ends the process: {last}")
    said: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return said | {"heavy": [name for name in _HEAVY if name in said["modules"]]}
