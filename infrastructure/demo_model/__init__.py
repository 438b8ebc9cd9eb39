"""A local server that speaks the provider's Messages API and writes small, real applications.

It stands in for the paid model without a key, and carries the scripted faults of the tests.
Invariant: the same request gets the same bytes, and no API key is ever kept or written down.
"""

from infrastructure.demo_model.faults import FAULTS, InjectedFault
from infrastructure.demo_model.ledger import ServedRequest, read_ledger
from infrastructure.demo_model.server import DemoModel

__all__ = ["FAULTS", "DemoModel", "InjectedFault", "ServedRequest", "read_ledger"]
