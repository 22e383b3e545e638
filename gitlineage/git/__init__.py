"""
Git by itself, whatever is kept in it: objects, refs, configuration, notes trees, working trees, transport, upkeep.

pygit2 and the git program are spoken here and nowhere else; above it there are text oids and bytes. Imports the leaves.
Start with `repository`, which has the compare-and-swap (`move_refs`); `content` makes a folder into a tree.
"""
