"""What operators see and do, over the store alone: it works while nodes run, and when none does.

survey.py, processes.py     nodes, shards, sagas and processes, as records
lookup.py, account.py       one key across kinds; waits.py says in words what each actor waits for
busy.py                     handlers that run for long
dead_letters.py             replay and discard, one transition each
repairs.py, retries.py      acts on one saga, which are messages to it; choices.py says which can be done
runs.py                     one act on many sagas or dead letters, which is kept in the store and resumed
objects.py                  all of these as JSON
"""
