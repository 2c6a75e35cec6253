"""A node of the storm whose billing sometimes forgets to give money back, and whose warehouse gives goods away."""

from __future__ import annotations

import os

from actors.gateway import register
from examples.storm.services import StormBilling, StormWarehouse, storm_catalogue
from protos.warehouse_pb2 import BackOrdered, CreateShippingLabel, ShippingLabelCreated
from runtime import launch


class ForgetfulBilling(StormBilling, kind="billing"):
    async def _give_back(self, was: int) -> None:
        if self.state.amount_cents % 2:
            await super()._give_back(was)


class Generous(StormWarehouse, kind="warehouse"):
    async def label(self, command: CreateShippingLabel) -> ShippingLabelCreated | BackOrdered:
        if command.order_id.endswith("7"):
            await self.participants.ask(
                "label", f"gift {command.order_id}", order=command.order_id, sku=self.key, units=1
            )
        return await super().label(command)


if __name__ == "__main__":
    launch(storm_catalogue(os.environ["STORM_SOCKET"], ForgetfulBilling, Generous), register=[register])
