"""
The MCP server: the lineage as tools, resources and a prompt for coding agents.

`asked` has what the tools take and `answers` what they give, both as records whose schemas clients see; `tools` are the
tools themselves, which know nothing of MCP; `server` puts them onto the official SDK, and `serve` runs that on standard
input and output, or on the loopback with a token. Only the last two import the SDK, which is the extra ``mcp``. Start
with `tools`.
"""
