"""gitlineage.git.repository: objects as git makes them, refs by compare-and-swap, and foreign errors as ours."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gitlineage
from gitlineage import Ambiguous, LineageError, RepositoryError, StorageError, UnsupportedRepository
from gitlineage.git.formats import (
    FILE,
    LINK,
    PROGRAM,
    SUBMODULE,
    TREE,
    Entry,
    Identity,
    format_tree,
    parse_tree,
)
from gitlineage.git.repository import GitRepo, find_repository, init_repository

PACKAGE = Path(gitlineage.__file__).resolve().parents[1]
WHO = Identity("Ann Ä", "ann@example.org")
MOMENT = datetime(2026, 1, 1, 12, 30, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
REF = "refs/notes/lineage/alice"


@pytest.fixture
def repo(folder) -> GitRepo:
    """A fresh repository."""
    init_repository(folder)
    return GitRepo(folder)


def commits(repo: GitRepo, count: int) -> list[str]:
    """Some commits that nothing points at."""
    return [repo.write_commit(repo.empty_tree(), [], f"c{at}\n", WHO, MOMENT) for at in range(count)]


# -- objects -----------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and not name.lower().startswith((".git", "git~"))
)
entries = st.builds(
    Entry, st.sampled_from([FILE, PROGRAM, LINK, TREE, SUBMODULE]), st.binary(min_size=20, max_size=20).map(bytes.hex)
)


@given(st.dictionaries(names, entries, max_size=8))
@settings(max_examples=200, deadline=None, database=None)
def test_a_tree_comes_back(content):
    """Any entries, written as git writes them and read again."""
    raw = format_tree(content)
    assert parse_tree(raw) == content
    assert format_tree(parse_tree(raw)) == raw


def test_a_tree_is_what_git_mktree_makes(repo, git):
    """Sorted as git sorts: a folder as if its name ended in a slash; bytes that are no UTF-8 too."""
    blob = repo.write_blob(b"x")
    folder = repo.write_tree({"x": Entry(FILE, blob)})
    content = {name: Entry(FILE, blob) for name in ("a.b", "a-b", "ab", "a0", "é", "caf\udce9", "Z", " ")}
    content |= {
        "a": Entry(TREE, folder),
        "run": Entry(PROGRAM, blob),
        "l": Entry(LINK, blob),
        "s": Entry(SUBMODULE, "ab" * 20),
    }
    kinds = {TREE: "tree", SUBMODULE: "commit"}
    lines = [
        b"%06o %s %s\t%s" % (e.mode, kinds.get(e.mode, "blob").encode(), e.oid.encode(), os.fsencode(name))
        for name, e in content.items()
    ]
    made = git("mktree", "-z", "--missing", data=b"\0".join(lines))
    assert repo.write_tree(content) == made
    assert repo.read_tree(made) == content


def test_walking_a_tree_gives_gits_order(repo, git):
    """Every file with its path, as ls-tree -r lists them."""
    blob = Entry(FILE, repo.write_blob(b"x"))
    deep = Entry(TREE, repo.write_tree({"y": blob, "x": blob}))
    tree = repo.write_tree({"b": Entry(TREE, repo.write_tree({"c": deep, "c.txt": blob})), "a": blob, "b.txt": blob})
    listed = git("ls-tree", "-r", "--name-only", tree).split("\n")
    assert sorted(path for path, _ in repo.walk_tree(tree)) == sorted(listed)


@pytest.mark.parametrize(
    "moment", [MOMENT, datetime(2026, 6, 1, tzinfo=UTC), datetime(1970, 1, 1), datetime(2038, 2, 1, tzinfo=UTC)]
)
@pytest.mark.parametrize("message", ["one\n", "one\n\ntwo\n\nKey: värde\n", "no newline", "\n"])
def test_a_commit_is_what_git_commit_tree_makes(repo, git, moment, message):
    """The same oid as git's own plumbing with the same people, dates and message."""
    tree = repo.write_tree({"f": Entry(FILE, repo.write_blob(b"x"))})
    parents = commits(repo, 2)
    ours = repo.write_commit(tree, parents, message, WHO, moment)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    date = f"@{int(aware.timestamp())} {aware.strftime('%z')}"
    people = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", WHO.name), ("EMAIL", WHO.mail), ("DATE", date))
    }
    words = [part for parent in parents for part in ("-p", parent)]
    theirs = git("commit-tree", tree, *words, data=message, env=people)
    if message != "no newline":
        assert ours == theirs
    found = repo.commit(ours)
    assert (found.tree, found.parents, found.message) == (tree, tuple(parents), message)
    assert found.time == aware.astimezone(UTC)
    assert found.author == "Ann Ä <ann@example.org>"
    assert repo.parents(ours) == tuple(parents)
    git("fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize(
    "who",
    [("", ""), ("<>", "<>"), ("a\nb", "c\nd"), ("Ann <x>", "a b@c"), (" . ", " "), ("é" * 100, "é@é"), ("a\0b", "\0")],
)
@pytest.mark.parametrize(
    "moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), datetime(1969, 12, 31)]
)
def test_any_person_and_time_makes_a_sound_commit(repo, git, who, moment):
    """Names that git has no place for and times before its first second never make a broken object."""
    oid = repo.write_commit(repo.empty_tree(), [], "x\n", Identity(*who), moment)
    repo.set_ref("refs/heads/x", oid)
    git("fsck", "--strict", "--no-dangling")
    assert git("log", "-1", "--format=%an%ae", oid)
    assert repo.commit(oid).time.year >= 1970


