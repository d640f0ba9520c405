"""``docs/fidelity.md``: what raysl's recipe of each paper has as printed, as released, inferred, ours, or not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from raysl.planning.coverage import Coverage, Entry
from raysl.planning.fidelity import RecipeFidelity, State
from raysl.published import Setting, Value, paper, published_table, recipe_settings, setting_variants

INTRODUCTION = """# How near raysl is to each paper

Written by `raysl fidelity`; a test holds it to what that gives. Not to be edited: settings and their sources are in
`raysl/published/settings.yaml`, recipes in `search_spaces/recipes/`, and why some tables are not computed in
`raysl/published/uncovered.yaml`.

A paper's recipe, `recipes/NAME`, is the paper as it is printed; its tables' studies go by it. Each of its settings, of
pretraining and of evaluations, stands below once, with the value that the recipe has:

- **as printed**: the paper says so;
- **as released**: the paper does not say; its released code does, or closely related public code;
- **inferred**: from the two: an equation, a distribution, a word that the text does not print;
- **ours**: said nowhere that could be reached. Whoever knows better changes one line;
- **in a study**: printed of some rows alone, which a study has;
- **not there**: no option says it.

Under *printed otherwise* are those of them in which the recipe departs from the print all the same, with the reason.
Where the released code differs from the text, `recipes/NAME_released` is the code; where the print, taken at its word,
works against what the text wants, and no code was released, `recipes/NAME_amended` says what is changed, and its file
why. `search_spaces/NAME/variants.yaml` has both side by side. Options that are not listed have raysl's defaults.

