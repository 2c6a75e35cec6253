"""The command `amends`: launch a node, look after a cluster, test, generate code from contracts, begin a project."""