def test_commits_that_git_made_are_read_whole(repo, git):
    """Signed commits, other encodings, merges and empty messages: parents, tree and text are git's."""
    tree = git("mktree", data="")
    first = git("commit-tree", tree, data="")
    odd = (
        f"tree {tree}\nparent {first}\nauthor  <> 0 +0000\ncommitter C O <c@d> 1700000000 -0330\nencoding ISO-8859-1\n"
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n tree 0000\n parent 1111\n author X <x> 1 +0000\n"
        " -----END PGP SIGNATURE-----\n"
    )
    second = git(
        "hash-object", "-w", "-t", "commit", "--literally", "--stdin", data=odd.encode() + b"\ncaf\xe9\n\nparent x\n"
    )
    found = repo.commit(second)
    assert (found.tree, found.parents) == (tree, (first,))
    assert found.message.startswith("caf")
    assert repo.commit(first).message == ""
    assert repo.commit(first).parents == ()


def test_a_missing_object_or_another_kind_is_an_error_of_ours(repo, git):
    """Every reader raises RepositoryError and names the object."""
    blob, missing = repo.write_blob(b"x"), "ab" * 20
    for call in (repo.read, repo.read_tree, repo.commit, repo.size):
        with pytest.raises(RepositoryError, match=missing):
            call(missing)
    for oid in (blob, repo.empty_tree()):
        with pytest.raises(RepositoryError, match="not a commit"):
            repo.commit(oid)
        assert repo.parents(oid) == ()
    assert repo.parents(missing) == ()
    assert repo.exists(blob)
    assert not repo.exists(missing)
    assert (repo.size(blob), repo.read(blob)) == (1, b"x")
    with pytest.raises(LineageError):
        repo.read_tree(blob)


def test_objects_that_another_program_packed_or_made_are_seen(repo, git):
    """An open repository sees new loose objects, new packs, and survives that old packs go away."""
    mine = commits(repo, 3)
    git("update-ref", "refs/heads/x", mine[0])
    fresh = git("commit-tree", git("mktree", data=""), "-m", "later")
    assert repo.exists(fresh)
    git("update-ref", "refs/heads/y", fresh)
    for _ in range(3):
        git("gc", "--prune=now", "--quiet")
        assert repo.commit(fresh).message == "later\n"
        assert repo.exists(mine[0])
        fresh = git("commit-tree", git("mktree", data=""), "-p", fresh, "-m", "later")
        git("update-ref", "refs/heads/y", fresh)
        assert repo.parents(fresh)


