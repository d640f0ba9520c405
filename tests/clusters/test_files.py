"""Files of clusters/ against what reads them: Ray's cluster launcher, KubeRay's API, bash."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]
CLUSTERS = ROOT / "clusters"
CLOUDS = ("aws", "gcp")
FILES = sorted(CLUSTERS.iterdir())


def text(name: str) -> str:
    return (CLUSTERS / name).read_text()


def config(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text(f"{name}.yaml"))
    return loaded


@pytest.mark.parametrize("name", [*CLOUDS, "local"])
def test_ray_takes_a_launcher_file(name: str) -> None:
    written = config(name)
    schema = json.loads(Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text())
    jsonschema.validate(written, schema)
    validate_config(prepare_config(written) if name in CLOUDS else written)  # `ray start` takes the other as it is
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written, "max_worker": 1}, schema)


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_costs_its_small_head_when_nothing_runs(name: str) -> None:
    prepared = prepare_config(config(name))
    head = prepared["available_node_types"][prepared["head_node_type"]]
    (worker,) = (one for kind, one in prepared["available_node_types"].items() if kind != prepared["head_node_type"])
    assert head["resources"] == {"CPU": 0, "GPU": 0}
    assert (worker["min_workers"], head["max_workers"]) == (0, 0)
    assert worker["max_workers"] == prepared["max_workers"] > 0
    assert worker["resources"]["GPU"] == 1
    assert prepared["idle_timeout_minutes"] <= 10
    assert prepared["provider"]["cache_stopped_nodes"] is False, "stopped nodes' disks cost"
    node = worker["node_config"]
    spot = node.get("InstanceMarketOptions") or node["scheduling"]
    assert "spot" in (spot.get("MarketType"), str(spot.get("provisioningModel")).lower())
    (start,) = (line for line in prepared["head_start_ray_commands"] if "ray start" in line)
    assert "--num-cpus=0" in start


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_opens_no_port_but_ssh_and_asks_for_a_token(name: str) -> None:
    prepared = prepare_config(config(name))
    assert "security_group" not in prepared["provider"], "Ray's own lets SSH in, and nodes to one another"
    starts = [line for key in ("head", "worker") for line in prepared[f"{key}_start_ray_commands"] if "start" in line]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in line for line in starts)
    assert "/home/ubuntu/.ray/auth_token" in prepared["file_mounts"]
    hosts = re.findall(r"--dashboard-host=(\S+)", " ".join(starts))
    assert hosts == ["127.0.0.1"]


SPEC = {
    "activeDeadlineSeconds": int,
    "backoffLimit": int,
    "clusterSelector": dict,
    "deletionStrategy": dict,
    "entrypoint": str,
    "entrypointNumCpus": float,
    "entrypointNumGpus": float,
    "entrypointResources": str,
    "jobId": str,
    "managedBy": str,
    "metadata": dict,
    "rayClusterSpec": dict,
    "runtimeEnvYAML": str,
    "shutdownAfterJobFinishes": bool,
    "submissionMode": str,
    "submitterConfig": dict,
    "submitterPodTemplate": dict,
    "suspend": bool,
    "ttlSecondsAfterFinished": int,
}
CLUSTER = {
    "authOptions": dict,
    "autoscalerOptions": dict,
    "enableInTreeAutoscaling": bool,
    "headGroupSpec": dict,
    "headServiceAnnotations": dict,
    "rayVersion": str,
    "suspend": bool,
    "workerGroupSpecs": list,
}
AUTOSCALER = {
    "env": list,
    "envFrom": list,
    "idleTimeoutSeconds": int,
    "image": str,
    "imagePullPolicy": str,
    "resources": dict,
    "securityContext": dict,
    "upscalingMode": str,
    "volumeMounts": list,
}
GROUP = {"rayStartParams": dict, "template": dict}
HEAD = GROUP | {"enableIngress": bool, "headService": dict, "serviceType": str}
WORKERS = GROUP | {
    "groupName": str,
    "maxReplicas": int,
    "minReplicas": int,
    "numOfHosts": int,
    "replicas": int,
    "scaleStrategy": dict,
}
POD = {
    "containers": list,
    "nodeSelector": dict,
    "restartPolicy": str,
    "serviceAccountName": str,
    "terminationGracePeriodSeconds": int,
    "tolerations": list,
    "volumes": list,
}
CONTAINER = {"env": list, "image": str, "name": str, "ports": list, "resources": dict, "volumeMounts": list}
"""The fields of ray.io/v1 (rayjob_types.go, raycluster_types.go), and what is used of Kubernetes' core/v1."""


def check(given: Mapping[str, Any], fields: Mapping[str, type]) -> None:
    """Every key is a field of the API, with a value of its type."""
    for key, value in given.items():
        assert key in fields, key
        assert type(value) is fields[key], key


def test_the_rayjob_has_fields_of_its_api() -> None:
    job = config("kuberay-rayjob")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    check(spec, SPEC)
    cluster = spec["rayClusterSpec"]
    check(cluster, CLUSTER)
    check(cluster["autoscalerOptions"], AUTOSCALER)
    check(cluster["headGroupSpec"], HEAD)
    for group in cluster["workerGroupSpecs"]:
        check(group, WORKERS)
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values()), "a map of strings"
        pod = group["template"]["spec"]
        check(pod, POD)
        for container in pod["containers"]:
            check(container, CONTAINER)
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounts <= {volume["name"] for volume in pod.get("volumes", [])}
            assert all(isinstance(one["value"], str) for one in container.get("env", []))


def test_the_rayjob_scales_from_nothing_asks_for_a_token_and_ends() -> None:
    spec = config("kuberay-rayjob")["spec"]
    cluster = spec["rayClusterSpec"]
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"
    (workers,) = cluster["workerGroupSpecs"]
    assert (workers["replicas"], workers["minReplicas"]) == (0, 0)
    assert "nvidia.com/gpu" in workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
    assert set(yaml.safe_load(spec["runtimeEnvYAML"])) <= {"env_vars", "working_dir", "pip"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_says_what_it_costs_and_how_to_use_it(path: Path) -> None:
    header = " ".join(line.removeprefix("#") for line in path.read_text().splitlines() if line.startswith("#"))
    for words in ("Submit:", "Watch:", "Stop:", "What it costs to leave running:", "node goes"):
        assert words in header, words
    if path.stem in (*CLOUDS, "kuberay-rayjob"):
        assert re.search(r"noted in \w+ 20\d\d; .*prices change", " ".join(header.split()))


def test_the_slurm_script_is_sound() -> None:
    script = CLUSTERS / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    checker = shutil.which("shellcheck")
    if checker is not None:
        subprocess.run([checker, script], check=True)
    options = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    first = next(line for line in script.read_text().splitlines() if line and not line.startswith("#"))
    assert first == "set -euo pipefail", "Slurm reads no option below the first command"
    assert "#SBATCH --signal=B:USR1@300" in options
