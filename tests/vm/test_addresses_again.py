# SPDX-License-Identifier: GPL-2.0
"""What an address means may change in an outage: the device looks again, or says what the name means now."""
from common import device, read_block, wait_state, write_block
from test_networks import attach_to_from, wired  # noqa: F401 (a fixture)


def link(m, host):
    """The address of this link alone that @host has there."""
    return m.run(f"ip -n {host} -6 addr show dev {host}1 scope link | awk '/inet6/ {{ sub(\"/.*\", \"\", $2); print $2 }}'").out.strip()


def test_an_interface_is_made_anew(wired):  # noqa: F811
    """A link-local address names its interface; the number of that is another one afterwards."""
    m = wired("1")
    m.wait_for("! ip -n far -6 addr show dev far1 | grep -q tentative; ! ip -n near -6 addr show dev near1 | grep -q tentative")
    disk = m.ramdisk(16)
    m.run(f"ip netns exec far dst export data {disk} --allow from=fe80::/10")
    address = link(m, "far")
    path = attach_to_from(m, "near", f"'dst://[{address}%near1]/data' --connections 1 --ping 300ms --timeout 1s --retries 60")
    write_block(m, path, "before")
    before = m.run("cat /proc/sys/net/ipv6/conf/all/forwarding; ip -n near -o link show near1").out
    m.run("ip -n near link del near1")
    wait_state(m, "reconnecting")
    # one more, so that the number is another one
    m.run("ip -n near link add dummy0 type veth peer name dummy1; "
          "ip link add near1 netns near type veth peer name far1 netns far; "
          f"ip -n near link set near1 up; ip -n far addr add {address}/64 dev far1 nodad; ip -n far link set far1 up")
    assert m.run("ip -n near -o link show near1").out.split(":")[0] != before.splitlines()[-1].split(":")[0]
    wait_state(m, "connected", timeout=20)
    assert read_block(m, path) == "before"
    assert device(m)["stats"]["errors"] == 0


def test_a_name_has_another_address(machine):
    """The kernel knows no names: --why says what the name means now, and `dst set uri=` goes there."""
    m = machine
    m.run("cp /etc/hosts /tmp/hosts; echo 127.0.0.77 moved >>/etc/hosts")
    try:
        disk = m.ramdisk(16)
        m.run(f"dst export data {disk} --listen dst://127.0.0.77 --allow any && "
              "dst attach dst://moved/data --name d --timeout 1s --retries 60 --ping 300ms")
        write_block(m, "/dev/dst-d", "before")
        m.run(f"dst unexport data --force && dst export data {disk} --listen dst://127.0.0.78 --allow any")
        wait_state(m, "reconnecting")
        assert "moved is 127.0.0.77:7710 now" in m.run("dst show --why d").out
        m.run("(cat /tmp/hosts; echo 127.0.0.78 moved) >/etc/hosts")
        why = m.run("dst show --why d").out
        assert "moved is 127.0.0.78:7710 now; dst set d uri=dst://moved/data connects there" in why, why
        m.run("dst set d uri=dst://moved/data")
        wait_state(m, "connected")
        assert read_block(m, "/dev/dst-d") == "before"
    finally:
        m.run("cat /tmp/hosts >/etc/hosts", check=False)