# -- packs -------------------------------------------------------------------------------------------------


def test_what_is_written_while_packing_is_one_sound_pack(repo, git, folder):
    """Nothing is on disk before a ref moves; then one pack that git verifies, without a keep file."""
    with repo.packing():
        blob = repo.write_blob(b"x" * 100_000)
        others = [repo.write_blob(b"%d" % at) for at in range(300)]
        tree = repo.write_tree({f"{at:03d}": Entry(FILE, oid) for at, oid in enumerate([blob, *others])})
        commit = repo.write_commit(tree, [], "x\n", WHO, MOMENT)
        assert repo.read(blob) == b"x" * 100_000
        assert repo.commit(commit).tree == tree
        assert git("count-objects", "-v").split("\n")[0] == "count: 0"
        assert repo.move_ref(REF, commit, None)
    packs = sorted(path.suffix for path in (folder / ".git" / "objects" / "pack").iterdir())
    assert packs == [".idx", ".pack"]
    (index,) = (folder / ".git" / "objects" / "pack").glob("*.idx")
    assert f"{commit} commit" in git("verify-pack", "-v", str(index))
    git("fsck", "--strict", "--full", "--no-dangling")
    assert git("rev-parse", REF) == commit
    assert len(git("ls-tree", "-r", commit).split("\n")) == 301


def test_what_was_dropped_while_packing_leaves_nothing(repo, git, folder):
    """An exception before the ref moves: no object, no pack, no scratch file."""
    with pytest.raises(ZeroDivisionError), repo.packing():
        oid = repo.write_blob(b"dropped")
        _ = 1 / 0
    assert not repo.exists(oid)
    with pytest.raises(RepositoryError):
        repo.read(oid)
    assert git("cat-file", "--batch-all-objects", "--batch-check") == ""
    assert [path for path in (folder / ".git" / "objects").rglob("*") if path.is_file()] == []


@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=30))
@settings(max_examples=15, deadline=None, database=None)
def test_a_pack_of_any_objects_is_read_by_git(tmp_path_factory, blobs):
    """Sizes around every boundary of the format; git reads back the very bytes."""
    place = tmp_path_factory.mktemp("pack")
    init_repository(place, bare=True)
    repo = GitRepo(place)
    with repo.packing():
        oids = [repo.write_blob(data) for data in blobs]
        tree = repo.write_tree({f"{at}": Entry(FILE, oid) for at, oid in enumerate(oids)})
        repo.move_ref(REF, repo.write_commit(tree, [], "x\n", WHO, MOMENT), None)

    def git(*words: str, data: bytes = b"") -> bytes:
        return subprocess.run(["git", *words], cwd=place, input=data, capture_output=True, check=True).stdout

    git("fsck", "--strict", "--full", "--no-dangling")
    out = git("cat-file", "--batch", data="".join(f"{oid}\n" for oid in oids).encode())
    expected = b"".join(
        b"%s blob %d\n%s\n" % (oid.encode(), len(data), data) for oid, data in zip(oids, blobs, strict=True)
    )
    assert out == expected
    assert [GitRepo(place).read(oid) for oid in oids] == blobs


