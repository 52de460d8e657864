"""What the benchmarks share: the load generator, one slice of a measurement, how a row is summed up."""
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/vm"))
from harness import boot, machines  # noqa: E402,F401


def build_load(kernel):
    """dstload.ko for this kernel."""
    out = TOP / "build/bench" / kernel.release
    out.mkdir(parents=True, exist_ok=True)
    for source in [*(TOP / "tests/bench/load").iterdir(), TOP / "module/compat/probes/bdev_file.c"]:
        (out / source.name).write_bytes(source.read_bytes())
    tree = [*(["ARCH=um"] if kernel.is_uml else []), "-C", kernel.build]
    subprocess.run(["make", "-s", *tree, f"M={out}", "modules"], check=True)
    return out / "dstload.ko"


def machine(kernel, load, memory=1024, cpus=None, build=None):
    """One that is booted, with dstor (of @build instead of build/) and all load generators.

    What it does goes before everything else on this machine, but not under QEMU,
    whose several threads would stop each other.
    """
    m = machines.single(kernel, machines.new_rundir())
    m.memory = memory
    if cpus:
        m.cpus = cpus
    if kernel.is_uml:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            print("not allowed to run before others: figures are worth what else this machine does", file=sys.stderr)
    m.boot()
    m.load(build=build)
    for module in load.parent.glob("*.ko"):
        m.put(f"/run/{module.name}", module)
    m.run("ip link set lo up")
    return m


def slice_of(m, device, workload, ms, options=""):
    """One run of dstload in the machine: a dict of what it printed."""
    op, size, depth = workload
    # It has measured when it refuses to stay loaded.
    m.run(f"insmod /run/dstload.ko dev={device} op={op} bs={size} qd={depth} ms={ms} {options} 2>/dev/null", timeout=60, check=False)
    line = m.run("dmesg | grep -o '{\"dev\".*}' | tail -n 1").out
    result = json.loads(line)
    assert result["dev"] == device and result["op"] == op and result["qd"] == depth and not result["errors"], line
    return result


def name_of(workload):
    return "{} {} KiB QD{}".format(workload[0], workload[1] // 1024, workload[2])


def quartiles(values):
    q = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    return [round(v, 3) for v in q]


def processor(name):
    """What the kernel @name runs on."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    kernel = boot.Kernel(name)
    return cpu if kernel.is_uml else f"{cpu}, QEMU with {boot.accelerator(kernel)}"


def keep(name, report):
    (TOP / "build" / f"{name}.json").write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), **report}, indent=1) + "\n")


def crypt_of(m, algorithm, size, threads, ms):
    """One run of dstcrypt in the machine: buffers per second that are sealed and opened, or whose checksum is taken twice."""
    m.run(f"insmod /run/dstcrypt.ko alg={algorithm} bs={size} threads={threads} ms={ms} 2>/dev/null", timeout=60, check=False)
    line = m.run("dmesg | grep -o '{\"dev\".*}' | tail -n 1").out
    result = json.loads(line)
    assert (result["dev"], result["alg"], result["bs"], result["threads"], result["errors"]) == ("crypt", algorithm, size, threads, 0), line
    return result


def measure(m, systems, workloads, rounds, ms):
    """{name: a device, or what measures a slice of a workload}, slice by slice, in turns: {(workload, name): a result of each round}."""
    measured = {}
    for n in range(rounds):
        for workload in workloads:
            for name in systems if n % 2 else reversed(systems):
                what = systems[name]
                result = what(workload) if callable(what) else slice_of(m, what, workload, ms)
                measured.setdefault((workload, name), []).append(result)
    return measured


def paired(measured, workload, a, b):
    """Quartiles of how much faster @a is than @b, within a round."""
    return quartiles([x["iops"] / y["iops"] for x, y in zip(measured[workload, a], measured[workload, b])])


def rows_of(measured, workloads, names):
    """What was measured, summed up, with the ratio to the first of @names."""
    rows = []
    for workload in workloads:
        for name in names:
            mine = measured[workload, name]
            iops = statistics.median(r["iops"] for r in mine)
            row = {"workload": name_of(workload), "system": name, "iops": round(iops), "MiB/s": round(iops * workload[1] / 2**20, 1)}
            if "p99_ns" in mine[0]:
                row["p99 us"] = round(statistics.median(r["p99_ns"] for r in mine) / 1000, 1)
            rows.append({**row, f"of {names[0]}": paired(measured, workload, name, names[0])})
    return rows


def side_by_side(m, devices, workloads, rounds, ms):
    return rows_of(measure(m, devices, workloads, rounds, ms), workloads, list(devices))


def report(name, kernel, rounds, ms, rows, more=None):
    """Keeps them as build/NAME-KERNEL.json, and prints a table."""
    base = rows[0]["system"]
    keep(f"{name}-{kernel}", {"kernel": kernel, "cpu": processor(kernel), "rounds": rounds, "ms": ms, "rows": rows, **(more or {})})
    print(f"{kernel}, on {processor(kernel)}; {rounds} rounds of {ms} ms\n")
    print(f"{'':20}{'':30}{'I/Os per s':>12}{'MiB/s':>10}{'p99 us':>14}   of {base}, quartiles")
    for r in rows:
        p99 = f"{r['p99 us']:,}" if "p99 us" in r else ""
        print(f"{r['workload'] if r['system'] == base else '':20}{r['system']:30}{r['iops']:>12,}{r['MiB/s']:>10,}{p99:>14}   "
              + " ".join(f"{v:.2f}" for v in r[f"of {base}"]))
