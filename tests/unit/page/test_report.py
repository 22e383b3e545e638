"""gitlineage.page: what is in the file, that nothing else is, and that libraries are those that are pinned."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from gitlineage import LineageStore, NotFound, Task, Trial
from gitlineage.page import columns as columns_module
from gitlineage.page.contents import Texts
from gitlineage.page.report import report

PAGE = ROOT / "gitlineage" / "page"


def block(html: str, name: str) -> str:
    """Return a data block's text."""
    return re.search(rf'<script type="application/octet-stream" id="{name}">([^<]*)</script>', html)[1]


def unpacked(html: str, name: str) -> dict:
    """Return a data block's value."""
    return json.loads(gzip.decompress(base64.b64decode(block(html, name))))


def embedded(html: str) -> dict:
    """Return the trials of a report: what its first picture needs and the rest."""
    first, rest = unpacked(html, "rows"), unpacked(html, "rest")
    return {**first, **rest, "cells": {**first["cells"], **rest["cells"]}}


def digest(text: str, kind: str = "sha256") -> str:
    """Return a digest as a policy spells it."""
    return f"{kind}-{base64.b64encode(hashlib.new(kind, text.encode()).digest()).decode()}"


@pytest.fixture
def campaign(store: LineageStore) -> LineageStore:
    """A line of four, one of them with a binary and one in a cohort."""
    store.set_task(Task(score_field="core_metric"))
    last: list[str] = []
    for at in range(4):
        files = {
            "train.py": f"import a\nlr = {at}\nend\n".encode(),
            "same.txt": b"same",
            f"new{at}": b"\0\1" if at == 2 else b"x",
        }
        trial = Trial(
            status="keep" if at else "baseline", core_metric=f"{1.0 - at / 10:.2f}", hypothesis=f"idea {'abcd'[at]}"
        )
        last = [store.commit(files, last, trial=trial, cohort="gen" if at == 3 else None).exp_id]
    return store


def test_the_policy_allows_the_scripts_and_styles_of_the_file_alone(campaign: LineageStore) -> None:
    """Every script and style has its digest in the policy; no connection, no other source, no inline handler."""
    html = report(campaign).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    style, script = gzip.decompress(base64.b64decode(block(html, "app"))).decode().split("\0")
    (loader,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert "<style" not in html
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts == {
        "default-src": "'none'",
        "script-src": f"'{digest(loader)}' '{digest(script)}'",
        "style-src": f"'{digest(style)}'",
        "img-src": "data:",
        "connect-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not re.search(r"""\b(src|href)=["'](?!data:,")""", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))


def test_no_text_becomes_html() -> None:
    """The page's own scripts have no way from a text to HTML or code, and no address but those of the page."""
    for path in sorted((PAGE / "app").glob("*.js")):
        text = path.read_text()
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "srcdoc",
            "DOMParser",
        ):
            assert word not in text, f"{path.name}: {word}"
        assert set(re.findall(r"https?://[^\"' ]+", text)) <= {"http://www.w3.org/2000/svg"}, path.name


def test_libraries_are_what_is_pinned() -> None:
    """Each vendored file has the digest that its pin says, and each library comes with its licence."""
    vendor = PAGE / "vendor"
    pins = json.loads((vendor / "pins.json").read_text())
    named = {}
    for package in pins:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"]) and package["archive"].startswith("sha512-")
        assert any(name.endswith(".LICENSE") for name in package["files"])
        named |= {name: parts["digest"] for name, parts in package["files"].items()}
    assert {path.name for path in vendor.iterdir()} - {"pins.json"} == set(named)
    for name, wanted in named.items():
        assert digest((vendor / name).read_text(), "sha512") == wanted, name


def test_the_same_store_gives_the_same_bytes(campaign: LineageStore) -> None:
    """A report is a function of the store and the words it was called with."""
    assert report(campaign, made="x") == report(campaign, made="x")


def test_every_cell_is_there_as_it_is(campaign: LineageStore) -> None:
    """Texts are the rows' own, numbers as they were spelled."""
    rows = embedded(report(campaign).decode())
    assert rows["cells"]["core_metric"] == ["1.00", "0.90", "0.80", "0.70"]
    assert rows["cells"]["hypothesis"] == ["idea a", "idea b", "idea c", "idea d"]
    assert (rows["best"], rows["parents"], rows["n"]) == (3, [0, 1, 1, 1], 4)
    assert rows["label"] == {"prefix": "", "first": 0, "digits": 3}


def test_files_come_back(campaign: LineageStore) -> None:
    """From runs of lines and differences of trees every file that differs anywhere is what git has."""
    found = unpacked(report(campaign).decode(), "files")

    def tree(at: int) -> dict[str, object]:
        above, changes = found["trees"][str(at)]
        known = tree(above) if above >= 0 else {found["paths"][path]: file for path, file in found["base"]}
        for path, file in changes:
            known.pop(found["paths"][path], None)
            if file >= 0:
                known[found["paths"][path]] = file
        return known

    for at in range(4):
        texts = {}
        for path, file in tree(at).items():
            runs = found["files"][file]
            lines = (
                [
                    line
                    for first, count in zip(runs[::2], runs[1::2], strict=True)
                    for line in found["lines"][first : first + count]
                ]
                if isinstance(runs, list)
                else runs
            )
            texts[path] = "\n".join(lines).encode() if isinstance(runs, list) else lines
        wanted = {path: data for path, data in campaign.files(f"{at:03d}").items() if path != "same.txt"}
        if at == 2:
            wanted["new2"] = "binary, 2 bytes"
        assert texts == wanted, at


@given(st.lists(st.text("ab\n\r\x0b ", max_size=12), max_size=6))
def test_lines_are_kept_once(texts: list[str]) -> None:
    """Whatever a text holds, its runs give it back, and no line is there twice."""
    store = Texts(1 << 20)
    runs = [store.add(text) for text in texts]
    lines = list(store.lines)
    assert len(set(lines)) == len(lines)
    for text, run in zip(texts, runs, strict=True):
        found = [
            line for first, count in zip(run[::2], run[1::2], strict=True) for line in lines[first : first + count]
        ]
        assert "\n".join(found) == text


def test_what_is_left_out_is_counted(campaign: LineageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A size that holds no file, a choice of trials, and texts beyond the room there is are counted in the file."""
    html = report(campaign, max_size=0).decode()
    assert unpacked(html, "files")["trees"] == {} and unpacked(html, "rows")["without"] == 4
    small = unpacked(report(campaign, since="002").decode(), "rows")
    assert (small["n"], small["left"]) == (2, 2)
    assert unpacked(report(campaign, cohort="gen").decode(), "rows")["n"] == 2
    assert unpacked(report(campaign, ancestors="001").decode(), "rows")["n"] == 2
    with pytest.raises(NotFound, match="nope"):
        report(campaign, cohort="nope")
    monkeypatch.setattr(columns_module, "MAX_TEXT", 10)
    texts = {"hypothesis": ["a" * 60, "b" * 60], "notes": ["c" * 50, ""]}
    assert columns_module._cut(texts, 2, [0]) == 1
    assert texts == {"hypothesis": ["a" * 60, "b" * 40 + "…"], "notes": ["c" * 50, ""]}


def test_the_wheel_has_it_all() -> None:
    """The page's parts lie in the package, so that a wheel has them."""
    for name in ("app/page.html", "app/page.css", "app/main.js", "vendor/uplot.js"):
        assert (Path(columns_module.__file__).parent / name).is_file()
