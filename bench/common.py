"""What the scripts of bench/ share: run commands interleaved, print medians as a table.

A measurement says how this machine did today. Targets are ratios against a peer in the same run
where there is a peer. Nothing here fails: bench/ reports, tests judge.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("WASMPLUG_BINARY", os.path.join(ROOT, "build/release/wasmplug"))
CACHE = os.environ.get("WASMPLUG_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wasmplug")


class Sample:
    """One finished process: wall and processor time in ms."""

    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu


def run(argv, cwd=None, env=None, stdin=None):
    """Runs a command to its end, output dropped; stops the benchmark when it fails."""
    start = time.perf_counter()
    child = subprocess.Popen(argv, cwd=cwd, env=env, stdin=stdin or subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(argv)}: status {child.returncode}\n{error.decode(errors='replace')}")
    return Sample(wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000)


def peak_memory(argv, cwd=None, env=None):
    """MB of one more run, by time(1): started from here, a child would begin with the peak of
    this interpreter. None where time(1) is not installed."""
    if not shutil.which("time"):
        return None
    with tempfile.NamedTemporaryFile("r") as file:
        run([shutil.which("time"), "-f", "%M", "-o", file.name, *argv], cwd, env)
        return int(file.read().split()[-1]) / 1024


class Case:
    """A row: `argv`, and `before`, called ahead of each run and not measured."""

    def __init__(self, name, argv, before=None, cwd=None, env=None, target=None):
        self.name, self.argv, self.before = name, argv, before
        self.cwd, self.env, self.target = cwd, env, target
        self.samples, self.memory = [], None


def measure(cases, rounds=11, warmups=2):
    """Runs all cases once a round, in turn, so that what disturbs the machine disturbs all."""
    for round_ in range(warmups + rounds):
        for case in cases:
            if case.before:
                case.before()
            sample = run(case.argv, case.cwd, case.env)
            if round_ >= warmups:
                case.samples.append(sample)
    for case in cases:
        if case.before:
            case.before()
        case.memory = peak_memory(case.argv, case.cwd, case.env)
    return cases


def median(case, what="wall"):
    return statistics.median(getattr(sample, what) for sample in case.samples)


def table(header, rows):
    widths = [max(len(str(row[i])) for row in [header] + rows) for i in range(len(header))]
    for row in [header] + rows:
        cells = [str(cell).ljust(width) if i == 0 else str(cell).rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def report(cases, peer=None):
    """Medians, spread, and the ratio to the case named `peer` when there is one."""
    reference = next((case for case in cases if case.name == peer), None)
    rows = []
    for case in cases:
        walls = [sample.wall for sample in case.samples]
        ratio = f"{median(case) / median(reference):.2f}" if reference else ""
        rows.append([case.name, f"{median(case):.1f}", f"{min(walls):.1f}-{max(walls):.1f}",
                     f"{median(case, 'cpu'):.1f}", "" if case.memory is None else f"{case.memory:.1f}", ratio,
                     case.target or ""])
    table(["", "wall ms", "spread", "cpu ms", "peak MB", "ratio", "to reach"], rows)


def need(program, how):
    """The path of a program, or the end with how to get it."""
    for folder in (os.path.join(CACHE, "peers"), None):
        found = shutil.which(program, path=folder) if folder else shutil.which(program)
        if found:
            return found
    sys.exit(f"{program} is not installed: {how}")


def has(program):
    return shutil.which(program, path=os.path.join(CACHE, "peers")) or shutil.which(program)


def scratch():
    """A temporary folder, in memory where there is a tmpfs; the caller removes it."""
    return tempfile.mkdtemp(prefix="wasmplug-bench-",
                            dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
