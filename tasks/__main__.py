"""python -m tasks: what there is to run."""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path


def main() -> int:
    """Shows the programs, each with the first line of what it says of itself."""
    folder = Path(__file__).parent
    print("Programs, python -m tasks.NAME --help says more:\n")
    for module in pkgutil.iter_modules([str(folder)]):
        if module.ispkg or module.name.startswith("_"):
            continue
        source = (folder / f"{module.name}.py").read_text("utf-8")
        said = ast.get_docstring(ast.parse(source)) or ""
        print(f"  {module.name:18s}{said.partition(chr(10))[0]}")
    return 0


if __name__ == "__main__":
    main()
