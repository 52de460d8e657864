"""The network of a set of machines: one tap (User Mode Linux: veth) each on a bridge, in a network namespace of its own.

The namespace has no name: it lives as long as a sleeping process that dies with pytest, so nothing
is ever left behind.
"""
import subprocess

from .process import die_with_parent


class Network:
    def __init__(self, kernel, rundir, count):
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                       stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        self.holder.stdout.readline()
        self.enter = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        self.run("ip link add br0 type bridge; ip link set br0 up; ip link set lo up; "
                 "ip addr add 10.77.0.254/24 dev br0; ip addr add fd77::fe/64 dev br0 nodad")
        for number in range(1, count + 1):
            tap, raw = self.tap(number), self.raw(number)
            # User Mode Linux 7.3 crashes on a tap of its own; it takes a packet socket on the veth's other end.
            self.run(f"ip link add {tap} type veth peer name {raw}; ip link set {raw} up" if kernel.is_uml
                     else f"ip tuntap add {tap} mode tap")
            self.run(f"ip link set {tap} master br0; ip link set {tap} up")

    def tap(self, number):
        return f"tap{number}"

    def raw(self, number):
        return f"raw{number}"

    def run(self, cmd):
        """On the host, inside the machines' network (10.77.0.254): e.g. bridge, tc, tcpdump."""
        return subprocess.run([*self.enter, "sh", "-e", "-c", cmd], check=True, capture_output=True, text=True)

    def close(self):
        self.holder.kill()
        self.holder.wait()
