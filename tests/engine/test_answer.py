"""Whether a Ray answers."""

from __future__ import annotations

import pytest

from raysl.engine.answer import ask_ray


@pytest.mark.ray
def test_a_ray_that_is_there_runs_a_task(local_ray: None) -> None:
    answer = ask_ray()
    assert (answer.nodes, answer.cpus, answer.gpus) == (1, 2.0, 0.0)
