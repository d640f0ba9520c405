"""Cells as trials on a Ray cluster. Only this package imports Ray, which reads the variables set here on import."""

import os
import sys
from contextlib import suppress
from pathlib import Path

# Below `uv run` Ray would copy the working folder and start each of its processes with another `uv run` there. They are
# started with the interpreter that runs this one.
UV_VARIABLE = "RAY_ENABLE_UV_RUN_RUNTIME_ENV"
if os.environ.setdefault(UV_VARIABLE, "0") == "0" and "ray" in sys.modules:
    sys.modules["ray._private.ray_constants"].RAY_ENABLE_UV_RUN_RUNTIME_ENV = False  # type: ignore[attr-defined]


def _home() -> Path | None:
    with suppress(RuntimeError):
        return Path.home()
    return None


if _home() is None:  # no HOME and no passwd entry for this user id: Ray could not be imported
    os.environ["HOME"] = "/"
