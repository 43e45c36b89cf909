"""Simulated hosts for mpiexec: network and UTS namespaces, joined by a link with a latency and a bandwidth. Needs Linux and root.

    python -m tests.support.link --hosts 2 --latency 0.0005 --rate 50e6 -- -m bench scale --workload wide

Each namespace has one TUN device, and this process forwards the packets. A packet waits until the sender's earlier packets have left at
`rate` bytes per second, and then arrives `latency` seconds later. No packet leaves the namespaces. Only the MPICH of the extra mpi works.
"""

import argparse
import contextlib
import ctypes
import fcntl
import heapq
import os
import secrets
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NET = "10.77.0."
MTU = 60_000  # bytes: few packets, because Python forwards them
_SET_INTERFACE, _TUN, _BARE = 0x400454CA, 0x0001, 0x1000
_NEW_NETWORK = 0x40000000


def why_not():
    """Return why this system cannot make such hosts, or None if it can."""
    if sys.platform != "linux" or os.geteuid() or not os.access("/dev/net/tun", os.R_OK) or not shutil.which("ip"):
        return "needs Linux, root, iproute2 and /dev/net/tun"
    probe = subprocess.run(["unshare", "--net", "--uts", "true"], capture_output=True)
    return None if probe.returncode == 0 else "this system does not allow new namespaces"


@contextlib.contextmanager
def hosts(count, *, latency, rate):
    """Make `count` linked namespaces for hosts, and one more for mpiexec, so that no host is local to it. Remove them at the end.

    Yields the names of the namespaces, that of mpiexec first.
    """
    names = [f"eb{secrets.token_hex(2)}n{number}" for number in range(count + 1)]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
        ends = [_tun(name) for name in names]
        for number, name in enumerate(names):
            for command in (f"addr add {NET}{number + 1}/24 dev tun0", f"link set tun0 mtu {MTU} up", "link set lo up"):
                subprocess.run(["ip", "-n", name, *command.split()], check=True)
        forwarder = os.fork()
        if not forwarder:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
            _forward(ends, latency, rate)
        try:
            yield names
        finally:
            os.kill(forwarder, signal.SIGKILL)
            os.waitpid(forwarder, 0)
            for end in ends:
                os.close(end)
    finally:
        for name in names:  # with the processes that still run there
            inside = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
            for process in map(int, inside):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def _tun(name):
    """Open a TUN device in a namespace. The descriptor is valid outside the namespace too."""
    libc, ours = ctypes.CDLL(None, use_errno=True), os.open("/proc/self/ns/net", os.O_RDONLY)
    theirs = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        assert libc.setns(theirs, _NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, _SET_INTERFACE, struct.pack("16sH14x", b"tun0", _TUN | _BARE))
    finally:
        assert libc.setns(ours, _NEW_NETWORK) == 0
        os.close(ours)
        os.close(theirs)
    return end


def _forward(ends, latency, rate):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # waiting ranks spin on the processors and must not delay the link
    free, underway, number = [0.0] * len(ends), [], 0
    while True:
        wait = max(underway[0][0] - time.monotonic(), 0) if underway else None
        for end in select.select(ends, [], [], wait)[0]:
            with contextlib.suppress(BlockingIOError):
                packet = os.read(end, MTU + 64)
                target = packet[19] - 1 if packet[0] >> 4 == 4 and packet[16:19] == bytes([10, 77, 0]) else -1
                if 0 <= target < len(ends):
                    here = ends.index(end)
                    free[here] = max(free[here], time.monotonic()) + len(packet) / rate
                    number += 1
                    heapq.heappush(underway, (free[here] + latency, number, target, packet))
        while underway and underway[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(underway)
            with contextlib.suppress(OSError):
                os.write(ends[target], packet)


def mpiexec(names, command, *, each=1, **options):
    """Run python COMMAND with `each` ranks in every namespace for hosts. The host name is the name of the namespace."""
    with tempfile.TemporaryDirectory() as directory:
        launcher = Path(directory) / "launcher"  # replaces ssh, with its arguments: [options] host command ...
        cores = sorted(os.sched_getaffinity(0))  # assigned to the hosts in turn
        cases = "\n".join(f"{NET}{number + 1}) name={name} core={cores[(number - 1) % len(cores)]};;" for number, name in enumerate(names))
        launcher.write_text(
            f'#!/bin/sh\nwhile [ "${{1#-}}" != "$1" ]; do shift; done\nhost=$1; shift\ncase $host in\n{cases}\nesac\n'
            'exec ip netns exec "$name" taskset -c "$core" unshare --uts sh -c "hostname $name; $*"\n'
        )
        launcher.chmod(0o755)
        addresses = ",".join(f"{NET}{number + 1}" for number in range(1, len(names)))
        mpi = [
            str(Path(sys.executable).with_name("mpiexec")),
            "-localhost",
            f"{NET}1",
            "-launcher",
            "ssh",
            "-launcher-exec",
            str(launcher),
            "-hosts",
            addresses,
        ]
        line = ["ip", "netns", "exec", names[0], *mpi, "-ppn", str(each), "-n", str(each * (len(names) - 1)), sys.executable, *command]
        environment = {**os.environ, "FI_PROVIDER": "tcp", "FI_TCP_IFACE": "tun0", "UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "tun0"}
        return subprocess.run(line, env=environment, **options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run python COMMAND under mpiexec on simulated hosts (Linux namespaces)")
    for option, kind, default in (("hosts", int, 2), ("each", int, 1), ("latency", float, 5e-4), ("rate", float, 50e6)):
        parser.add_argument(f"--{option}", type=kind, default=default)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that `hosts` removes the namespaces
    with hosts(given.hosts, latency=given.latency, rate=given.rate) as made:
        sys.exit(mpiexec(made, given.command, each=given.each).returncode)
