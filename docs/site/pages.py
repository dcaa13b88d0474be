"""The documents at the top of the repository as pages of the site, beside those of docs/.

A link that leads to no page, such as one to a source file, becomes its text.
"""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "threat-model.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "ARCHITECTURE.md": "architecture.md",
}
LINK = re.compile(r"(!?)\[([^]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


def on_files(files, config):
    for name, page in PAGES.items():
        text = links_within((ROOT / name).read_text(), ROOT)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    if page.file.src_uri in PAGES.values():
        return markdown
    return links_within(markdown, ROOT / "docs")


def links_within(text, folder):
    """Returns `text`, written in `folder`, with its links as the site has them."""

    def target(link):
        image, label, path, anchor = link.groups()
        if not path or "://" in path:
            return link[0]
        place = (folder / path).resolve().relative_to(ROOT).as_posix()
        if not (ROOT / place).exists():
            raise SystemExit(f"could not follow the link to {path}: {place} does not exist")
        page = PAGES.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else None)
        return f"{image}[{label}]({page}{anchor or ''})" if page else label

    return LINK.sub(target, text)
