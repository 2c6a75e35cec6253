"""The operator's view of a cluster, read from its store: it works while nodes run, and when none does.

python -m runtime.admin [--store URL] nodes | shards | sagas | dead-letters | explain KEY | conversation KEY

commands.py, session.py    the command line; opens the store, never makes one
survey.py                  nodes, shards and sagas, as records
account.py                 one key across kinds, and what it waits for
dead_letters.py            replay and discard: the only two acts, one transition each
tables.py, objects.py      how it looks on a terminal, and as JSON
"""
