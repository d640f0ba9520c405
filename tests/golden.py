"""Writes tests/config/golden.yaml anew: ``python -m tests.golden``; read the difference before you commit it."""

from __future__ import annotations

import yaml

from raysl.config.identity import cell_id, evaluation_id
from tests.cells import GOLDEN, tiny_cell, tiny_evaluation
from tests.config.test_identity import current_defaults


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice, in the place of an anchor."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def main() -> None:
    """Ids of known cells, and the defaults of every component at its present version."""
    ids = {
        "tiny": cell_id(tiny_cell()),
        "random": cell_id(tiny_cell({"pretraining": "none"})),
        "temperature": cell_id(tiny_cell({"objective.contrastive.temperature": 0.5})),
        "linear": evaluation_id(tiny_evaluation("linear")),
        "retrieval": evaluation_id(tiny_evaluation("retrieval")),
    }
    GOLDEN.write_text(yaml.dump({"ids": ids, "defaults": current_defaults()}, Dumper=_Plain, sort_keys=True))


if __name__ == "__main__":
    main()
