"""The operator's command line over `runtime/operate`: python -m runtime.admin [--store URL] COMMAND

commands.py, *_commands.py, copies.py   the commands; arguments.py is what they take
session.py                              opens the store, never makes one; errors become exit codes
tables.py                               how records look on a terminal
"""
