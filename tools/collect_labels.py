"""Run gen_image/collect_labels.py, which has this place in the original suite."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from gen_image.collect_labels import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