A setting as printed is no number as printed: nothing was run by us at the papers' size.
"""
HEADINGS: dict[State, str] = {
    "printed": "As printed",
    "code": "As released",
    "inferred": "Inferred",
    "ours": "Ours",
    "elsewhere": "In a study",
    "absent": "Not there",
}


def fidelity_page(recipes: Sequence[RecipeFidelity], coverage: Coverage) -> str:
    """The page as Markdown: counts, then each paper's settings, variants, and tables.

    Args:
        recipes: as `raysl.planning.fidelity.fidelity` finds them.
        coverage: of all shipped studies.
    """
    blocks = [INTRODUCTION, _counts(recipes, coverage)]
    for recipe in recipes:
        blocks += _paper(recipe, _entries(coverage, recipe.recipe))
    return "\n".join(blocks)


def _counts(recipes: Sequence[RecipeFidelity], coverage: Coverage) -> str:
    """A line for each paper, and the sum."""
    headings = ["paper", "settings", *(heading.lower() for heading in HEADINGS.values()), "printed otherwise"]
    headings += ["tables and figures computed", "own rows computed"]
    counted = []
    for recipe in recipes:
        entries = _entries(coverage, recipe.recipe)
        states = [len(recipe.of(state)) for state in HEADINGS]
        counted.append([len(recipe.standings), *states, len(recipe.printed_otherwise), *_computed(entries)])
    rows = [[_short(recipe), *map(str, counts)] for recipe, counts in zip(recipes, _shares(counted), strict=True)]
    total = _shares([[sum(column) for column in zip(*counted, strict=True)]])[0]
    return "\n".join(["## Counts\n", *_table([*headings], [*rows, ["all", *total]]), ""])


def _shares(counted: list[list[int]]) -> list[list[str]]:
    """The last four numbers of each line as two shares."""
    return [[*map(str, line[:-4]), f"{line[-4]} of {line[-3]}", f"{line[-2]} of {line[-1]}"] for line in counted]


def _computed(entries: Sequence[Entry]) -> list[int]:
    """Tables with something that a study computes, and all; rows that one computes, and all.

    Of those with results: a network layer by layer has none (`raysl.planning.coverage.coverage_lines`).
    """
    entries = [entry for entry in entries if entry.table.kind != "architecture"]
    tables = {entry.table.id for entry in entries}
    computed = {entry.table.id for entry in entries if entry.studies}
    rows = [bool(entry.studies) for entry in entries if entry.row is not None and entry.own]
    return [len(computed), len(tables), sum(rows), len(rows)]


def _paper(recipe: RecipeFidelity, entries: Sequence[Entry]) -> list[str]:
    found = paper(recipe.recipe)
    where = f"arXiv:{found.arxiv}" if found.arxiv else f"OpenReview {found.openreview}"
    blocks = [f"## {_short(recipe)}\n", f"{found.title}, {where}. `search_spaces/recipes/{recipe.recipe}.yaml`.\n"]
    for state, heading in HEADINGS.items():
        if settings := recipe.of(state):
            blocks += [f"### {_short(recipe)}: {heading.lower()} ({len(settings)})\n", *_settings(settings, state), ""]
    if otherwise := recipe.printed_otherwise:
        blocks += [f"### {_short(recipe)}: printed otherwise ({len(otherwise)})\n"]
        lines = [[_key(one), _value(one.printed), _value(one.value), one.source, one.note] for one in otherwise]
        blocks += [*_table(["setting", "printed", "here", "source", "note"], lines), ""]
    for variant in recipe.variants:
        blocks += _variant(recipe, variant)
    return [*blocks, *_tables(recipe, entries)]


def _settings(settings: Iterable[Setting], state: State) -> list[str]:
    if state == "elsewhere":
        lines = [[_key(one), _value(one.value), one.elsewhere, one.source, one.note] for one in settings]
        return _table(["setting", "value", "where", "source", "note"], lines)
    return _table(
        ["setting", "value", "source", "note"],
        [[_key(one), _value(one.value), one.source, one.note] for one in settings],
    )


def _variant(recipe: RecipeFidelity, name: str) -> list[str]:
    variant = setting_variants()[name]
    base = {setting.path: setting.value for setting in recipe_settings(recipe.recipe)}
    lines = [
        [_key(one), _value(base[one.path]) if one.path in base else "–", _value(one.value), _mark(one), one.source]
        for one in variant.settings
    ]
    lines += [[f"`{path}`", _value(base[path]), "–", "", "does not apply"] for path in variant.without]
    heading = f"### recipes/{name}: what differs from recipes/{recipe.recipe} ({len(lines)})\n"
    return [heading, *_table(["setting", recipe.recipe, name, "mark", "source"], lines), ""]


def _tables(recipe: RecipeFidelity, entries: Sequence[Entry]) -> list[str]:
    """A line for each table and figure, with the reason if it is not computed."""
    lines = []
    for table_id in dict.fromkeys(entry.table.id for entry in entries):
        own = [entry for entry in entries if entry.table.id == table_id]
        computed = [entry for entry in own if entry.studies]
        theirs = [entry for entry in own if entry.own]
        rows = (
            f"{len([entry for entry in theirs if entry.studies])} of {len(theirs)}"
            if own[0].row is not None
            else ("all" if computed else "none")
        )
        studies = list(dict.fromkeys(study for entry in computed for study in entry.studies))
        reasons = list(dict.fromkeys(entry.reason for entry in own if not entry.studies and entry.reason))
        lines.append([published_table(table_id).heading, rows, ", ".join(studies) or "–", "; ".join(reasons)])
    headings = ["table or figure", "own rows computed", "by", "of the rest"]
    return [f"### {_short(recipe)}: tables and figures\n", *_table(headings, lines), ""]


def _entries(coverage: Coverage, recipe: str) -> list[Entry]:
    return [entry for entry in coverage.entries if entry.table.paper == recipe]


def _short(recipe: RecipeFidelity) -> str:
    return {"taco": "TaCo"}.get(recipe.recipe, recipe.recipe.upper())


def _key(setting: Setting) -> str:
    return f"`{setting.path}`"


def _mark(setting: Setting) -> str:
    return HEADINGS[setting.mark].lower()


def _value(value: Value | tuple[Value, ...]) -> str:
    """A value in a recipe's notation."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    written = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    ruled = [list(headings), ["---"] * len(headings), *written]
    return [f"| {' | '.join(line)} |" for line in ruled]
