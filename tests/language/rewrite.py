"""Writes what the named wrong specifications say now to their .expected files; read the difference before committing.

python tests/language/rewrite.py NAME...
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from wrong_specs import NAMES, expected, rendered  # noqa: E402

if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in NAMES]
    if unknown or not sys.argv[1:]:
        sys.exit(f"name specifications of tests/language/wrong; there is no {', '.join(unknown) or 'name given'}")
    for name in sys.argv[1:]:
        text = rendered(name)
        expected(name).write_text(text, encoding="utf-8")
        print(f"=== {name}\n{text}")
