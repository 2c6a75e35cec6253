"""A schedule as a sequence diagram, in text columns or as Mermaid. It knows nothing of sagas."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.observe.sequence import escaped

__all__ = ["Arrow", "Diagram", "Event", "Note"]

_ROOM = 6  # The arrow's line and head need so much room beside a label.
_LABEL_MAX = 34  # A longer label is cut.
_LEFT = 5  # The number of a move stands here.


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message from one lifeline to another. If it `opens`, it is only sent, and comes later or never."""

    sender: str
    to: str
    label: str
    opens: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happens at one lifeline."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """One move, with what follows from it at once."""

    shown: tuple[Arrow | Note, ...]


@dataclass(frozen=True, slots=True)
class Diagram:
    lifelines: tuple[str, ...]
    events: tuple[Event, ...]
    after: tuple[Note, ...] = ()  # How things stand at the end.

    @property
    def moves(self) -> int:
        return len(self.events)

    def lines(self) -> list[str]:
        """One sentence for each move."""
        return ["; ".join(_sentence(one) for one in event.shown) for event in self.events]

    def text(self) -> str:
        """The lifelines side by side; time runs down, and moves are numbered."""
        places = self._places()
        rows = [" " * _LEFT + self._row(places, {place: name for name, place in places.items()}, middle=True)]
        for number, event in enumerate(self.events, 1):
            for first, one in enumerate(event.shown):
                rows.append(f"{'' if first else number:>3}  {self._drawn(places, one)}")
        rows += [" " * _LEFT + self._drawn(places, note) for note in self.after]
        return "\n".join(row.rstrip() for row in rows)

    def mermaid(self, caption: str) -> str:
        """A `sequenceDiagram` of Mermaid. Its last note is the caption."""
        names = {lifeline: f"p{index}" for index, lifeline in enumerate(self.lifelines)}
        lines = ["sequenceDiagram"]
        lines += [f"    participant {name} as {escaped(lifeline)}" for lifeline, name in names.items()]
        for one in [*(one for event in self.events for one in event.shown), *self.after]:
            if isinstance(one, Note):
                lines.append(f"    Note over {names[one.at]}: {escaped(one.text)}")
            else:
                arrow = "-)" if one.opens else "->>"
                lines.append(f"    {names[one.sender]}{arrow}{names[one.to]}: {escaped(one.label)}")
        first, last = names[self.lifelines[0]], names[self.lifelines[-1]]
        over = first if first == last else f"{first},{last}"
        return "\n".join([*lines, f"    Note over {over}: {escaped(caption)}"]) + "\n"

    # --- columns ---

    def _places(self) -> dict[str, int]:
        """The column of each lifeline. They leave room for the labels between neighbours, and for the names."""
        arrows = [one for event in self.events for one in event.shown if isinstance(one, Arrow)]
        longest = max((len(_cut(one.label)) for one in arrows), default=0)
        gap = max([longest + _ROOM, *(len(name) + 2 for name in self.lifelines)])
        first = len(self.lifelines[0]) // 2
        return {name: first + index * gap for index, name in enumerate(self.lifelines)}

    @staticmethod
    def _row(places: dict[str, int], texts: dict[int, str], *, middle: bool = False) -> str:
        """A row of lifelines, with texts that begin at these columns, or with `middle` are centred there."""
        width = max(places.values()) + 2 + max((at + len(text) for at, text in texts.items()), default=0)
        row = [" "] * width
        for place in places.values():
            row[place] = " " if middle else "│"
        for at, text in texts.items():
            begin = max(at - len(text) // 2, 0) if middle else at
            row[begin : begin + len(text)] = text
        return "".join(row)

    def _drawn(self, places: dict[str, int], one: Arrow | Note) -> str:
        if isinstance(one, Note):
            return self._row(places, {places[one.at]: f"■ {one.text}"})
        left, right = sorted((places[one.sender], places[one.to]))
        room = right - left - 1
        label = f" {_cut(one.label)} "
        line = "·" if one.opens else "─"
        if places[one.sender] < places[one.to]:
            drawn = line + label + line * (room - len(label) - 2) + "▶"
        else:
            drawn = "◀" + line * (room - len(label) - 2) + label + line
        return self._row(places, {left + 1: drawn})


def _cut(label: str) -> str:
    return label if len(label) <= _LABEL_MAX else label[: _LABEL_MAX - 1] + "…"


def _sentence(one: Arrow | Note) -> str:
    if isinstance(one, Note):
        return f"{one.at}: {one.text}"
    return f"{one.sender} {'sends' if one.opens else 'to'} {one.to}{':' if not one.opens else ''} {one.label}"
