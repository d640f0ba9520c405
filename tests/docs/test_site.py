"""The documents as a site (mkdocs.yml, docs/site/hooks.py): built with warnings as errors, without the network."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.blocks import ROOT

pytest.importorskip("mkdocs", reason="the site is not built without mkdocs-material: pip install -e '.[docs]'")
pytestmark = pytest.mark.slow  # a second or two
QUIET = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}


def build(config: Path, to: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config), "--site-dir", str(to)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=QUIET, cwd=config.parent
    )


class Links(HTMLParser):
    """What a page of the site loads, where it leads, and which places within it have names."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.names: set[str] = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        self.names.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a":
            self.leads += [given["href"]] if "href" in given else []
        elif given.get("rel") not in {"canonical", "prev", "next"}:
            self.loads += [given[name] for name in ("src", "href") if name in given]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", to)
    assert done.returncode == 0, done.stderr
    return to


def test_every_link_leads_to_a_place_that_is_there(site: Path) -> None:
    pages = {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}
    assert {"index.html", "design.html"} <= {page.name for page in pages}
    for page, links in pages.items():
        for link in [*links.leads, *links.loads]:
            to = urlsplit(link)
            if to.scheme or to.netloc:
                continue
            target = (page.parent / unquote(to.path)).resolve() if to.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{page.relative_to(site)}: {link}"
            if to.fragment and target in pages:
                assert unquote(to.fragment) in pages[target].names | {"__top"}, f"{page.relative_to(site)}: {link}"


def test_pages_ask_nothing_of_the_network(site: Path) -> None:
    for page in site.rglob("*.html"):
        outside = [link for link in Links(page).loads if urlsplit(link).netloc]
        assert not outside, f"{page.relative_to(site)}: {outside}"
    for style in site.rglob("*.css"):
        assert "@import" not in (text := style.read_text(encoding="utf-8")), style
        assert "url(http" not in text, style


def test_what_a_page_links_to_outside_docs_is_part_of_the_site(site: Path) -> None:
    assert "Do the statistics of a report hold?" in (site / "repository/reports/statistics_hold/table.html").read_text()


SMALL = (
    "site_name: small\nplugins: []\nhooks: [HOOKS]\nnav: [index.md, folder/]\nvalidation: {links: {anchors: warn}}\n"
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The configuration of a site of two pages, one of which links to a file outside."""
    config = tmp_path / "mkdocs.yml"
    config.write_text(SMALL.replace("HOOKS", str(ROOT / "docs/site/hooks.py")))
    (tmp_path / "docs" / "folder").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "own.md").write_text("# Own\n\n[back](../docs/index.md), [code](own.py)\n")
    (tmp_path / "notes" / "own.py").write_text("x = 1\n")
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[own](../notes/own.md#own), `[not](a link)`\n")
    (tmp_path / "docs" / "folder" / "page.md").write_text(
        '# Page\n\n[own](../../notes/own.md) <a href="../index.md">x</a>\n'
    )
    return config


def test_links_out_of_docs_and_folders_in_the_navigation_are_followed(small: Path, tmp_path: Path) -> None:
    done = build(small, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    own = Links(tmp_path / "site/repository/notes/own/index.html")
    assert {"../../..", "../own.py/"} <= {link.rstrip("/") + "/" * link.endswith(".py/") for link in own.leads}
    assert "x = 1" in (tmp_path / "site/repository/notes/own.py/index.html").read_text()
    assert (tmp_path / "site/folder/page/index.html").is_file()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("[x](../notes/none.md)", "docs/index.md: links to ../notes/none.md, and there is no file notes/none.md"),
        ("[x](none.md)", "'none.md'"),
        ("[x](../notes/own.md#none)", "#none"),
        ('<img src="none.png">', "docs/index.md: links to none.png, which the site does not have"),
    ],
)
def test_a_broken_link_ends_the_build(small: Path, tmp_path: Path, page: str, said: str) -> None:
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n{page}\n")
    done = build(small, tmp_path / "site")
    assert done.returncode == 1
    assert said in done.stderr
