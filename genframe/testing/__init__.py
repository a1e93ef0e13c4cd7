"""The conformance kit: whether a part keeps what its kind promises, for authors of plugins.

In a test file, each check becomes a test of its own:

```python
import pytest


@pytest.mark.genframe("noise/signs", settings={"dim": 32})
def test_conformance(genframe_check):
    genframe_check()
```

On the command line the same is ``genframe plugins check noise/signs``, and in Python:

```python
from genframe.testing import check

for result in check("noise/signs"):
    print(result.name, result.outcome, result.reason)
```

A name means what it means to ``genframe plugins show``: a part, or all parts of a plugin. Parts that
`genframe.register` was given and plugins in a folder that ``GENFRAME_PLUGINS_DIR`` names count, too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genframe.testing.kit import check, checks
    from genframe.testing.results import Check, Result

__all__ = ["Check", "Result", "check", "checks"]

_HOMES = {
    "Check": "genframe.testing.results",
    "Result": "genframe.testing.results",
    "check": "genframe.testing.kit",
    "checks": "genframe.testing.kit",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: pytest imports this package in every session."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'genframe.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
