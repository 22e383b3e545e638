"""
Formats of histories: each module reads one kind of file or folder into what was found, and judges nothing.

Start with `found.Found`, which all of them give, and `registry.FORMATS`, which lists them. `words` and `numbers` hold
what people's words and numbers mean.
"""
