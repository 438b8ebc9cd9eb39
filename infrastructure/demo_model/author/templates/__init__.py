"""Files of the generated applications that are the same, or nearly, in each of them.

Invariant: nothing here is imported or run by this service; it is text.
"""

from pathlib import Path

TEMPLATES = Path(__file__).parent