@pytest.mark.parametrize("size", [0, 15, 16, 2047, 2048, 262_143, 262_144, 33_600_000])
def test_object_sizes_at_the_edges_of_the_pack_format(repo, git, size):
    """A size takes four bits, then seven a byte; a large object gets a pack of its own."""
    data = os.urandom(size)
    with repo.packing():
        oid = repo.write_blob(data)
        small = repo.write_blob(b"beside")
        tree = repo.write_tree({"f": Entry(FILE, oid), "g": Entry(FILE, small)})
        assert repo.read(oid) == data
        repo.move_ref(REF, repo.write_commit(tree, [], "x\n", WHO, MOMENT), None)
    assert git("cat-file", "-s", f"{REF}:f") == str(size)
    assert git("hash-object", "--stdin", data=data) == oid
    git("fsck", "--strict", "--full", "--no-dangling")


# -- refs --------------------------------------------------------------------------------------------------


def test_a_ref_moves_only_from_where_it_was_seen(repo, git):
    """Compare-and-swap: made once, moved from the right place, left alone otherwise."""
    a, b, c = commits(repo, 3)
    assert repo.ref(REF) is None
    assert not repo.move_ref(REF, b, a)
    assert repo.ref(REF) is None
    assert repo.move_ref(REF, a, None)
    assert not repo.move_ref(REF, b, None)
    assert not repo.move_ref(REF, c, b)
    assert git("rev-parse", REF) == repo.ref(REF) == a
    assert repo.move_ref(REF, b, a, "lineage: said")
    assert git("rev-parse", REF) == b
    assert git("log", "-g", "-1", "--format=%gs", REF) == "lineage: said"
    git("pack-refs", "--all")
    assert not repo.move_ref(REF, c, None)
    assert not repo.move_ref(REF, c, a)
    assert repo.move_ref(REF, c, b)
    assert git("rev-parse", REF) == c
    assert not list((Path(repo.commondir) / "refs").rglob("*.lock"))


def test_a_name_that_is_in_the_way_is_an_error(repo):
    """``a`` and ``a/b`` cannot both be refs (semantics 57)."""
    (a,) = commits(repo, 1)
    repo.set_ref("refs/x/a", a)
    with pytest.raises(StorageError):
        repo.set_ref("refs/x/a/b", a)
    for name in ("refs/x/a..b", "refs/x/", "refs/x/a b"):
        with pytest.raises(StorageError):
            repo.set_ref(name, a)
        assert repo.ref(name) is None


RACE = """
import sys
from datetime import UTC, datetime
from gitlineage.git.formats import Identity
from gitlineage.git.repository import GitRepo
repo = GitRepo(sys.argv[1])
name, count, ref = sys.argv[2], int(sys.argv[3]), sys.argv[4]
print("ready", flush=True)
sys.stdin.readline()
won = 0
while won < count:
    tip = repo.ref(ref)
    who, parents = Identity(name, name), [tip] if tip else []
    new = repo.write_commit(repo.empty_tree(), parents, f"{name} {won}", who, datetime.now(UTC))
    won += repo.move_ref(ref, new, tip)
"""


