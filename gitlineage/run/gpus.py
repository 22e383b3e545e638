"""
Which GPUs a run has: free ones, by lock files that all runs of a machine look at; start at `take`.

A lock is held by every process of the command, so that a device is free when the last one is gone, whoever supervised
it. How many there are says ``CUDA_VISIBLE_DEVICES``, else NVIDIA's library where it is installed, else git config
``lineage.gpus``.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from gitlineage.errors import Invalid

VISIBLE = "CUDA_VISIBLE_DEVICES"
_PAUSE = 0.2
_TELL = 2.0
"""Seconds that are waited before that is said."""


class Taken(msgspec.Struct, frozen=True):
    """Devices that are ours, as `VISIBLE` names them, and the descriptors that hold them."""

    devices: str = ""
    handles: tuple[int, ...] = ()

    def release(self) -> None:
        """Let go of them here; who inherited them still has them."""
        for handle in self.handles:
            os.close(handle)


NONE = Taken()


def take(
    count: int,
    environment: Mapping[str, str],
    setting: str | None,
    note: Callable[[str], None],
    given_up: Callable[[], bool] = lambda: False,
) -> Taken:
    """
    Take so many free devices; wait until there are.

    Args:
        count: how many; 0 takes none.
        environment: the variables of whoever calls.
        setting: git config ``lineage.gpus``.
        note: is told what is waited for.
        given_up: whether to wait no longer.

    Raises:
        Invalid: there are not so many here, or nobody knows how many there are; or it was given up.
    """
    if not count:
        return NONE
    devices = _devices(environment, setting)
    if count > len(devices):
        raise Invalid(f"--gpus {count}: there are {len(devices)} here")
    began, told = time.monotonic(), False
    while not given_up():
        taken = _free(devices, count)
        if taken is not None:
            return taken
        if not told and time.monotonic() - began > _TELL:
            told = True
            note(f"waiting for {count} of {len(devices)} GPUs, which other runs have")
        time.sleep(_PAUSE)
    raise Invalid("interrupted while waiting for GPUs; nothing was recorded")


def _devices(environment: Mapping[str, str], setting: str | None) -> list[str]:
    if (visible := environment.get(VISIBLE)) is not None:
        return [name for name in visible.replace(" ", "").split(",") if name and name != "-1"]
    with suppress(ImportError):
        import pynvml

        with suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            try:
                return [str(number) for number in range(pynvml.nvmlDeviceGetCount())]
            finally:
                pynvml.nvmlShutdown()
    if setting is None or not setting.isdecimal():
        raise Invalid("--gpus needs to know how many there are: `git config lineage.gpus N`, or install nvidia-ml-py")
    return [str(number) for number in range(int(setting))]


def _free(devices: list[str], count: int) -> Taken | None:
    """Take the first devices that nobody has; ``None``, and none taken, where there are too few."""
    free: list[tuple[str, int]] = []
    for device in devices:
        if (handle := _lock(device)) is not None:
            free.append((device, handle))
        if len(free) == count:
            return Taken(",".join(name for name, _ in free), tuple(handle for _, handle in free))
    for _, handle in free:
        os.close(handle)
    return None


def _lock(device: str) -> int | None:
    """Lock a device; ``None`` where somebody has it. The file is for all users of the machine."""
    name = "".join(sign if sign.isalnum() else "-" for sign in device)
    path = Path(tempfile.gettempdir()) / f"gitlineage-gpu-{name}.lock"
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            handle = os.open(path, flags)
        except FileNotFoundError:
            handle = os.open(path, flags | os.O_CREAT, 0o666)
            with suppress(OSError):
                os.fchmod(handle, 0o666)
    except OSError as error:
        raise Invalid(f"--gpus: cannot open {path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
