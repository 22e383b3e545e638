#!/bin/sh
# Record trials with git's plumbing commands, one after the other: plumbing.sh COUNT PARENT ROW RECIPE
# The same record as one `commit`: blob, tree, commit; note, the three notes trees on its way, their commit; the ref.
set -eu
count=$1 parent=$2 row=$3 recipe=$4
ref=refs/notes/bench-plumbing
prepare=$(git rev-parse "$parent:prepare.py")

replace() { # TREE MODE KIND OID NAME: print the tree with one entry put in
    { [ -z "$1" ] || git ls-tree "$1" | grep -v "	$5\$" || :; printf '%s %s %s\t%s\n' "$2" "$3" "$4" "$5"; } | git mktree
}
below() { # TREE NAME: print the oid of a folder, nothing where there is none
    [ -z "$1" ] || git ls-tree "$1" "$2" | cut -c 13-52
}

number=0
while [ "$number" -lt "$count" ]; do
    number=$((number + 1))
    blob=$({ cat "$recipe"; echo "RUN = $number $$"; } | git hash-object -w --stdin)
    tree=$(printf '100644 blob %s\tprepare.py\n100644 blob %s\ttrain.py\n' "$prepare" "$blob" | git mktree)
    commit=$(printf 'Trial %s\n\nExp-Id: %s\n' "$number" "$number" | git commit-tree "$tree" -p "$parent")
    note=$(git hash-object -w "$row")
    journal=$(git rev-parse "$ref")
    rest=${commit#??}
    first=${commit%"$rest"} leaf=${rest#??}
    second=${rest%"$leaf"}
    one=$(below "$journal^{tree}" "$first")
    two=$(below "$one" "$second")
    two=$(replace "$two" 100644 blob "$note" "$leaf")
    one=$(replace "$one" 040000 tree "$two" "$second")
    top=$(replace "$journal^{tree}" 040000 tree "$one" "$first")
    new=$(printf 'Record %s\n\nClock: %s\n' "$number" "$number" | git commit-tree "$top" -p "$journal" -p "$commit")
    git update-ref "$ref" "$new" "$journal"
    parent=$commit
done
