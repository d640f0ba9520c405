"""Access to a Ray cluster that we start: its token and its dashboard."""

from __future__ import annotations

import os
import secrets
import tempfile
from functools import cache
from pathlib import Path

import ray
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray._private.ray_constants import DEFAULT_DASHBOARD_PORT
from ray._private.utils import get_dashboard_dependency_error

from raysl.errors import RayslError


@cache
def _own_token() -> str:
    """One per process: Ray keeps the first token that it reads."""
    return secrets.token_hex(32)


def token_variables() -> dict[str, str]:
    """A token for our own Ray, if the user has none and no home where Ray could keep a new one."""
    given = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if given or os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return {}
    file = Path.home() / ".ray" / "auth_token"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent) as probe:
            probe.write(b"0" * 64)
            probe.flush()
        kept = not file.exists() or os.access(file, os.R_OK)
    except OSError:
        kept = file.is_file() and os.access(file, os.R_OK)
    return {} if kept else {"RAY_AUTH_TOKEN": _own_token()}


def check_dashboard() -> None:
    """Refuses to start a dashboard that lacks packages: Ray would give the reason only in its log.

    Raises:
        RayslError: naming what is missing.
    """
    error = get_dashboard_dependency_error()
    if error is not None:
        raise RayslError(
            f"--dashboard: Ray's dashboard lacks packages ({error}): leave --dashboard out, or "
            f'pip install "ray[default]=={ray.__version__}"'
        )


def dashboard_line(address: str, own: bool) -> str:
    """The note about a running dashboard: its address, and how to log in.

    Args:
        own: started by this process.
    """
    line = f"Ray's dashboard: http://{address}"
    if own and not address.endswith(f":{DEFAULT_DASHBOARD_PORT}"):
        line = f"{line} (another process has port {DEFAULT_DASHBOARD_PORT})"
    if not is_token_auth_enabled():
        return line
    if own and token_variables():
        return f"{line}; it requires a token, and none can be kept below {Path.home()}: set RAY_AUTH_TOKEN to your own"
    return f"{line}; it requires the token that `ray get-auth-token` prints"
