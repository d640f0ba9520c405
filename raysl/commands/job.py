"""Runs that are submitted as Ray jobs: their environment, and folders that a job would lose."""

from __future__ import annotations

import os
from pathlib import Path

from raysl.errors import ConfigError
from raysl.training.provenance import COMMIT, DIRTY, UNKNOWN, git_state

JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Set by Ray for the process of a job's entry point."""

STOP_SECONDS = 90
"""Seconds for a stopped job before it is killed; Ray's default of 3 s is too short for a checkpoint."""


def in_job() -> bool:
    return bool(os.environ.get(JOB))


def refuse_lost_folders(**folders: str) -> None:
    """Refuses, within a job, relative folders: they would be in Ray's cache of uploads, on the head's own disk.

    Args:
        folders: by the name of their option.

    Raises:
        ConfigError: naming the option, and what to use instead.
    """
    if not in_job():
        return
    for option, folder in folders.items():
        if "://" not in folder and not Path(folder).expanduser().is_absolute():
            raise ConfigError(
                f"--{option} {folder}: in a Ray job this folder is in Ray's cache of the upload, on one node, and is "
                f"deleted with it: give a bucket (--{option} s3://BUCKET/{folder}) or a folder that all nodes share "
                f"(--{option} /SHARED/{folder})"
            )


def unknown_commit() -> str:
    """The note for a job whose cells will not know their commit; empty for others."""
    if not in_job() or git_state()["commit"] != UNKNOWN:
        return ""
    return 'the commit of this upload is not known: submit with --runtime-env-json "$(raysl job-env)", which gives it'


def job_environment(uploaded: Path | None = None) -> dict[str, dict[str, str]]:
    """The part of a job's runtime environment that raysl needs: the commit of the upload, and time to stop.

    ``JobSubmissionClient(...).submit_job(runtime_env={"working_dir": ".", **job_environment()}, ...)``

    Args:
        uploaded: raysl's checkout, the job's working folder; None: the current folder. If it is no checkout, the commit
            is that of the cluster's own raysl, and is not set.
    """
    folder = uploaded or Path.cwd()
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
    if (folder / "raysl" / "__init__.py").is_file():
        state = git_state(folder)
        if state["commit"] != UNKNOWN:
            variables[COMMIT] = f"{state['commit']}{DIRTY if state['dirty'] else ''}"
    return {"env_vars": variables}
