"""
The doors by which coding agents reach the lineage: their own files, their session-start hooks, an MCP server.

`agent` has the records, `formats/` the agents' formats, one module each with the date of its check. `jsonc` and
`blocks` edit files so that every other byte stays; `install` puts our entries in and takes them out, `check` goes
through each door. `session` is what the session-start hook says, `texts` what AGENTS.md and the skill say. `mcp/` is
the server; only `gitlineage mcp` imports it, because its SDK takes a second to load. Imports everything to the left of
it, and nothing of the demo, the page or the command line. Start with `install`.
"""
