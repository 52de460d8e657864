# SPDX-License-Identifier: GPL-2.0
"""Each fuzz target over its corpus and 200,000 inputs more, from a fixed seed."""
import re

import pytest

from support import BUILD, TOP, run

RUNS = 200000
TARGETS = sorted(p.stem for p in (TOP / "tests/fuzz").glob("fuzz_*.c"))


@pytest.fixture(scope="module")
def built():
    status, output = run("make", "-j2", "-f", "tests/fuzz/build.mk", "fuzz-binaries")
    assert status == 0, output[-4000:]


@pytest.mark.parametrize("target", TARGETS)
def test_fuzz(built, target, tmp_path):
    corpus = TOP / "tests/fuzz/corpus" / target
    assert any(corpus.iterdir())
    status, output = run(BUILD / "fuzz" / target, f"-runs={RUNS}", "-seed=7710", "-max_len=600",
                         "-timeout=60", "-max_total_time=60",
                         f"-artifact_prefix={BUILD}/fuzz/{target}-", tmp_path, corpus)
    assert status == 0, output[-4000:]
    # the time limit may end it early on a slow machine, but never at once
    assert int(re.search(r"Done (\d+) runs", output).group(1)) >= RUNS // 10, output[-500:]
