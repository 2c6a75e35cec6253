"""A module that imports what is not there."""

import nowhere  # type: ignore[import-not-found] # noqa: F401
