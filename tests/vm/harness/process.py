"""Child processes that never outlive pytest: whatever ends it, the kernel ends them."""
import ctypes
import os
import resource
import signal

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def die_with_parent():
    """For preexec_fn. Own session (a Ctrl-C at the terminal is pytest's alone), as nice as we are, no core files."""
    libc.setsid()
    try:
        # where the kernel groups sessions, niceness counts only within one: the group needs it, too
        with open("/proc/self/autogroup", "w", encoding="ascii") as f:
            f.write(str(os.nice(0)))
    except OSError:
        pass
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
