"""The data of TensorBoard's HParams page: an event file for each run, and one with the list of columns.

The page shows the first five hyperparameters and metrics. Without a list of columns it would take every scalar of the
curves for a metric.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EVENTS = "events.out.tfevents"
"""Prefix of the names of TensorBoard's files."""

HPARAMS_FILE = f"{EVENTS}.0000000000.raysl"
"""Name of the file: TensorBoard reads files by name and returns to none, so it comes before growing ones."""

Status = Literal["running", "success", "failure", "unknown"]


@dataclass(frozen=True)
class Session:
    """One run of the page.

    Attributes:
        group: runs of one group are one line, with the means of their metrics.
        factors: its hyperparameters.
        metrics: from name to value, in percent.
        started: seconds since 1970.
    """

    group: str
    factors: Mapping[str, str | int | float]
    metrics: Mapping[str, float] = field(default_factory=dict)
    status: Status = "unknown"
    started: float = 0.0


def session_file(session: Session) -> bytes:
    """The content of a run's file; the same session gives the same bytes."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    start = plugin_data_pb2.SessionStartInfo(group_name=session.group, start_time_secs=session.started)
    for name, value in session.factors.items():
        if isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    status = api_pb2.Status.Value(f"STATUS_{session.status.upper()}")
    end = plugin_data_pb2.SessionEndInfo(status=status)
    values = [
        _plugin_value(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        *(Summary.Value(tag=name, simple_value=value) for name, value in session.metrics.items()),
        _plugin_value(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    ]
    return _events(values, session.started)


def columns_file(sessions: Iterable[Session]) -> bytes:
    """The content of the file at the top of the runs: their factors and metrics, in the order in which they come."""
    from tensorboard.plugins.hparams import api_pb2, metadata

    values: dict[str, list[Any]] = {}
    metrics: dict[str, None] = {}
    for session in sessions:
        metrics |= dict.fromkeys(session.metrics)
        for name, value in session.factors.items():
            values.setdefault(name, []).append(value)
    texts = {name for name, ones in values.items() if any(isinstance(one, str) for one in ones)}
    experiment = api_pb2.Experiment(
        hparam_infos=[
            api_pb2.HParamInfo(name=name, type=api_pb2.DATA_TYPE_STRING if name in texts else api_pb2.DATA_TYPE_FLOAT64)
            for name in values
        ],
        metric_infos=[api_pb2.MetricInfo(name=api_pb2.MetricName(tag=name)) for name in metrics],
    )
    return _events([_plugin_value(metadata.EXPERIMENT_TAG, experiment=experiment)], 0.0)


def _plugin_value(tag: str, **content: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    data = plugin_data_pb2.HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
    return Summary.Value(
        tag=tag,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )


def _events(values: list[Any], time: float) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    out = io.BytesIO()
    writer = RecordWriter(out)
    for event in (
        Event(wall_time=time, file_version="brain.Event:2"),
        Event(wall_time=time, summary=Summary(value=values)),
    ):
        writer.write(event.SerializeToString(deterministic=True))
    return out.getvalue()