def test_two_processes_that_race_for_one_ref_lose_nothing(repo, git, folder):
    """Without any other lock, each move is based on what it replaced: one line with every commit."""
    calls = [[sys.executable, "-c", RACE, str(folder), name, "150", REF] for name in ("a", "b")]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    running = [
        subprocess.Popen(
            call, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for call in calls
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    said = git("log", "--format=%s", REF).split("\n")
    assert sorted(said) == sorted(f"{name} {at}" for name in "ab" for at in range(150))
    assert int(git("rev-list", "--first-parent", "--count", REF)) == 300


def test_refs_below_a_prefix_loose_and_packed(repo, git):
    """Each once, the loose one counting, sorted, without lock files and neighbours."""
    a, b = commits(repo, 2)
    for name in ("x/a", "x/b/c", "x/é", "xy/d", "w"):
        repo.set_ref(f"refs/{name}", a)
    git("pack-refs", "--all")
    repo.set_ref("refs/x/a", b)
    repo.set_ref("refs/x/new", a)
    (Path(repo.commondir) / "refs" / "x" / "junk.lock").write_text("")
    expected = {"refs/x/a": b, "refs/x/b/c": a, "refs/x/new": a, "refs/x/é": a}
    assert repo.refs("refs/x/") == expected
    assert list(repo.refs("refs/x/")) == sorted(expected)
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/x/").split("\n")
    assert dict(line.split(" ") for line in listed) == expected
    assert repo.refs("refs/none/") == {}
    repo.set_ref("refs/x/b/c", None)
    repo.set_ref("refs/x/b/c", None)
    assert "refs/x/b/c" not in repo.refs("refs/x/")


# -- names -------------------------------------------------------------------------------------------------


def test_revisions_are_read_as_git_reads_them(repo, git, folder):
    """Branches, tags, suffixes, prefixes; what is no commit is None."""
    (a,) = commits(repo, 1)
    b = repo.write_commit(repo.empty_tree(), [a], "b\n", WHO, MOMENT)
    repo.set_ref("refs/heads/main", b)
    git("symbolic-ref", "HEAD", "refs/heads/main")
    git("tag", "-a", "-m", "x", "v1", a)
    for name in ("HEAD", "main", "@", b, b[:7], "heads/main", "v1~0", "HEAD^", "v1^{commit}", ":/b", "main@{0}"):
        expected = subprocess.run(
            ["git", "rev-parse", "-q", "--verify", f"{name}^{{commit}}"], cwd=folder, capture_output=True, check=False
        )
        if expected.returncode == 0:
            assert repo.resolve(name) == expected.stdout.decode().strip(), name
    for name in (
        "",
        "nope",
        "HEAD~5",
        "ab" * 20,
        repo.empty_tree(),
        "..",
        "-x",
        "a b",
        "HEAD:",
        "\udcff",
        ":",
        "^",
        "@{",
    ):
        assert repo.resolve(name) is None, name
    assert repo.resolve_tree(b) == repo.resolve_tree("HEAD^{tree}") == repo.empty_tree()
    assert repo.resolve_tree("nope") is None
    assert repo.head() == b


def test_a_prefix_of_several_oids_is_ambiguous(repo):
    """The beginning of several commits' oids names none of them; the error has them all."""
    found: dict[str, str] = {}
    for at in range(3000):
        oid = repo.write_commit(repo.empty_tree(), [], f"{at}\n", WHO, MOMENT)
        if oid[:4] in found:
            break
        found[oid[:4]] = oid
    for rest in ("", "^{commit}"):
        with pytest.raises(Ambiguous, match=oid[:4]) as caught:
            repo.resolve(oid[:4] + rest)
        assert set(caught.value.candidates) == {each + rest for each in (found[oid[:4]], oid)}
        assert all(repo.resolve(each) for each in caught.value.candidates)


def test_a_prefix_of_one_commit_and_of_other_objects(repo):
    """What begins one commit's oid and a file's names the commit, as for git; what begins files' only names nothing."""
    commits = {
        oid[:4]: oid for oid in (repo.write_commit(repo.empty_tree(), [], f"{at}\n", WHO, MOMENT) for at in range(300))
    }
    files: dict[str, str] = {}
    both = twice = ""
    for at in range(9000):
        oid = repo.write_object("blob", f"{at}\n".encode())
        both = oid[:4] if oid[:4] in commits and oid[:4] not in files else both
        twice = oid[:4] if oid[:4] in files and oid[:4] not in commits else twice
        files[oid[:4]] = oid
        if both and twice:
            break
    assert repo.resolve(both) == commits[both]
    assert repo.resolve(twice) is None


# -- repositories ------------------------------------------------------------------------------------------


def test_configuration_comes_from_git_and_stays_in_the_clone(repo, git, blind_git):
    """Our setting lands in the repository's file; later changes by git are seen."""
    assert repo.config("lineage.writer") is None
    repo.set_config("lineage.writer", "alice")
    assert git("config", "--local", "lineage.writer") == "alice"
    git("config", "lineage.writer", "bob")
    assert repo.config("lineage.writer") == "bob"
    assert repo.identity() == Identity("gitlineage", "gitlineage@localhost")
    git("config", "user.name", "Ann <x>")
    git("config", "user.email", "ann@example.org")
    assert repo.identity() == Identity("Ann x", "ann@example.org")


@pytest.mark.parametrize(
    "line", ["= on", "= Yes", "= 1", "= -1", "= 2k", "= true", "", "= off", "= NO", "= 0", "= false", "=", '= ""']
)
def test_a_flag_is_what_git_says(repo, git, folder, line):
    """Every way to write true and false, a key without a value (true) and an empty value (false) included."""
    with (folder / ".git" / "config").open("a") as file:
        file.write(f"[some]\n\tkey {line}\n")
    said = git("config", "--type=bool", "some.key") == "true"
    assert repo.flag("some.key") is repo.flag("some.key", default=True) is said


def test_a_flag_that_is_missing_or_neither(repo, git):
    """One is the default, the other an error that names it."""
    assert (repo.flag("some.key"), repo.flag("some.key", default=True)) == (False, True)
    git("config", "some.key", "maybe")
    with pytest.raises(RepositoryError, match=r"some\.key.*maybe"):
        repo.flag("some.key")


def test_a_broken_configuration_is_an_error_of_ours(repo, folder):
    """A file that git cannot parse stops us with its name."""
    (folder / ".git" / "config").write_text("[core\nbroken")
    with pytest.raises(RepositoryError):
        GitRepo(folder)


def test_finding_a_repository(repo, folder, tmp_path):
    """From below, not from beside; a file or nothing is no repository."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "file").write_text("")
    (tmp_path / "beside").mkdir()
    assert GitRepo(folder / "deep" / "er").commondir == repo.commondir
    assert find_repository(tmp_path / "beside") is None
    assert find_repository(tmp_path / "missing") is None
    assert find_repository(folder / "file") is None
    with pytest.raises(RepositoryError, match="init"):
        GitRepo(tmp_path / "beside")


def test_bare_and_linked_repositories_know_their_folders(repo, git, folder, tmp_path):
    """What worktrees share is in the common directory; what is their own is not."""
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = GitRepo(tmp_path / "linked")
    assert linked.commondir.samefile(folder / ".git")
    assert not linked.gitdir.samefile(folder / ".git")
    assert linked.workdir.samefile(tmp_path / "linked")
    (a,) = commits(linked, 1)
    assert linked.move_ref(REF, a, None)
    assert repo.ref(REF) == a
    assert linked.refs("refs/notes/") == {REF: a}
    init_repository(tmp_path / "bare.git", bare=True)
    assert GitRepo(tmp_path / "bare.git").workdir is None


def test_a_repository_of_another_format_is_refused(git, tmp_path):
    """SHA-256, and formats that nobody knows yet."""
    git("init", "-q", "--object-format=sha256", str(tmp_path / "long"), cwd=tmp_path)
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        GitRepo(tmp_path / "long")
    init_repository(tmp_path / "future")
    git("config", "core.repositoryformatversion", "7", cwd=tmp_path / "future")
    with pytest.raises(RepositoryError):
        GitRepo(tmp_path / "future")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder away needs root")
def test_a_repository_of_somebody_else_is_refused_with_the_remedy(repo, folder):
    """Git's owner check, and the setting that lifts it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 12345, 12345)
    with pytest.raises(RepositoryError, match=r"safe\.directory"):
        GitRepo(folder)


def test_initialising_twice_changes_nothing(repo, folder, git):
    """An existing repository is left as it is."""
    (a,) = commits(repo, 1)
    repo.set_ref("refs/heads/x", a)
    before = (folder / ".git" / "config").read_bytes()
    init_repository(folder)
    assert (folder / ".git" / "config").read_bytes() == before
    assert GitRepo(folder).ref("refs/heads/x") == a
