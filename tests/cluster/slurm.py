#!/usr/bin/env python3
"""A real SLURM on one machine, for tests: two nodes, fake GPUs, accounting, on loopback only.

    python3 tests/cluster/slurm.py up [--without-accounting]   install what is missing, start
    python3 tests/cluster/slurm.py status
    python3 tests/cluster/slurm.py down                        stop by recorded process id

Debian or Ubuntu, as root, no systemd. Everything lies in one folder (MIXLAWS_SLURM, or
/tmp/mixlaws-slurm): the configuration that SLURM_CONF names, keys, database, logs, process ids.
Nothing is started where another SLURM is configured or running. Memory and GPUs are scheduled, not
enforced: the nodes are two slurmd on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]
ACCOUNTING_PACKAGES = ["slurmdbd", "mariadb-server"]
DAEMONS = ["slurmd-n2", "slurmd-n1", "slurmctld", "slurmdbd", "mariadbd", "munged"]  # stop order
NODES = ["n1", "n2"]
PORTS = {"slurmctld": 17817, "n1": 17818, "n2": 17819, "slurmdbd": 17820}
# Snakemake's plugin hides SLURM_CONF from what a job calls: these find it again by PATH.
CALLED_IN_JOBS = ["srun", "squeue", "scontrol"]
SYSTEM_CONFIGS = [Path("/etc/slurm/slurm.conf"), Path("/etc/slurm-llnl/slurm.conf")]

SLURM_CONF = """\
ClusterName=mixlaws
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[slurmctld]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
SlurmctldTimeout=10
SlurmdTimeout=20
MessageTimeout=20
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
MinJobAge=300
InactiveLimit=0
KillWait=5
OverTimeLimit=0
{accounting}
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[slurmdbd]}
AccountingStoragePass={folder}/munge/munge.socket
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5"""
NO_ACCOUNTING = """\
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
    "CPUs=2 RealMemory=6000 Gres=gpu:1"
)
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[slurmdbd]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
"""


class ClusterError(RuntimeError):
    """The test cluster cannot be started, or did not start."""


def wait_until(true: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Return once `true()` holds; raise ClusterError naming `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)


def succeeds(*command: str, env: dict[str, str] | None = None) -> bool:
    """Tell whether a command ends with status 0."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(command, env=env, capture_output=True, timeout=20).returncode == 0
    return False


