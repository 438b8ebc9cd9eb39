"""`python -m tests.impact` says how well it is computed what a change makes stale."""

import sys

from tests.impact.measure import measured, report

if __name__ == "__main__":
    sys.stdout.write(report(measured(), wrong="-v" in sys.argv))
