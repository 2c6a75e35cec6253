"""Operators of one program: they cure the causes of dead letters, and replay, discard or leave the letters.

    Operators ──Act──▶ runtime.operate.dead_letters ──Transition──▶ a connection of their own to the database

During the run they act on some letters. Once the clients are done, they decide about each letter that is left.
"""

from __future__ import annotations

from collections import Counter

from runtime.envelope import Envelope, shard_of
from runtime.errors import StoreError
from runtime.operate.dead_letters import Act, NotParked, carry_out, dead_letters, discard, replay
from runtime.operate.parked_mail import ParkedMail
from runtime.store.records import MailRow, Transition
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.external_effects import ExternalEffects
from tests.proof.programs.program import Program
from tests.proof.programs.vocabulary import PARTICIPANTS, deed_of

__all__ = ["Operators"]

_LOOK_S = 1.0
_LETTERS_MAX = 100
_ACTS_MAX = 3  # So often they act on one letter that is parked again and again.


class Operators:
    """All operators of one run. `did` counts their acts by name."""

    def __init__(self, cluster: SimCluster, program: Program, outside: ExternalEffects, dice: Dice) -> None:
        self._cluster = cluster
        self._outside = outside
        self._dice = dice
        self._acts: Counter[bytes] = Counter()
        self.did: Counter[str] = Counter()
        self.clients_are_done = False
        self.garbage: dict[bytes, None] = {}
        self._garbles = program.features.has("junk")
        self._shards = int(cluster.settings["shards_per_kind"])
        self._store = cluster.store_of("operator", dice.named("store"))

    async def watch(self) -> None:
        """Act while the program runs, until the clients are done."""
        if self._garbles and self._dice.chance(0.5):
            await self._write_garbage()
        while not self.clients_are_done:
            await self._cluster.sleep(_LOOK_S * self._dice.between(0.5, 3.0))
            for letter in await self._letters():
                if self._dice.chance(0.3):
                    await self._settle(letter)

    async def settle_what_is_left(self) -> None:
        """Decide about every letter that is left, until no new letter comes."""
        ledger = self._cluster.ledger
        decided: dict[bytes, None] = {}
        while True:
            while not ledger.is_at_rest:
                await self._cluster.sleep(_LOOK_S / 4)
            letters = [one for one in await self._letters() if one.row.id not in decided]
            if not letters:
                return
            for letter in letters:
                if not await self._settle(letter):
                    decided[letter.row.id] = None

    async def _letters(self) -> list[ParkedMail]:
        while True:
            try:
                return await dead_letters(self._store, limit=_LETTERS_MAX)
            except StoreError:
                await self._cluster.sleep(_LOOK_S)

    async def _settle(self, letter: ParkedMail) -> bool:
        """Act on one letter, or leave it for good and return False."""
        dice, id = self._dice, letter.row.id
        if self._acts[id] >= _ACTS_MAX:
            return False
        self._acts[id] += 1
        what = dice.choose(("cure", "cure", "replay", "discard", "leave"))
        if what == "leave":
            self._acts[id] = _ACTS_MAX
            return False
        if what == "cure":
            self._cure(letter)
        act = Act("night shift", self._cluster.ports.clock.now_s(), what)
        await self._carry_out(discard(letter, act) if what == "discard" else replay(letter, act))
        self.did["discarded" if what == "discard" else "replayed"] += 1
        return True

    def _cure(self, letter: ParkedMail) -> None:
        found = None if letter.envelope is None else deed_of(letter.envelope)
        if found is not None:
            self._outside.cure(found[0], of_undo=found[1])

    async def _carry_out(self, transition: Transition) -> None:
        """Try an act once. Whether it succeeded shows when the letters are read again."""
        try:
            await carry_out(self._store, transition)
        except (NotParked, StoreError):
            pass

    async def _write_garbage(self) -> None:
        """Write mail as another program might: its bytes are not of the type that it names."""
        words, now_s = self._dice.choose(PARTICIPANTS), self._cluster.ports.clock.now_s()
        id = int(now_s * 1000).to_bytes(6, "big") + self._dice.new_id()[:10]
        type = self._dice.choose((words.change.DESCRIPTOR.full_name, pb.Alarm.DESCRIPTOR.full_name, "no.such.Type"))
        envelope = Envelope(
            id=id, kind=words.kind, key="one", type=type, body=b"\xff\xff\xff", conversation=id, sent_at_s=now_s
        )
        shard = shard_of("one", self._shards)
        row = MailRow(words.kind, "one", shard, id, id, now_s, 0, 0.0, 0, "", 0.0, envelope.encoded)
        self.garbage[id] = None
        await self._carry_out(Transition(mail=(row,)))
