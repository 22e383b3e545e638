"""Automatic exp ids with a prefix: numbered on their own, told apart from other ids, refused where they would clash."""

from pathlib import Path

import pytest
from command_line import Shell
from hypothesis import given
from hypothesis import strategies as st

from gitlineage import InvalidTrial, Trial
from gitlineage.model.trial import check_id_prefix, split_number


def keep(exp_id: str = "*") -> Trial:
    """A kept trial."""
    return Trial(exp_id=exp_id, status="keep", core_metric=1.0)


def test_numbers_of_a_prefix_are_its_own(store) -> None:
    """Plain numbers and those of other prefixes do not count; the next is the highest plus one."""
    store.append(keep("041"))
    store.ledger.repo.set_config("lineage.idPrefix", "a-")
    assert [store.append(keep()).exp_id for _ in range(2)] == ["a-000", "a-001"]
    for taken in ("a-7", "ab-90", "b-50", "a-x9", "a-", "A-99", "a-1x"):
        store.append(keep(taken))
    assert store.append(keep()).exp_id == "a-008"
    store.append(keep("a-0999"))
    assert store.append(keep()).exp_id == "a-1000"
    store.ledger.repo.set_config("lineage.idPrefix", "")
    assert store.append(keep()).exp_id == "042"


def test_after_a_rebuild_and_within_a_batch(store) -> None:
    """The index says the same when it is built anew; what waits in a batch counts."""
    store.ledger.repo.set_config("lineage.idPrefix", "n")
    with store.batch():
        made = [store.commit({"f": b"%d" % at}, trial=keep()).exp_id for at in range(3)]
        store.append(keep("n20"))
        made.append(store.append(keep()).exp_id)
    assert made == ["n000", "n001", "n002", "n021"]
    store.reindex()
    assert store.append(keep()).exp_id == "n022"


def test_a_batch_that_was_given_up_counts_for_nothing(store) -> None:
    """Its numbers are free again."""
    store.ledger.repo.set_config("lineage.idPrefix", "n")
    with pytest.raises(RuntimeError), store.batch():
        store.append(keep())
        raise RuntimeError
    assert store.append(keep()).exp_id == "n000"


def test_a_number_too_long_to_count_is_a_name(store) -> None:
    """Sixteen digits and more are no number, as without a prefix."""
    store.ledger.repo.set_config("lineage.idPrefix", "n")
    store.append(keep("n" + "9" * 16))
    assert store.append(keep()).exp_id == "n000"


@pytest.mark.parametrize("prefix", ["a-", "A", "run.", "é", "a1b", "x/", "w_"])
def test_prefixes(prefix: str) -> None:
    """Anything that an id may begin with and a person can type."""
    assert check_id_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix", ["", "a1", "9", "a٣", "-a", "a b", "a\t", "a@", "a,b", "exp_", "exp_a", "\x1b[", "x" * 200]
)
def test_prefixes_that_are_refused(prefix: str) -> None:
    """Numbers that could not be told apart, and ids that could not be typed."""
    with pytest.raises(InvalidTrial):
        check_id_prefix(prefix)


@given(st.text("ab0129-٣²", max_size=20))
def test_the_number_at_the_end(exp_id: str) -> None:
    """What is before a number and the number give the id again; only ASCII digits are a number."""
    found = split_number(exp_id)
    if found is not None:
        prefix, number = found
        assert exp_id.startswith(prefix) and int(exp_id[len(prefix) :]) == number
        assert not prefix.endswith(tuple("0123456789"))


class TestInit:
    """The command."""

    def test_a_campaign_with_disjoint_ids(self, folder: Path) -> None:
        """The prefix is kept in git's configuration, shown, and used; an empty one ends it."""
        shell = Shell(folder)
        shell.write(a="1")
        assert "a-000, a-001" in shell("init", "--id-prefix", "a-")
        assert shell.commit("-m", "x", "--metric", "1")["id"] == "a-000"
        assert "a-000" in shell("show", "a-000")
        assert "new ids" not in shell("init", "--id-prefix", "")
        assert shell.commit("-m", "x", "--metric", "1")["id"] == "000"

    def test_refused_before_anything_is_made(self, folder: Path) -> None:
        """A bad prefix makes no repository; one that was set by hand is an error of one line."""
        folder.mkdir()
        shell = Shell(folder)
        assert "digit" in shell.fails(2, "init", "--id-prefix", "a1")
        assert list(folder.iterdir()) == []
        shell("init")
        shell.write(a="1")
        with (folder / ".git" / "config").open("a") as file:
            file.write("[lineage]\n\tidPrefix = a@\n")
        assert "id prefix" in shell.fails(1, "commit", "-m", "x")
