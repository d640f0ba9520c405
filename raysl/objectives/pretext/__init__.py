"""Pretext tasks, one file each."""

from raysl.objectives.task_checks import check_tasks

CHECK = check_tasks
