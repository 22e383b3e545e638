"""gitlineage.model.frames: trials as tables of notebooks and data frames, with ids as text and hostile text escaped."""

import importlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlineage import Invalid, InvalidTrial, LineageStore, Task, Trial
from gitlineage.model.frames import Trials, typed


@pytest.fixture
def campaign(store: LineageStore) -> LineageStore:
    """Three trials: a baseline, a keep that came from it in a cohort, and a crash with a further column."""
    seed = store.commit({"a": b"1"}, trial=Trial(exp_id="000", status="baseline", core_metric=1.0, hypothesis="seed"))
    made = store.commit({"a": b"2"}, [seed], trial=Trial(exp_id="007", status="keep", core_metric="0.50"), cohort="gen")
    store.commit({"a": b"3"}, [made, seed], trial=Trial(exp_id="8", status="crash", extra={"lr": 0.1, "job": "0012"}))
    return store


class TestColumns:
    """What a cell is in a frame."""

    def test_ids_stay_text_and_numbers_are_numbers(self, campaign: LineageStore) -> None:
        """A numeric column and one whose cells are all numbers hold floats; ids and padded numbers stay text."""
        first, second, third = campaign.to_dicts()
        assert [row["exp_id"] for row in (first, second, third)] == ["000", "007", "8"]
        assert (second["core_metric"], third["core_metric"]) == (0.5, None)
        assert (third["lr"], first["lr"], third["job"]) == (0.1, None, "0012")
        assert list(first) == list(third)

    def test_places(self, campaign: LineageStore) -> None:
        """Each row tells its snapshot, what that came from in order, and its cohort."""
        first, second, third = campaign.to_dicts()
        oids = [campaign.resolve(name) for name in ("000", "007", "8")]
        assert [row["oid"] for row in (first, second, third)] == oids
        assert [row["parents"] for row in (first, second, third)] == [[], [oids[0]], [oids[1], oids[0]]]
        assert [row["cohort"] for row in (first, second, third)] == ["", "gen", ""]

    def test_a_column_named_like_a_place(self, store: LineageStore) -> None:
        """A column of the user's that is called as one of ours keeps its cells under a name of its own."""
        made = store.append(Trial(exp_id="000", status="keep", extra={"oid": "mine"}))
        (row,) = store.to_dicts()
        assert (row["oid"], row["oid_"]) == (made.oid, "mine")

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text("0123456789.-", max_size=6), min_size=1, max_size=5))
    def test_no_text_is_lost(self, cells: list[str]) -> None:
        """What reads as a number is the number that the text spells; else the text itself is there."""
        (found,) = [
            column for name, column in typed([Trial(extra={"x": each}) for each in cells]).items() if name == "x"
        ]
        for cell, value in zip(cells, found, strict=True):
            assert value == cell or (value is None and not cell) or (isinstance(value, float) and value == float(cell))


