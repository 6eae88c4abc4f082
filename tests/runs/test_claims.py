"""Training jobs share a machine's devices, which here are names in an environment variable."""

import multiprocessing
import os
import time
from fractions import Fraction
from functools import partial

import pytest

from mixlaws.errors import ConfigError
from mixlaws.runs import claims
from mixlaws.runs.claims import claimed
from mixlaws.runs.visible_devices import parse_list, visible_devices

THREE = "GPU-aaaa,GPU-bbbb,GPU-cccc"
PROCESSES = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """Return a machine with three devices and a folder for its locks."""
    monkeypatch.setenv("MIXLAWS_DEVICES", THREE)
    monkeypatch.setenv("MIXLAWS_DEVICE_LOCKS", str(tmp_path / "locks"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(claims, "POLL_SECONDS", 0.02)
    return tmp_path


def hold(number, folder, count, runs_per_device, seconds=0.1):
    """Claim, leave a file that says when and what, and hold the claim for a while."""
    with claimed(count, runs_per_device=runs_per_device, run=f"run {number}") as devices:
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(devices)
        began = time.monotonic()
        time.sleep(seconds)
        (folder / f"job-{number}").write_text(f"{began} {time.monotonic()} {' '.join(devices)}")


def run_jobs(folder, num_jobs, *, count=1, runs_per_device=1, seconds=0.1):
    """Run jobs at once; return (began, ended, devices) of each."""
    jobs = [
        PROCESSES.Process(target=hold, args=(number, folder, count, runs_per_device, seconds))
        for number in range(num_jobs)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join(60)
        assert job.exitcode == 0
    lines = [path.read_text().split() for path in folder.glob("job-*")]
    return [(float(began), float(ended), devices) for began, ended, *devices in lines]


def most_at_once(found, device):
    """Return how many jobs held a device at the same time."""
    spans = [(began, ended) for began, ended, devices in found if device in devices]
    return max((sum(b <= moment < e for b, e in spans) for moment, _ in spans), default=0)


def test_ten_jobs_use_all_three_devices_and_never_two_on_one(machine):
    found = run_jobs(machine, 10, seconds=0.6)  # long enough for all to start meanwhile
    assert len(found) == 10
    assert {device for *_, devices in found for device in devices} == set(THREE.split(","))
    assert [most_at_once(found, device) for device in THREE.split(",")] == [1, 1, 1]


def test_two_runs_share_a_device_where_the_config_says_so(machine):
    found = run_jobs(machine, 10, runs_per_device=2)
    assert max(most_at_once(found, device) for device in THREE.split(",")) <= 2
    take = partial(claims._take, THREE.split(","), 1, Fraction(1, 2), "run")
    taken = [device for _ in range(6) for device in take()]
    assert taken == 2 * THREE.split(",")  # the emptiest device first
    assert take() == {}


def test_jobs_of_several_devices_take_all_or_none(machine):
    """Two jobs of two devices on three: neither keeps one that the other waits for."""
    found = run_jobs(machine, 4, count=2)
    assert [len(set(devices)) for *_, devices in found] == [2, 2, 2, 2]
    assert max(most_at_once(found, device) for device in THREE.split(",")) == 1


def test_a_run_that_needs_a_whole_device_gets_one_beside_runs_that_share():
    take = partial(claims._take, THREE.split(","), 1)
    small = take(Fraction(1, 4), "small")
    large, second = take(Fraction(1), "large"), take(Fraction(1), "second")
    assert len({*small, *large, *second}) == 3
    assert take(Fraction(1), "third") == {}
    assert take(Fraction(1, 4), "another small one").keys() == small.keys()


def test_a_killed_job_frees_its_device_at_once(machine):
    job = PROCESSES.Process(target=hold, args=(0, machine, 3, 1, 60))
    job.start()
    while len(list((machine / "locks").glob("GPU*"))) < 3:
        time.sleep(0.01)
    assert claims._take(THREE.split(","), 1, Fraction(1), "next") == {}
    job.kill()
    job.join()
    taken = claims._take(THREE.split(","), 3, Fraction(1), "next")
    assert sorted(taken) == THREE.split(",")


def test_a_job_that_waits_says_for_what(machine, capfd):
    with claimed(3, runs_per_device=1, run="70M mix-001 seed 0"):
        job = PROCESSES.Process(target=hold, args=(1, machine, 2, 1))
        job.start()
        waiting = ""
        while "waiting" not in waiting:
            waiting += capfd.readouterr().out
            time.sleep(0.01)
    job.join(60)
    holder = f"by 70M mix-001 seed 0 (process {os.getpid()})"
    message = f"waiting for 2 of 3 devices to be free. In use: GPU-aaaa {holder}; GPU-bbbb {holder}"
    assert message in waiting
    assert "claimed GPU-aaaa, GPU-bbbb after" in capfd.readouterr().out


def test_more_devices_than_are_visible_is_an_error(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    with (
        pytest.raises(ConfigError, match=r"1B optimum seed 0 needs 3 devices, .*GPU-aaaa, GPU-c"),
        claimed(3, runs_per_device=1, run="1B optimum seed 0"),
    ):
        pass


def test_other_users_share_the_same_files(machine):
    """The folder is like /tmp and every file may be opened by all, whatever the umask."""
    before = os.umask(0o077)
    try:
        with claimed(1, runs_per_device=1, run="run"):
            pass
    finally:
        os.umask(before)
    assert (machine / "locks").stat().st_mode & 0o7777 == 0o1777
    files = list((machine / "locks").iterdir())
    assert {path.name for path in files} == {"guard", "GPU-aaaa.0"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_another_user_sees_what_is_claimed(machine):
    for path in (machine, *machine.parents[:-2]):
        path.chmod(0o755)
    assert claims._take(THREE.split(","), 1, Fraction(1), "mine").keys() == {"GPU-aaaa"}
    job = PROCESSES.Process(target=take_as_another_user)
    job.start()
    job.join(60)
    assert job.exitcode == 0
    assert len(claims._take(THREE.split(","), 2, Fraction(1), "mine again")) == 2


def take_as_another_user():
    os.setgid(65534)
    os.setuid(65534)
    assert claims._take(THREE.split(","), 3, Fraction(1), "theirs") == {}
    taken = claims._take(THREE.split(","), 2, Fraction(1), "theirs")
    assert taken.keys() == {"GPU-bbbb", "GPU-cccc"}


def test_nothing_is_claimed_where_there_is_no_device(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with claimed(1, runs_per_device=1, run="run") as devices:
        assert devices == ()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("1", ["GPU-bbbb"]),
        ("GPU-bbbb", ["GPU-bbbb"]),
        ("GPU-b", ["GPU-bbbb"]),  # a beginning, as CUDA takes it
        ("2, 0", ["GPU-cccc", "GPU-aaaa"]),
        ("0,GPU-aaaa", ["GPU-aaaa"]),
        ("0,7,1", ["GPU-aaaa"]),  # CUDA stops at the first wrong entry
        ("0,-1,1", ["GPU-aaaa"]),
        ("-1", []),
        ("GPU-", []),
        ("MIG-1234,MIG-GPU-aaaa/1/0", ["MIG-1234", "MIG-GPU-aaaa/1/0"]),
    ],
)
def test_the_same_device_has_one_name(monkeypatch, stated, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", stated)
    assert visible_devices() == expected


def test_a_device_named_by_index_and_by_uuid_is_claimed_once(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with claimed(1, runs_per_device=1, run="by index") as devices:
        assert devices == ("GPU-bbbb",)
        assert claims._take(["GPU-bbbb"], 1, Fraction(1), "by UUID") == {}


def test_parts_of_a_gpu_are_claimed_as_they_are_named(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-GPU-aaaa/1/0,MIG-1234")
    with claimed(2, runs_per_device=1, run="run"):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-GPU-aaaa/1/0,MIG-1234"


def test_without_a_list_of_the_machine_devices_go_by_index(monkeypatch):
    monkeypatch.delenv("MIXLAWS_DEVICES")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-aaaa")
    assert visible_devices() == ["3", "GPU-aaaa"]


def test_nvidia_smi_is_asked(monkeypatch, tmp_path):
    listed = (
        "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)\n"
        "  MIG 3g.20gb     Device  0: (UUID: MIG-1111)\n"
        "  MIG 3g.20gb     Device  1: (UUID: MIG-2222)\n"
        "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb)\n"
    )
    assert parse_list(listed) == [["MIG-1111", "MIG-2222"], ["GPU-bbbb"]]
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat <<END\n{listed}END\n")
    tool.chmod(0o755)
    monkeypatch.delenv("MIXLAWS_DEVICES")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert visible_devices() == ["MIG-1111", "MIG-2222", "GPU-bbbb"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert visible_devices() == ["GPU-bbbb"]
