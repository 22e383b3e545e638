"""
The command line: its entry point is here, and a module for the commands of each group of the help.

Start with `app.COMMANDS`, which names the module of every command. Beside these modules there is what they share:
`options` and `parameters` (what is typed), `opening` (the store, the environment), `listing` (trials as lines and as
``--json``), `layout`, `drawing` and `output` (what is shown), `failing` (errors and exit codes), `commands` and
`helping` (how commands are declared, and help). Imports everything.
"""

import gc
from importlib import import_module

signal = import_module("_signal")  # `signal` itself loads `enum`, too, while Ctrl-C would still show a traceback


_GARBAGE = 50_000
"""Objects that are made before Python looks for circles, which took a tenth of a start and found none."""


def main(handler: object = None) -> None:
    """
    Run the command line; Ctrl-C ends it without a word from the first moment to the last, while it loads, too.

    Args:
        handler: what Ctrl-C did before the caller had it end the process; by default what it does now.
    """
    handler = handler or signal.getsignal(signal.SIGINT)
    is_usual = handler is signal.default_int_handler  # what runs in the background may have it ignored
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(_GARBAGE, 20, 20)
    from gitlineage.cli.app import main as run

    try:
        if is_usual:
            signal.signal(signal.SIGINT, handler)
        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        if is_usual:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


__all__ = ["main"]
