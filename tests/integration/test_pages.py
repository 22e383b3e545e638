"""README and docs/ do what they say: every command line and every Python block runs, and prints what is shown."""

from pathlib import Path

import pages
import pytest

RUN = [(path, place, steps) for path in pages.PAGES for place, steps in pages.steps(path).items()]


@pytest.mark.parametrize(
    ("path", "place", "steps"), [pytest.param(*each, id=f"{each[0].stem} {each[1]}".strip()) for each in RUN]
)
def test_what_a_page_shows(tmp_path: Path, path: Path, place: str, steps: list[pages.Step]) -> None:
    """Each command ends well, unless the page shows its error, and prints what the page shows."""
    wrong = []
    for step, (code, said) in zip(steps, pages.run(steps, place, tmp_path), strict=True):
        refused = any(line.startswith("error: ") for line in step.shown)
        if bool(code) != refused or (step.shown and not pages.matches(step.shown, said)):
            wrong.append("\n".join((f"{step.where}: {step.command} ended with {code} and printed", *said)))
    assert not wrong, "\n\n".join(wrong)


def test_few_blocks_are_not_run() -> None:
    """Only those of ``sh`` hold commands and are not run, and few of these are there."""
    apart = {"": 0, "console": 0, "python": 0, "text": 0, "json": 0, "sh": 0, "toctree": 0, "toml": 0, "yaml": 0}
    for path in pages.PAGES:
        for block in pages.blocks(path):
            assert block.language in apart, f"{path.name}:{block.line}: a block of {block.language}"
            apart[block.language] += 1
            commands = [line for line in block.text.splitlines() if line.startswith("$ ")]
            assert not commands or block.language == "console", f"{path.name}:{block.line}"
    assert apart["sh"] <= 6 < apart["console"]


def test_a_wrong_output_is_noticed(tmp_path: Path) -> None:
    """What is compared is what is printed: another word, a missing line and one too many are found."""
    (said,) = pages.run([pages.Step("", "printf 'one 0a1b2c3d\\ntwo\\nthree\\n'", [])], "", tmp_path)
    assert said == (0, ["one 0a1b2c3d", "two", "three"])
    for right in (["one ffffffff", "two", "three"], ["...", "three"], ["one...", "...", "three"], ["..."]):
        assert pages.matches(right, said[1]), right
    for wrong in (["one 0a1b2c3d", "two"], ["three"], ["...", "four"], ["...", "three", "x"]):
        assert not pages.matches(wrong, said[1]), wrong
