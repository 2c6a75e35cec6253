"""One node of the storm: as node.py, with effects outside. STORM_SOCKET names where the participants are."""

from __future__ import annotations

import os

from actors.gateway import register
from examples.storm.services import storm_catalogue
from runtime import launch

if __name__ == "__main__":
    launch(storm_catalogue(os.environ["STORM_SOCKET"]), register=[register])
