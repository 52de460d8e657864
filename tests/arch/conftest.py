# SPDX-License-Identifier: GPL-2.0
"""Tests on other processors: what they share."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
