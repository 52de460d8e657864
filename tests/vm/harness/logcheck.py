"""Reads a kernel log and says what in it is a finding."""
import re

FINDING = re.compile(r"""
    \bWARNING: | \bBUG\b | \bOops\b | \bINFO:\ (possible|suspicious|task|trying) | circular\ locking
  | \bKASAN\b | \bUBSAN\b | \bKCSAN\b | unreferenced\ object
  | blocked\ for\ more\ than | scheduling\ while\ atomic | sleeping\ function\ called | refcount_t:
  | Call\ Trace | general\ protection | Unable\ to\ handle | Kernel\ panic | soft\ lockup | hard\ LOCKUP
  | detected\ stalls | self-detected\ stall | list_(add|del)\ corruption | ODEBUG: | held\ lock\ freed
  | lock\ held\ when\ returning | bad\ unlock\ balance | page\ allocation\ failure | Bad\ page\ state
  | DEBUG_LOCKS_WARN | use-after-free | double\ free | Modules\ linked\ in | segfault\ at
""", re.VERBOSE)

# Said by stock kernels and UML about the machine, never about the module.
HARMLESS = [re.compile(p) for p in (
    r"loading out-of-tree module taints kernel",
    r"module verification failed",
)]


class LogFinding(AssertionError):
    """The kernel said something it should not say."""


def findings(text, allowed):
    """The lines of @text that are findings, each with the lines that follow, those @allowed left out."""
    lines = text.splitlines()
    out, until = [], -1
    for i, line in enumerate(lines):
        if any(p.search(line) for p in HARMLESS):
            continue
        if FINDING.search(line) and not any(p.search(line) for p in allowed):
            until = max(until, i + 40)
        if i < until:
            out.append(line)
    return out
