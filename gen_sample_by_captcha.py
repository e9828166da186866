"""Run gen_image/gen_sample_by_captcha.py, which has this place in the first versions of the original suite."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from gen_image.gen_sample_by_captcha import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
