"""Combinations of pretext tasks that are refused when a cell is loaded."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen
from raysl.errors import ConfigError
from raysl.views.task_views import TaskViews, check_conflicts, task_views


def check_tasks(cell: CellConfig) -> None:
    """Refuses tasks in conflict, views that nothing reads, and views that the framework cannot contrast.

    Raises:
        ConfigError: naming the tasks, with what to change.
    """
    tasks = task_views(cell)
    check_conflicts(tasks)
    for name, views in tasks.items():
        if views.own_views:
            _check_contrast(name, cell)
            _check_read(name, views, cell)


def is_contrasted(task: Chosen) -> bool:
    """Whether the framework, if there is one, contrasts the task's own views with the original clip."""
    return bool(getattr(task.options, "contrast", False))


def _check_contrast(name: str, cell: CellConfig) -> None:
    framework = cell.objective.contrastive
    if framework is None or not is_contrasted(cell.objective.pretext[name]):
        return
    # The option is the original clip's share against the tasks' views: a framework without it has no such loss.
    if "original_weight" not in type(framework.options).model_fields:
        raise ConfigError(
            f"objective.pretext.{name}: its own view should be contrasted with the original clip, but the framework "
            f"{framework.name} does not contrast tasks' views; set objective.pretext.{name}.contrast: false, or choose "
            "another framework"
        )


def _check_read(name: str, views: TaskViews, cell: CellConfig) -> None:
    task = cell.objective.pretext[name]
    contrasted = cell.objective.contrastive is not None and is_contrasted(task)
    changes_others = not set(views.changes) <= set(views.own_views)
    if getattr(task.options, "supervise", True) or contrasted or changes_others:
        return
    missing = "contrast is false" if cell.objective.contrastive is not None else "there is no framework to contrast it"
    raise ConfigError(
        f"objective.pretext.{name} does nothing: no term reads the view that it makes (supervise is false, "
        f"and {missing}); switch one of them on, or switch the task off with objective.pretext.{name}: null"
    )
