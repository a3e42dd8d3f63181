"""On what a measurement was made: the machine, the interpreter, its build."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata

try:
    import _chanlab
except ImportError:
    _chanlab = None


def collect(seeds: Sequence[int], cpu: int | None) -> dict[str, str]:
    """Names and values, in the order in which they are shown; only what is known."""
    found = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "chanlab": getattr(_chanlab, "version", "without C"),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}",
        "python_build": _build(),
        "python_compiler": platform.python_compiler(),
        "greenlet": version("greenlet"),
        "cpu_model": _cpu_model(),
        "cpu_count": str(os.cpu_count()),
        "cpu_affinity": "none" if cpu is None else str(cpu),
        "cpu_governor": _read(f"/sys/devices/system/cpu/cpu{cpu or 0}/cpufreq/scaling_governor"),
        "load_average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "platform": platform.platform(),
        "seeds": " ".join(map(str, seeds)),
    }
    return {name: value for name, value in found.items() if value}


def runtime() -> str:
    """The interpreter that runs the programs, in one line."""
    return f"{platform.python_implementation()} {platform.python_version()}, greenlet {version('greenlet')}, {sys.executable}"


def version(package: str) -> str:
    """The version of an installed package, or 'missing'."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(package)
    return "missing"


def _build() -> str:
    """What speed depends on: 'optimised (-O2, PGO, LTO)'."""
    flags = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("CONFIG_ARGS", "PY_CFLAGS"))
    marks = [mark for mark in ("-O3", "-O2", "-O1", "-O0", "-Og") if f" {mark}" in f" {flags}"][:1]
    marks += ["PGO"] if "--enable-optimizations" in flags else []
    marks += ["LTO"] if "--with-lto" in flags else []
    marks += ["debug"] if hasattr(sys, "gettotalrefcount") else []
    return ", ".join(marks)


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or platform.machine()


def _read(path: str) -> str:
    with suppress(OSError), open(path) as file:
        return file.read().strip()
    return ""
