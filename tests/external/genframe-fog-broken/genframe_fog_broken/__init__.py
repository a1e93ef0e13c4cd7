"""A plugin whose dependency is not there."""

import a_library_that_nobody_has  # noqa: F401  # the very point of this distribution