@dataclass(frozen=True)
class Cluster:
    """The test cluster of one folder."""

    folder: Path

    @property
    def config(self) -> Path:
        """Return the configuration that SLURM_CONF must name."""
        return self.folder / "slurm.conf"

    def environment(self) -> dict[str, str]:
        """Return the environment in which SLURM's commands use this cluster."""
        own = {
            "SLURM_CONF": str(self.config),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }
        return os.environ | own | {"MYSQL_UNIX_PORT": str(self.folder / "mariadb" / "socket")}

    def command(self, *command: str, check: bool = True) -> str:
        """Run one of SLURM's commands; return what it printed."""
        result = subprocess.run(command, env=self.environment(), capture_output=True, text=True)
        if check and result.returncode:
            raise ClusterError(f"{' '.join(command)}: {result.stderr.strip()}")
        return result.stdout

    # -- processes, by their recorded ids only

    def pid(self, daemon: str) -> int | None:
        """Return the id of a daemon that this cluster started and that still lives."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "run" / f"{daemon}.pid").read_text())
            line = Path(f"/proc/{pid}/stat").read_text()
            name, state = line.partition("(")[2].rsplit(")", 1)
            ended = state.split()[0] == "Z"  # mariadbd is our own child
            return None if ended or not daemon.startswith(name.removesuffix("d")) else pid
        return None

    def stop(self, daemon: str, sent: int = signal.SIGTERM) -> None:
        """End one daemon and wait for its end; kill it after 20 s."""
        pid = self.pid(daemon)
        if pid is not None:
            os.kill(pid, sent)
            try:
                wait_until(lambda: self.pid(daemon) is None, f"{daemon} must end", 20)
            except ClusterError:
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: self.pid(daemon) is None, f"{daemon} must be gone", 20)
        (self.folder / "run" / f"{daemon}.pid").unlink(missing_ok=True)

    def job_processes(self, node: str = "") -> list[int]:
        """Return the ids of all processes inside jobs, or of those on one node.

        Without cgroups SLURM loses sight of a job's process whose parent has ended.
        """
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                lines = path.read_bytes().split(b"\0")
                ours = f"SLURM_CONF={self.config}".encode() in lines
                here = any(line.startswith(f"SLURMD_NODENAME={node}".encode()) for line in lines)
                if ours and here:
                    found.append(int(path.parent.name))
        return found

    def start_controller(self) -> None:
        """Start slurmctld, which restores the jobs that it had."""
        self._spawn("slurmctld", ["slurmctld", "-i"])
        wait_until(lambda: succeeds("scontrol", "ping", env=self.environment()), "slurmctld")

    def start_node(self, name: str) -> None:
        """Start the slurmd of one node and wait until it is up."""
        self._spawn(f"slurmd-{name}", ["slurmd", "-N", name])
        wait_until(lambda: self.state(name).startswith(("idle", "mix", "alloc")), f"node {name}")

    def state(self, name: str) -> str:
        """Return the state of one node as sinfo writes it, such as "idle" or "down*"."""
        return self.command("sinfo", "-h", "-n", name, "-p", "cpu", "-o", "%T", check=False).strip()

    def set_state(self, name: str, state: str) -> None:
        """Set the state of one node as an operator does, such as "drain" or "resume"."""
        self.command("scontrol", "update", f"nodename={name}", f"state={state}", "reason=test")

    def _spawn(self, daemon: str, command: list[str]) -> None:
        if self.pid(daemon) is None:
            with open(self.folder / "log" / f"{daemon}.out", "ab") as out:
                subprocess.run(command, env=self.environment(), stdout=out, stderr=out, check=True)
            wait_until(lambda: self.pid(daemon) is not None, f"{daemon} must write its process id")

    # -- up and down

    def up(self, accounting: bool = True) -> None:
        """Install what is missing, write the configuration and start every daemon."""
        refuse_a_foreign_slurm(self.config)
        install(PACKAGES + ACCOUNTING_PACKAGES * accounting)
        for name in ("run", "log", "bin", "state", "spool/n1", "spool/n2", "munge"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write_configuration(accounting)
        self._start_munge()
        if accounting:
            self._start_database()
        self.start_controller()
        for node in NODES:
            self.start_node(node)

    def down(self) -> None:
        """Stop every daemon and job that this cluster started; keep nothing but its logs."""
        if self.pid("slurmctld"):
            self.command("scancel", "--full", "--user=root", check=False)
        for daemon in DAEMONS:
            self.stop(daemon)
        for pid in self.job_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in ("state", "spool", "mariadb", "munge", "run"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _write_configuration(self, accounting: bool) -> None:
        values = {"folder": self.folder, "ports": PORTS, "host": host_name()}
        storage = ACCOUNTING.format(**values) if accounting else NO_ACCOUNTING
        nodes = "\n".join(NODE.format(name=n, port=PORTS[n], host=host_name()) for n in NODES)
        self.config.write_text(SLURM_CONF.format(accounting=storage, nodes=nodes, **values))
        (self.folder / "gres.conf").write_text(
            "".join(
                f"NodeName={node} Name=gpu File={fake_device(index)}\n"
                for index, node in enumerate(NODES)
            )
        )
        for command in CALLED_IN_JOBS:
            script = self.folder / "bin" / command
            script.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.config} exec {shutil.which(command)} "$@"\n'
            )
            script.chmod(0o755)
        (self.folder / "cgroup.conf").write_text("CgroupAutomount=no\nCgroupPlugin=cgroup/v1\n")
        database = self.folder / "slurmdbd.conf"
        database.write_text(SLURMDBD_CONF.format(**values))
        database.chmod(0o600)

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "munge.key"
        if not key.exists():
            key.write_bytes(os.urandom(1024))
            key.chmod(0o400)
        for path in (folder, key):
            shutil.chown(path, "munge", "munge")
        folder.chmod(0o755)
        if self.pid("munged") is None:
            command = ["setpriv", "--reuid=munge", "--regid=munge", "--init-groups", "munged"]
            options = {"key-file": key, "socket": folder / "munge.socket"}
            options |= {"pid-file": folder / "munged.pid", "log-file": folder / "munged.log"}
            options |= {"seed-file": folder / "munged.seed"}
            command += [f"--{name}={value}" for name, value in options.items()]
            subprocess.run(command, check=True, capture_output=True)
            wait_until((folder / "munged.pid").exists, "munged")
            shutil.copy(folder / "munged.pid", self.folder / "run" / "munged.pid")

    def _start_database(self) -> None:
        data = self.folder / "mariadb"
        at = data / "socket"
        self.folder.chmod(0o755)
        if not (data / "mysql").exists():
            data.mkdir(exist_ok=True)
            shutil.chown(data, "mysql", "mysql")
            command = ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}"]
            options = ["--auth-root-authentication-method=normal", "--skip-test-db"]
            subprocess.run([*command, *options], check=True, capture_output=True)
        if self.pid("mariadbd") is None:
            options = [f"--datadir={data}", f"--socket={at}", f"--pid-file={data}/pid"]
            options += ["--user=mysql", "--skip-networking", "--innodb-buffer-pool-size=64M"]
            options += ["--innodb-lock-wait-timeout=900", "--innodb-flush-log-at-trx-commit=0"]
            options += ["--innodb-log-file-size=16M"]
            with open(self.folder / "log" / "mariadbd.out", "ab") as out:
                started = subprocess.Popen(
                    ["mariadbd", "--no-defaults", *options],
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            (self.folder / "run" / "mariadbd.pid").write_text(str(started.pid))
            wait_until(at.exists, "mariadbd")
        self._spawn("slurmdbd", ["slurmdbd"])
        env = self.environment()
        wait_until(lambda: succeeds("sacctmgr", "-n", "show", "cluster", env=env), "slurmdbd")
        add = ["sacctmgr", "--immediate", "--quiet", "add"]
        for what in (["cluster", "mixlaws"], ["account", "lab"], ["user", "root", "account=lab"]):
            self.command(*add, *what, check=False)  # already there after a restart

    def status(self) -> str:
        """Return one line per daemon, and the nodes."""
        lines = [f"{daemon:10} {self.pid(daemon) or '-'}" for daemon in reversed(DAEMONS)]
        return "\n".join([*lines, self.command("sinfo", "-N", check=False)])


def host_name() -> str:
    """Return the machine's short name, which must resolve to loopback."""
    name = socket.gethostname().split(".")[0]
    with contextlib.suppress(OSError):
        if socket.gethostbyname(name).startswith("127."):
            return name
    raise ClusterError(
        f"the machine's name must lead to loopback, but {name} does not: put the line "
        f"'127.0.0.1 {name}' first in /etc/hosts"
    )


