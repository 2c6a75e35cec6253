"""`python -m runtime.testing`."""

from runtime.testing.commands import main

main()
