"""A process knows the job that it belongs to."""

from mixlaws.runs.job import job_name


def test_the_job_is_named_as_scancel_takes_it(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert job_name() == "17"
    monkeypatch.delenv("SLURM_JOB_ID")
    assert job_name() == ""
