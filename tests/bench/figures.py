"""What the benchmarks share: the load generator, one slice of a measurement, how a row is summed up."""
import json
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
    tree = ["ARCH=um", "-C", boot.CACHE / kernel.name] if kernel.is_uml else ["-C", f"/lib/modules/{kernel.release}/build"]
    subprocess.run(["make", "-s", *tree, f"M={out}", "modules"], check=True)
    return out / "dstload.ko"


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


def processor():
    return next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())


def keep(name, report):
    (TOP / "build" / f"{name}.json").write_text(json.dumps({"date": time.strftime("%Y-%m-%d"), **report}, indent=1) + "\n")


def side_by_side(m, devices, workloads, rounds, ms):
    """{name: device} measured slice by slice, in turns; rows, with the ratio to the first of them paired within a round."""
    names, measured, rows = list(devices), {}, []
    for n in range(rounds):
        for workload in workloads:
            for name in names if n % 2 else reversed(names):
                measured.setdefault((workload, name), []).append(slice_of(m, devices[name], workload, ms))
    for workload in workloads:
        base = [r["iops"] for r in measured[workload, names[0]]]
        for name in names:
            mine = measured[workload, name]
            iops = statistics.median(r["iops"] for r in mine)
            rows.append({"workload": name_of(workload), "system": name, "iops": round(iops), "MiB/s": round(iops * workload[1] / 2**20, 1),
                         "p99 us": round(statistics.median(r["p99_ns"] for r in mine) / 1000, 1),
                         f"of {names[0]}": quartiles([r["iops"] / b for r, b in zip(mine, base)])})
    return rows


def report(name, kernel, rounds, ms, rows):
    """Keeps them as build/NAME-KERNEL.json, and prints a table."""
    base = rows[0]["system"]
    keep(f"{name}-{kernel}", {"kernel": kernel, "cpu": processor(), "rounds": rounds, "ms": ms, "rows": rows})
    print(f"{kernel}, on {processor()}; {rounds} rounds of {ms} ms\n")
    print(f"{'':20}{'':30}{'I/Os per s':>12}{'MiB/s':>10}{'p99 us':>10}   of {base}, quartiles")
    for r in rows:
        print(f"{r['workload'] if r['system'] == base else '':20}{r['system']:30}{r['iops']:>12,}{r['MiB/s']:>10,}{r['p99 us']:>10,}   "
              + " ".join(f"{v:.2f}" for v in r[f"of {base}"]))
