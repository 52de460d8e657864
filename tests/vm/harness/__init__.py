"""Test machines for DST: see tests/vm/README.md."""
from .boot import HarnessError, Kernel                             # noqa: F401
from .channel import CommandFailed, Job, MachineDied, Result       # noqa: F401
from .disks import Disk                                            # noqa: F401
from .logcheck import LogFinding                                   # noqa: F401
