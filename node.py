"""Launches one node of the order system: python node.py [SERVICE ...]; see python node.py --help."""

from actors.catalogue import catalogue
from actors.gateway import register
from runtime import launch

if __name__ == "__main__":
    launch(catalogue(), register=[register])
