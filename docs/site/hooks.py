"""What MkDocs does not do by itself: pages of files outside docs/, and folders in the navigation.

A page may link to any file of the repository, as on a forge (`../reports/gpu/README.md`). What is linked becomes
a part of the site below `repository/`: Markdown and source text as pages, all else as it is. Whatever such a page links
to follows.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.plugins.raysl")
DOCS, OUTSIDE = "docs", "repository"
SOURCE = {".py": "python", ".yaml": "yaml", ".sh": "bash", ".toml": "toml", ".cff": "yaml", ".txt": "text"}
"""Shown as pages, since browsers would save them; by their languages."""
LINK = re.compile(r"(\]\()([^)\s]+)(?=[\s)])|(<(?:img|a)\s[^>]*?(?:src|href)=\")([^\"]+)(?=\")")
CODE = re.compile(r"^( *)(```+).*?^\1\2`*\s*?$|(`+)(?!`).+?(?<!`)\3(?!`)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """An entry of the navigation that ends with a slash stands for the pages of that folder, `index.md` first."""
    config.nav = _opened(config.nav or [], Path(config.docs_dir))
    return config


def _opened(nav: Any, docs: Path) -> Any:
    if isinstance(nav, list):
        opened = [_opened(entry, docs) for entry in nav]
        return [part for entry in opened for part in (entry if isinstance(entry, list) else [entry])]
    if isinstance(nav, dict):
        return {title: _opened(entry, docs) for title, entry in nav.items()}
    if not str(nav).endswith("/"):
        return nav
    pages = sorted((docs / nav).glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
    if not pages:
        log.warning("mkdocs.yml: the navigation names %s, where there is no page", nav)
    return [page.relative_to(docs).as_posix() for page in pages]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what pages link to outside docs/."""
    root = _root(config)
    waiting = [f"{DOCS}/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        for link, path in _targets(page, (root / page).read_text(encoding="utf-8")):
            if path in seen or path.startswith(f"{DOCS}/"):
                continue
            seen.add(path)
            if not (root / path).is_file():
                log.warning("%s: links to %s, and there is no file %s", page, link, path)
                continue
            files.append(_file(path, config))
            if path.endswith(".md"):
                waiting.append(path)
    return files


def _root(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent


def _file(path: str, config: MkDocsConfig) -> File:
    """The part of the site that shows a file of the repository."""
    language = SOURCE.get(Path(path).suffix)
    if language is None:
        file = File.generated(config, _uri(path), abs_src_path=str(_root(config) / path))
    else:
        text = (_root(config) / path).read_text(encoding="utf-8")
        file = File.generated(config, _uri(path), content=f"# {path}\n\n````{language}\n{text}\n````\n")
    file.inclusion = InclusionLevel.NOT_IN_NAV
    return file


def _uri(path: str) -> str:
    """Where MkDocs finds a file of the repository, which is given by its path from the repository's root."""
    if path.startswith(f"{DOCS}/"):
        return path.removeprefix(f"{DOCS}/")
    return f"{OUTSIDE}/{path}" + (".md" if Path(path).suffix in SOURCE else "")


def _path(uri: str) -> str:
    """The other way round, of a page that is Markdown in the repository."""
    return uri.removeprefix(f"{OUTSIDE}/") if uri.startswith(f"{OUTSIDE}/") else f"{DOCS}/{uri}"


def _links(markdown: str) -> Iterator[re.Match[str]]:
    """The relative links of a page; not those within code."""
    code = [match.span() for match in CODE.finditer(markdown)]
    for match in LINK.finditer(markdown):
        inside = any(start <= match.start() < end for start, end in code)
        if not inside and not re.match(r"[a-z]+:|[#/]", match[2] or match[4]):
            yield match


def _targets(page: str, markdown: str) -> Iterator[tuple[str, str]]:
    """Each relative link of a page with the path, from the repository's root, that it leads to."""
    for match in _links(markdown):
        link = (match[2] or match[4]).partition("#")[0]
        yield link, posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links lead to where the site has what they lead to in the repository."""
    uri = page.file.src_uri
    if uri.startswith(f"{OUTSIDE}/"):
        page.meta["search"] = {"exclude": True}
        if Path(uri.removesuffix(".md")).suffix in SOURCE:
            return markdown
    parts: list[str] = []
    end = 0
    targets: Sequence[tuple[str, str]] = list(_targets(_path(uri), markdown))
    for match, (link, path) in zip(_links(markdown), targets, strict=True):
        fragment = (match[2] or match[4]).removeprefix(link)
        there = posixpath.relpath(_uri(path), posixpath.dirname(uri) or ".")
        if match[4]:  # MkDocs leaves HTML alone, so the address is that of the page itself
            known = files.get_file_from_path(_uri(path))
            if known is None:
                log.warning("%s: links to %s, which the site does not have", _path(uri), link)
                continue
            there = known.url_relative_to(page.file)
        parts += [markdown[end : match.start()], match[1] or match[3], there, fragment]
        end = match.end()
    return "".join([*parts, markdown[end:]])
