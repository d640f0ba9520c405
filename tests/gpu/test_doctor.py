"""`raysl doctor` on a machine with a GPU."""

from __future__ import annotations

import pytest
import torch

from raysl.commands.doctor.devices import gpus
from raysl.commands.doctor.finding import DoctorOptions

pytestmark = pytest.mark.gpu


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_every_gpu_multiplies_and_is_named() -> None:
    found = gpus(DoctorOptions())
    named = [(one.topic, one.state, one.values.get("name")) for one in found]
    expected = [
        (f"GPU {number}", "ok", torch.cuda.get_device_name(number)) for number in range(torch.cuda.device_count())
    ]
    assert named == expected
