"""`python -m cnnlib` is the command `cnnlib`."""

import sys

from cnnlib.commands import main

if __name__ == "__main__":
    sys.exit(main())
