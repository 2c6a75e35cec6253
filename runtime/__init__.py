"""The door of Amends: all that an author of services, sagas and choreographies imports.

from runtime import Answer, Catalogue, Choreography, FinalError, Flow, Saga, Service, Step, minutes, on, seconds
"""

from runtime.durable.answer import Answer
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.errors import FinalError
from runtime.saga.catalogue import Catalogue
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Flow, Step, minutes, seconds

__all__ = [
    "Answer",
    "Budget",
    "Catalogue",
    "Choreography",
    "FinalError",
    "Flow",
    "RetryPolicy",
    "Saga",
    "Service",
    "Step",
    "minutes",
    "on",
    "seconds",
]
