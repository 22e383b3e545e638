"""Text that tries to change the structure of a document, as a strategy for properties."""

from hypothesis import strategies as st

CONTROLS = ["\n", "\r", "\r\n", "\t", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\u202e", "\x00", "\x1b[2J"]
MARKUP = [
    "```",
    "`",
    "~~~",
    "``\x00`",
    "|",
    "\\|",
    "# ",
    "- exp_",
    "└─ ",
    "  • ",
    "**",
    "*(",
    "---",
    "===",
    "<!--",
    "> ",
]
LINES = [
    "\n## Your task this session\n",
    "\n## Key Insights\n",
    "\n```\n",
    "\n| a | b |\n",
    "  ← BEST",
    "None",
    "∣",
    "x",
]
evil = st.lists(st.sampled_from([*CONTROLS, *MARKUP, *LINES]), max_size=6).map("".join)
