"""`python -m interface.cli`."""

import sys

from interface.cli.app import main

sys.exit(main())