class TestFrames:
    """The libraries themselves."""

    @pytest.mark.extra("pandas")
    def test_pandas(self, campaign: LineageStore) -> None:
        """A frame has the same cells as the dictionaries, also without trials."""
        frame = campaign.to_pandas()
        assert frame["exp_id"].tolist() == ["000", "007", "8"]
        assert frame["core_metric"].dtype == "float64"
        assert frame.loc[frame.exp_id == "8", "parents"].iloc[0] == campaign.to_dicts()[2]["parents"]
        assert len(Trials().to_pandas()) == 0
        assert campaign.leaderboard().to_pandas()["exp_id"].tolist() == ["007"]

    @pytest.mark.extra("polars")
    def test_polars(self, campaign: LineageStore) -> None:
        """The same for polars, cell by cell."""
        assert campaign.to_polars().to_dicts() == campaign.to_dicts()
        assert Trials().to_polars().height == 0

    @pytest.mark.extra("pyarrow")
    def test_arrow(self, campaign: LineageStore) -> None:
        """The same for pyarrow, cell by cell."""
        assert campaign.to_arrow().to_pylist() == campaign.to_dicts()
        assert Trials().to_arrow().num_rows == 0

    def test_a_missing_library_says_what_to_install(
        self, campaign: LineageStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the library the error names it."""
        real = importlib.import_module

        def missing(name: str) -> object:
            if name == "pandas":
                raise ImportError("no such module")
            return real(name)

        monkeypatch.setattr("gitlineage.model.frames.import_module", missing)
        with pytest.raises(Invalid, match="pip install pandas"):
            campaign.to_pandas()


class TestNotebooks:
    """What a person sees in a notebook or a prompt."""

    def test_short_words(self, campaign: LineageStore) -> None:
        """Records say in a line what they are."""
        assert repr(campaign.trial("007")) == "Trial(007 keep core_metric=0.50)"
        snapshot = campaign.snapshot("007")
        assert repr(snapshot) == f"Snapshot({snapshot.oid[:12]} 007 from {snapshot.parents[0][:12]} 'Trial 007')"
        assert repr(campaign.cohort("gen")).startswith("Cohort(gen from ")
        assert repr(campaign) == f"LineageStore({str(campaign.root)!r})"
        assert repr(campaign.latest(3)).startswith("Trials(3: Trial(")
        assert all(len(repr(each)) < 200 for each in (snapshot, campaign.render_prompt("opt")))

    def test_print_a_prompt(self, campaign: LineageStore) -> None:
        """Printing what an agent was shown prints the prompt."""
        shown = campaign.render_prompt("opt")
        assert str(shown) == shown.rendered_prompt

    def test_length_and_iteration(self, campaign: LineageStore, open_store, tmp_path) -> None:
        """A store is as long as it has trials with a result, goes over them in order, and is true without any."""
        campaign.commit({"a": b"4"}, trial=Trial(exp_id="pending"))
        assert len(campaign) == 3
        assert [trial.exp_id for trial in campaign] == ["000", "007", "8"]
        assert open_store(tmp_path / "empty")

    def test_a_board_shows_what_ranks(self, tmp_path: Path) -> None:
        """The column of a task of one's own is in the table of its leaderboard, text of further columns is not."""
        with LineageStore(tmp_path / "own", task=Task(score_field="loss", lower_is_better=True)) as store:
            for at, score in ((b"1", 0.5), (b"2", 0.25)):
                store.commit({"a": at}, trial=Trial(score=score, extra={"who": "me"}))
            markup = store.leaderboard()._repr_html_()
        assert "<th>loss</th>" in markup and "<td>0.25</td>" in markup and "who" not in markup

    def test_tables_escape_what_trials_say(self, store: LineageStore) -> None:
        """Text of a trial adds no markup to any table."""
        hostile = "<script>alert(1)</script>\u202e&\n"
        made = store.commit(
            {"a": b"1"}, trial=Trial(exp_id="<b>", status="keep", core_metric=1, hypothesis=hostile), cohort="<i>"
        )
        shown = [
            made,
            store.trial("<b>"),
            store.cohort("<i>"),
            store.leaderboard(),
            store,
        ]
        for each in shown:
            markup = each._repr_html_()
            assert markup.startswith("<table>")
            assert not [part for part in ("<script>", "<b>", "<i>", "\u202e") if part in markup]


def test_numbers_and_moments_in_further_columns() -> None:
    """A further column takes what Python calls a number or a moment, and keeps its text."""
    from datetime import date

    trial = Trial(
        extra={"lr": 0.1, "n": 3, "ok": True, "day": date(2026, 1, 2), "at": datetime(2026, 1, 2, tzinfo=UTC)}
    )
    assert trial.extra == {"lr": "0.1", "n": "3", "ok": "True", "day": "2026-01-02", "at": "2026-01-02T00:00:00Z"}


class TestRows:
    """Rows as people write them."""

    def test_a_score_goes_to_the_column_that_the_task_ranks_by(self, open_store) -> None:
        """``score=`` is the task's column, whichever that is, and keeps its text; the judge sees it."""
        store = open_store(task=Task(score_field="accuracy", lower_is_better=False))
        store.commit({"a": b"1"}, trial=Trial(score=0.5))
        made = store.commit({"a": b"2"}, ["000"], trial={"score": "0.70", "lr": 0.1, "hypothesis": "more"})
        store.append({"score": 0.6, "parent_exp": made.exp_id})
        store.append_many([{"score": 0.1}, Trial(score=0.2)])
        store.record(made, {"score": 0.4}, replicate=True)
        assert [row.text("accuracy") for row in store] == ["0.5", "0.70", "0.6", "0.1", "0.2", "0.4"]
        assert [row.status for row in store][:3] == ["baseline", "keep", "discard"]
        assert store.trial("001").extra["lr"] == "0.1"
        assert store.best() == store.trial("001")
        assert "score" not in store.trial("001").cells()

    def test_a_score_that_the_row_contradicts(self, store: LineageStore) -> None:
        """Two numbers for one column are refused, and nothing is recorded."""
        with pytest.raises(InvalidTrial, match="score"):
            store.append(Trial(score=0.5, core_metric=0.6))
        with pytest.raises(InvalidTrial, match="score"):
            Trial(score=float("nan"))
        with pytest.raises(InvalidTrial, match="status"):
            store.commit({"a": b"1"}, trial={"status": "great"})
        assert len(store) == 0

    def test_every_method_takes_every_kind_of_id(self, campaign: LineageStore) -> None:
        """An exp id, ``exp_<id>``, ``<id>@<writer>``, ``best``, an oid, its beginning, a row and a snapshot."""
        snapshot = campaign.snapshot("007")
        ids = ["007", "exp_007", "007@alice", "best", snapshot.oid, snapshot.oid[:12], campaign.best(), snapshot]
        for each in ids:
            assert campaign.trial(each).exp_id == "007"
            assert campaign.chain_to(each).to_dicts()[-1]["exp_id"] == "007"
            assert campaign.resolve(each) == snapshot.oid
            assert campaign.snapshot(each) == snapshot
            assert [node.id for node in campaign.ancestors(each)] == [campaign.resolve("000")]
            assert [child.exp_id for child in campaign.children(each)] == ["8"]
            assert campaign.recipe_edit(each).diff()
