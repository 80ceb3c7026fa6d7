"""See `many`: workers import it by its own name."""

import sys

from tests.simulation.many import main

if __name__ == "__main__":
    sys.exit(main())
