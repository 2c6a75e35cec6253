"""`python -m actors.client`."""

from actors.client.commands import main
from runtime.observe.console import run

run(main, "python -m actors.client")
