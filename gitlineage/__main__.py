"""``python -m gitlineage``, the command line where its script is on no path; Ctrl-C is minded before anything else."""

from importlib import import_module

signal = import_module("_signal")  # see `gitlineage.cli`
handler = signal.getsignal(signal.SIGINT)
if handler is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
import_module("gitlineage.cli").main(handler)
