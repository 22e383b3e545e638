"""The site that docs/ is: it is built without a warning, and every link in it leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from places import ROOT


@pytest.mark.extra("sphinx", "myst_nb", "furo")
def test_the_site(tmp_path: Path) -> None:
    """Warnings are errors; links from page to page and their anchors exist in what was built."""
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(tmp_path / "trees")]
    site = tmp_path / "site"
    done = subprocess.run([*words, str(ROOT / "docs"), str(site)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = {path: path.read_text() for path in site.rglob("*.html")}
    broken = []
    for path, html in text.items():
        for link in re.findall(r'href="([^":?]+)"', html):
            name, _, anchor = unquote(link).partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (anchor and target in text and f'id="{anchor}"' not in text[target]):
                broken.append(f"{path.name}: {link}")
    assert not broken
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= {path.stem for path in text}
    assert "<th>loss</th>" in text[site / "notebook.html"], "the notebook's cells ran"


def test_links_in_the_repository() -> None:
    """A link from one Markdown file to a file of the repository leads to one that is there."""
    broken = []
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", path.read_text(), flags=re.S)):
            if not (path.parent / link).exists():
                broken.append(f"{path.name}: {link}")
    assert not broken
