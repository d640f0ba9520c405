"""Kinetics-400 (Kay et al. 2017); lists and layout: `raysl.data.catalogs.kinetics`."""

from __future__ import annotations

from raysl.config.component import Component
from raysl.data.catalogs.kinetics import KineticsOptions, KineticsReader


def build(options: KineticsOptions) -> KineticsReader:
    return KineticsReader(options, size=400)


COMPONENT = Component(kind="data set", options=KineticsOptions, build=build)
