"""Where a page of processes ends, so that the next one begins behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from runtime.errors import InvalidMessage

__all__ = ["ListingPart", "ProcessPlace", "process_place_of"]


class ListingPart(Enum):
    """The parts of a listing of processes, in their order."""

    WITH_MAIL = "mail"  # by their start
    SAID_OVERDUE = "said"  # that were said to be overdue, and have no mail: longest overdue first, process by process
    OVERDUE = "overdue"  # of which nobody has said so: the same
    AT_REST = "rest"  # by their conversation


@dataclass(frozen=True, slots=True)
class ProcessPlace:
    """A process of a listing, whether or not it is still there."""

    part: ListingPart
    at_s: float  # when it started, or its deadline was; 0 at rest
    conversation: bytes
    process: str

    @property
    def text(self) -> str:
        """The place as an operator hands it over from page to page."""
        return f"{self.part.value}/{self.at_s!r}/{self.conversation.hex()}/{self.process}"

    @property
    def order(self) -> tuple[float, str, bytes]:
        """How places of one part with mail are compared."""
        return self.at_s, self.process, self.conversation

    @property
    def parts_left(self) -> list[ListingPart]:
        """This part and those behind it."""
        parts = [*ListingPart]
        return parts[parts.index(self.part) :]


def process_place_of(text: str) -> ProcessPlace:
    """What `ProcessPlace.text` has made of a place. Raises InvalidMessage for any other text."""
    try:
        part, at_s, conversation, process = text.split("/", 3)
        place = ProcessPlace(ListingPart(part), float(at_s), bytes.fromhex(conversation), process)
    except ValueError:
        place = None
    if place is None or not math.isfinite(place.at_s):
        raise InvalidMessage(f"{text!r} is no place in a listing of processes: copy it from the end of the page before")
    return place
