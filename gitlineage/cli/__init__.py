"""The command line; only its entry point is here."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word from the first moment on, while it is being loaded, too."""
    handler = signal.getsignal(signal.SIGINT)
    is_usual = handler is signal.default_int_handler  # what runs in the background may have it ignored
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gitlineage.cli.app import main as run

    try:
        if is_usual:
            signal.signal(signal.SIGINT, handler)
        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


__all__ = ["main"]
