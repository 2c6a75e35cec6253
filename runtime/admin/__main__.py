"""`python -m runtime.admin`."""

from runtime.admin.commands import main

main()
