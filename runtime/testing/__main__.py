"""`python -m runtime.testing`."""

from runtime.testing.commands.group import main

main()
