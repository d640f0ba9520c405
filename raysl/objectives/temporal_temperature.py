"""Advice on the temperature of the temporal losses: below that of the instance loss it does harm (TCLR Table 11)."""

from __future__ import annotations

from raysl.config.cell import CellConfig
from raysl.published import published_table

TABLE = "tclr_t11"


def advise(temperature: float, cell: CellConfig) -> str | None:
    """What TCLR found where the temporal temperature is below the instance temperature; None where it is not."""
    contrastive = cell.objective.contrastive
    instance = None if contrastive is None else getattr(contrastive.options, "temperature", None)
    if instance is None or temperature >= instance:
        return None
    below, others = _published()
    return (
        "a temporal loss (objective.local_local, objective.global_local) has a temperature below that of "
        f"objective.contrastive: in TCLR's Table 11 the {len(below)} such rows reach {min(below):g} to {max(below):g}, "
        f"the others {min(others):g} to {max(others):g}"
    )


def _published() -> tuple[list[float], list[float]]:
    """Published accuracies of the rows below, and of the others."""
    below: list[float] = []
    others: list[float] = []
    for instance, temporal, accuracy in published_table(TABLE).rows:
        assert isinstance(instance, int | float)
        assert isinstance(temporal, int | float)
        assert isinstance(accuracy, int | float)
        (below if temporal < instance else others).append(float(accuracy))
    return below, others
