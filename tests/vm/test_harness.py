"""The test machines themselves: each thing that the scenarios rely on, shown once."""
import time

import pytest

from harness import CommandFailed, Disk, LogFinding

pytestmark = pytest.mark.nomodule


def test_commands(machine):
    assert machine.run("echo out; echo err >&2").out == "out\n"
    assert machine.run("exit 3", check=False).status == 3
    with pytest.raises(CommandFailed):
        machine.run("false")
    job = machine.start("sleep 100")
    assert machine.run("echo concurrent").out == "concurrent\n"
    assert job.running
    job.kill()
    assert job.wait(5).status < 0
    with pytest.raises(TimeoutError):
        machine.run("sleep 100", timeout=0.5)
    began = time.monotonic()
    for _ in range(10):
        machine.run("true")
    assert time.monotonic() - began < 15


def test_files_and_background(machine):
    data = bytes(range(256)) * 1000
    machine.put("/tmp/data", data)
    assert machine.get("/tmp/data") == data
    machine.run("sleep 1000 & echo started")


def test_planted_warning_is_found(machine):
    machine.run("echo 'WARNING: planted' >/dev/kmsg")
    with pytest.raises(LogFinding, match="planted"):
        machine.check_log()
    machine.check_log()
    machine.expect_log("WARNING: planted")
    machine.run("echo 'WARNING: planted' >/dev/kmsg")


def test_disks_in_memory(machine):
    ram = machine.ramdisk(32, block_size=512)
    machine.run(f"mkfs.ext4 -q {ram} && mount {ram} /mnt && echo x >/mnt/x")
    loop = machine.loopfile(16)
    assert machine.run(f"blockdev --getsize64 {loop}").out.strip() == str(16 << 20)
    machine.run("dmsetup create d --table '0 2048 delay " + loop + " 0 0'")


def test_clean_removed_it_all(machine):
    assert machine.run("ls /sys/kernel/config/nullb; ls -d /sys/block/dm-*", check=False).out.split() in ([], ["features"])
    assert not machine.run("losetup -a").out


@pytest.mark.stock
def test_two_machines_and_a_cable(pair):
    exporter, client = pair
    assert client.run("busybox ping -c 1 -W 5 10.77.0.1 && busybox ping -c 1 -W 5 fd77::1").status == 0
    client.link(False)
    assert client.run("busybox ping -c 1 -W 1 10.77.0.1", check=False).status != 0
    client.link(True)
    client.wait_for("busybox ping -c 1 -W 1 10.77.0.1")
    exporter.freeze()
    assert client.run("busybox ping -c 1 -W 1 10.77.0.1", check=False).status != 0
    exporter.thaw()
    client.wait_for("busybox ping -c 1 -W 1 10.77.0.1")
    client.run("tc qdisc add dev eth0 root netem delay 1ms")


def write(m, disk, text, flush):
    sync = "conv=fsync" if flush else "oflag=direct"
    m.run(f"printf %-4096s {text} >/tmp/text; dd if=/tmp/text of={m.disk(disk)} bs=4096 seek={flush} {sync}")


def read(m, disk, block):
    return m.run(f"dd if={m.disk(disk)} bs=4096 skip={block} count=1 iflag=direct | tr -d '\\0 '").out


@pytest.mark.stock
def test_power_cut(pair):
    exporter = pair.exporter
    for disk in ("data", "volatile"):
        write(exporter, disk, "flushed", 1)
        write(exporter, disk, "acked", 0)
    exporter.kill()
    exporter.boot()
    assert (read(exporter, "data", 1), read(exporter, "data", 0)) == ("flushed", "acked")
    assert (read(exporter, "volatile", 1), read(exporter, "volatile", 0)) == ("flushed", "")


@pytest.mark.stock
def test_disk_grows(pair):
    exporter = pair.exporter
    exporter.grow_disk("data", 300)
    exporter.wait_for(f"[ $(blockdev --getsize64 {exporter.disk('data')}) = {300 << 20} ]", 5)


@pytest.mark.stock
def test_cluster(cluster):
    exporter, client = cluster(2, disks={"exporter": [Disk("mine", 64, "through")]})
    assert exporter.run(f"cat /sys/block/{exporter.disk('mine')[5:]}/queue/write_cache").out == "write through\n"
    client.run("busybox ping -c 1 -W 5 exporter")


def test_frozen_machine_stands_still(machine):
    job = machine.start("while :; do echo tick; sleep 0.05; done")
    machine.wait_for("true")
    machine.freeze()
    time.sleep(0.3)
    said = len(job.out)
    time.sleep(0.5)
    assert len(job.out) == said
    machine.thaw()
    assert machine.run("echo alive").out == "alive\n"
    job.kill()
