"""What several tests share."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTSIDE = Path(os.environ.get("CROSSCHECK_OUTSIDE", ROOT.parent / "shared" / "data"))  # other people's answers
