"""A module whose service cannot be."""

from protos.billing_pb2 import BillState
from runtime import Service


class Nameless(Service[BillState], kind=""):
    pass
