"""The door of Amends: what an author of services, sagas and choreographies imports, and nothing else.

from runtime import Catalogue, Choreography, FinalError, Saga, Service, Step, minutes, on, seconds, starts, when
"""

from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.errors import FinalError
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography, on, when
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step, minutes, seconds, starts

__all__ = [
    "Budget",
    "Catalogue",
    "Choreography",
    "FinalError",
    "RetryPolicy",
    "Saga",
    "Service",
    "Step",
    "minutes",
    "on",
    "seconds",
    "starts",
    "when",
]