def fake_device(index: int) -> Path:
    """Return a device node like /dev/null: CUDA_VISIBLE_DEVICES needs real devices."""
    path = Path(f"/dev/mixlaws-gpu{index}")
    if not path.exists():
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    return path


def refuse_a_foreign_slurm(config: Path) -> None:
    """Raise ClusterError where another SLURM is configured or running on this machine."""
    named = os.environ.get("SLURM_CONF")
    if named and Path(named) != config:
        raise ClusterError(f"SLURM_CONF names another cluster, {named}: unset it to test here")
    for path in SYSTEM_CONFIGS:
        if path.exists():
            raise ClusterError(f"{path} belongs to another cluster: test on a machine without one")
    own = {Cluster(config.parent).pid(daemon) for daemon in DAEMONS}
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if comm.read_text().strip() in ("slurmctld", "slurmd", "slurmdbd"):
                pid = int(comm.parent.name)
                if pid not in own:
                    raise ClusterError(f"another SLURM runs here (process {pid}): stop it first")


def install(packages: list[str]) -> None:
    """Install Debian packages that are missing, without letting them start services."""
    missing = [name for name in packages if not succeeds("dpkg", "-s", name)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ClusterError(f"install {' '.join(missing)} first (Debian or Ubuntu, as root)")
    policy = Path("/usr/sbin/policy-rc.d")
    own_policy = not policy.exists()
    if own_policy:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        get = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        subprocess.run([*get, "update"], check=True, env=env)
        command = [*get, "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)
    finally:
        if own_policy:
            policy.unlink()


def default_folder() -> Path:
    """Return the cluster's folder."""
    return Path(os.environ.get("MIXLAWS_SLURM", "/tmp/mixlaws-slurm"))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["up", "down", "status"])
    parser.add_argument("--without-accounting", action="store_true")
    arguments = parser.parse_args()
    cluster = Cluster(default_folder())
    if arguments.action == "up":
        cluster.up(accounting=not arguments.without_accounting)
        print(cluster.status())
        print(f"export SLURM_CONF={cluster.config} PATH={cluster.folder / 'bin'}:$PATH")
    elif arguments.action == "down":
        cluster.down()
    else:
        print(cluster.status())


if __name__ == "__main__":
    try:
        main()
    except (ClusterError, subprocess.CalledProcessError) as error:
        sys.exit(f"slurm.py: {error}")
