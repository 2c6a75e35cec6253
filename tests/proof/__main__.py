"""`python -m tests.proof`: everything of `python -m runtime.testing`, and what proves Amends itself."""

from tests.proof.commands.group import main

main()
