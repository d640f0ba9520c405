"""Tiny studies as the engine is given them."""

from __future__ import annotations

from pathlib import Path

from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.engine.prepare import Prepared
from raysl.planning.manifests import manifest_key, needed_data, save_manifest
from raysl.planning.plan import Work, plan_study, unique_work
from raysl.planning.study import load_study
from raysl.results import Store
from tests.planning.studies import write_study

STUDY = """
title: "An engine test"
base: recipe
rows:
{rows}
seeds: {seeds}
evaluations: [{evaluations}]
"""


def plan(
    folder: Path, rows: dict[str, str], evaluations: str = "retrieval/synthetic", seeds: str = "[0]"
) -> list[Work]:
    """The work of a study with these rows (name to YAML mapping) on 16 + 8 rendered videos."""
    text = "\n".join(f"  {name}: {change}" for name, change in rows.items())
    path = write_study(folder, STUDY.format(rows=text, seeds=seeds, evaluations=evaluations), name="tiny")
    return unique_work(plan_study(load_study(path)))


def prepared_here(work: list[Work], store: Store, places: Places) -> Prepared:
    """What the engine's data phase gives, without Ray."""
    manifests = {}
    for data, resize in needed_data(work).values():
        manifests[manifest_key(data)] = open_source(data, places, resize=resize).manifest
        save_manifest(store, data, manifests[manifest_key(data)])
    return Prepared(manifests, {})
