"""README shows what was measured."""

import json
import pathlib

from tasks import benchmark

ROOT = pathlib.Path(__file__).parent.parent


def test_the_benchmark_in_the_readme_is_that_of_the_results_file():
    readme = (ROOT / "README.md").read_text()
    results = json.loads((ROOT / "docs" / "benchmark.json").read_text())
    assert results["rows"]
    assert benchmark.render(readme, results) == readme
