"""The published tables as package data: complete, checked on load, and found by id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from raysl.errors import ConfigError
from raysl.published import architecture, architectures, paper, papers, published_table, published_tables
from raysl.published.tables import FILE, read

SMALL = """
schema_version: 1
papers:
- id: p
  title: A paper
  arxiv: '1'
  tables:
  - id: p_t1
    number: 1
    what: a table
    metric: top-1
    provenance: paper
    columns: [a, b]
    rows:
    - [x, 1.5]
    - [y, null]
  figures:
  - {id: p_f1, number: 2, what: a figure, provenance: lost, note: drawn}
architectures:
- {id: net, exact_trainable: 12}
"""


def test_everything_in_the_file_is_loaded() -> None:
    data = yaml.safe_load(FILE.read_text())
    ids = [item["id"] for origin in data["papers"] for key in ("tables", "figures") for item in origin[key]]
    assert [table.id for table in published_tables()] == ids
    assert [network.id for network in architectures()] == [item["id"] for item in data["architectures"]]
    for origin in data["papers"]:
        for item in origin["tables"]:
            table = published_table(item["id"])
            assert [list(row) for row in table.rows] == item["rows"]
            assert (list(table.columns), list(table.notes)) == (item["columns"], item.get("notes", []))
            assert (table.provenance, table.paper) == (item["provenance"], origin["id"])


def test_one_table_in_full() -> None:
    table = published_table("cvrl_t6")
    assert table.heading == "Table 6: hidden layers of the projection head"
    assert table.rows[-1] == (3, 63.8, 85.2)
    assert (table.metric, table.varied, table.fixed["batch"]) == (("top-1", "top-5"), ("hidden_layers",), 1024)
    assert paper("cvrl").arxiv == "2008.03800"


def test_what_differs_from_table_to_table() -> None:
    assert published_table("taco_t7").cross[0].value == 26.7
    assert published_table("tclr_t4").printed_gains_over_IC is not None
    assert published_table("cstp_t4").candidate_values["2"] == (0.5, 1.0)
    assert published_table("sstl_t5").rows[0][0] is None
    assert published_table("cvrl_f3").provenance is None, "said row by row"
    assert published_table("taco_f6").known[0]["value"] == 0.968
    assert published_table("taco_f6").rows == ()
    assert published_table("sstl_f1").notes[0].startswith("caption")
    assert published_table("taco_t5").fixed["contrastive_loss"] == "off", "text, as YAML 1.2 reads it"
    numbers = {result.id: result.numbers for result in paper("tclr").text_results}
    assert numbers["tclr_d5_ic_skip"] == {"change_in_linear_UCF101": -2.3}
    assert numbers["tclr_confusing"]["TCLR"] == 74.8


def test_counts_of_networks() -> None:
    network = architecture("cvrl_r3d50")
    assert (network.exact_trainable, network.exact_with_bn_stats, network.published_M) == (31672128, 31725248, 31.7)
    assert architecture("tclr_paper_r3d18").exact_trainable is None


@pytest.mark.parametrize(
    ("find", "name", "near"),
    [(published_table, "cvrl_t66", "cvrl_t6"), (architecture, "cvrl_r3d5", "cvrl_r3d50"), (paper, "cvrll", "cvrl")],
)
def test_an_unknown_id_is_an_error_with_the_nearest(find: Callable[[str], object], name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{name}' \(did you mean '{near}'\?\)"):
        find(name)


def test_papers_are_the_five() -> None:
    assert [origin.id for origin in papers()] == ["taco", "tclr", "sstl", "cstp", "cvrl"]


def written(folder: Path, text: str) -> Path:
    path = folder / "tables.yaml"
    path.write_text(text)
    return path


def test_a_small_file_is_read(tmp_path: Path) -> None:
    everything = read(written(tmp_path, SMALL))
    assert everything.papers[0].tables[0].metric == ("top-1",)
    assert everything.papers[0].figures[0].notes == ("drawn",)
    assert everything.papers[0].tables[0].own_rows == (0, 1), "all rows, where nothing is said"
    marked = read(written(tmp_path, SMALL.replace("metric: top-1", "metric: top-1\n    own: {a: [y]}")))
    assert marked.papers[0].tables[0].own_rows == (1,)


BAD = {
    "a short row": (("[y, null]", "[y]"), r"row 1 has 1 values"),
    "a column twice": (("[a, b]", "[a, a]"), r"a column is repeated"),
    "an unknown key": (("what: a table", "what: a table\n    whta: x"), r"whta.*"),
    "a missing key": (("    what: a table\n", ""), r"what"),
    "an unknown provenance": (("provenance: paper", "provenance: hearsay"), r"provenance"),
    "an id twice": (("p_f1", "p_t1"), r"the id 'p_t1' is repeated"),
    "text for a number": (("exact_trainable: 12", "exact_trainable: '12'"), r"exact_trainable"),
    "own rows by no column": (("metric: top-1", "metric: top-1\n    own: {c: [y]}"), r"own: there is no column 'c'"),
    "own rows that are none": (("metric: top-1", "metric: top-1\n    own: {a: [z]}"), r"own: no row has a 'z'"),
    "another version": (("schema_version: 1", "schema_version: 2"), r"1 is expected, not 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(case: str, tmp_path: Path) -> None:
    (old, new), message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        read(written(tmp_path, SMALL.replace(old, new)))
