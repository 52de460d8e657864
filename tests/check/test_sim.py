# SPDX-License-Identifier: GPL-2.0
"""The simulator: promises kept over many seeds, and every planted bug found."""
import re

import pytest

from support import BUILD, TOP, run

SEEDS = 4000
MUTANT_SEEDS = 20000
SIM = BUILD / "sim/sim"

# Which promise a planted bug breaks. The first one broken ends the run.
MUTANTS = {
    "no-fence": "P2 P3",
    "no-replay-memory": "P3",
    "sequence-not-checked": "P1",
    "instance-ignored": "P5 P6",
    "late-ack-trusted": "P5",
    "late-welcome-trusted": "P5 P6",
    "old-answer-believed": "P3",
    "uuid-ignored": "P6 P8",
    "size-ignored": "P6",
    "lease-no-expiry-check": "P15",
    "lease-token-ignored": "P15 P8",
    "lease-token-not-kept": "P15 P2",
    "lease-not-kept": "P15",
    "ack-before-disk": "P1",
    "flush-not-sent": "P5",
    "fua-as-plain-write": "P5",
    "stop-without-flush": "P5",
    "cache-not-noticed": "P5",
    "loss-told-once": "P5",
    "failed-stop-as-any": "P5",
    "retry-after-budget": "P8",
    "fail-too-early": "P7",
    "reuse-page-early": "P4",
    "no-established-check": "P4",
    "takeover-without-fence": "P15 P2",
    "takeover-not-awaited": "P15",
    "silence-without-fence": "P15 P2",
    "evict-without-fence": "P15 P2",
    "eviction-forgotten": "P15",
    "bye-without-drain": "P15 P2",
    "forget-while-busy": "P15 P2",
    "lease-of-another-disk": "P6",
    "grant-without-asking-again": "P15",
    "forced-detach-waits": "P8",
    "life-not-compared": "P3",
    "exporter-ignored": "P6",
    "clone-ends-sessions": "P6",
    "token-not-renewed": "P2",
    "former-token-for-ever": "P2",
    "rollback-accepted": "P2 P3",
    "cookie-not-compared": "P2 P3",
    "last-seq-not-compared": "P2 P3",
    "former-cookie-for-ever": "P2 P3",
    "downgrade-without-drain": "P15 P2",
    "rotation-is-another-client": "P8",
    "renewal-hello-too-early": "P6 P3",
    "reader-asks-to-write": "P8",
    "upgrade-not-told": "P8",
    "lease-kept-by-reader": "P8",
    "damage-taken-for-done": "P1",
    "token-lost-by-reading": "P15",
    "expired-of-an-old-token": "P6",
    "oldest-first": "P1 P2",
    "overlaps-not-serialised": "P1 P2",
    "fua-not-recorded": "P2 P5",
    "zeroes-not-recorded": "P1 P2",
    "discard-not-replayed": "P1 P2",
    "live-before-the-end": "P1 P2",
    "dropped-when-the-flush-begins": "P1 P2",
    "flushed-before-the-replay": "P1 P5",
    "report-consumed": "P5",
    "replay-on-shared": "P2",
    "second-crash-loses": "P1 P2",
    "replay-without-the-lease": "P2",
    "replay-after-readers": "P2",
    "page-reused-while-lent": "P4",
    "readers-do-not-wait": "P2",
}


@pytest.fixture(scope="module")
def built():
    status, output = run("make", "-j2", "-f", "tests/sim/build.mk", "sim-binaries")
    assert status == 0, output[-4000:]


def broken_promise(output):
    return re.search(r"^seed (\d+): promise (P\d+) is broken: (.*)$", output, re.M)


@pytest.fixture(scope="module")
def many(built):
    return run(SIM, "--seeds", f"1-{SEEDS}")


def test_promises_are_kept(many):
    status, output = many
    assert status == 0, output[-8000:]
    assert f"seeds 1 to {SEEDS}: all promises kept" in output
    print(output.splitlines()[-1])


def test_nothing_is_tested_in_vain(many):
    """Each thing that can happen does happen, but for the two rarest: an answer to ASK, and one to a takeover."""
    status, output = many
    assert status == 0
    counts = dict(re.findall(r"^([a-z-]+) +(\d+)$", output, re.M))
    assert len(counts) >= 30
    counts.pop("state-done")
    counts.pop("takeover-from-the-living")
    assert not {name for name, count in counts.items() if int(count) < 5}


def test_promises_are_kept_under_sanitizers(built):
    status, output = run(BUILD / "sim/sim-sanitized", "--seeds", "10001-10300")
    assert status == 0, output[-8000:]


def test_a_seed_is_a_run(built):
    first, second = (run(SIM, "--seed", "1", "--history") for _ in range(2))
    assert first[0] == 0 and first == second and first[1].count("\n") > 50
    assert run(SIM, "--seed", "2", "--history")[1] != first[1]


def test_every_mutant_is_known():
    names = set(re.findall(r'^\t\[\w+\] = "([a-z-]+)",$', re.search(
        r"mutants\[MUTANTS\] = \{(.*?)\};", (TOP / "tests/sim/names.c").read_text(), re.S)
        .group(1), re.M))
    assert names == set(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_found(built, mutant):
    status, output = run(SIM, "--mutate", mutant, "--seeds", f"1-{MUTANT_SEEDS}", timeout=60)
    found = broken_promise(output)
    assert status == 1 and found, f"not found in {MUTANT_SEEDS} seeds"
    assert found.group(2) in MUTANTS[mutant].split(), found.group(0)
    # and its seed alone, with its history, shows it again
    again = run(SIM, "--mutate", mutant, "--seed", found.group(1), "--history")
    assert again[0] == 1 and broken_promise(again[1]).group(0) == found.group(0)


def test_demands_are_what_the_readme_says(built):
    """What is not promised is shown not to hold, so that nobody believes it does."""
    demands = run(SIM, "--demands")[1].split()
    listed = re.findall(r"^\| `([a-z-]+)` \|", (TOP / "tests/sim/README.md").read_text(), re.M)
    assert sorted(demands) == sorted(listed)
    for demand in demands:
        status, output = run(SIM, "--demand", demand, "--seeds", f"1-{MUTANT_SEEDS}", timeout=60)
        assert status == 1 and broken_promise(output), f"{demand} holds: promise it"
