"""`python -m mlstore_cli`, the same command without an installed script."""

from __future__ import annotations

import sys

from mlstore_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
