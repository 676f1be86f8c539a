"""The processor cores that this process may use."""


def usable_cores() -> int:
    """Number of cores, at least 1: those of the machine, of the affinity mask, or of a container's quota if fewer."""
    from joblib import cpu_count  # noqa: PLC0415  # not needed by every command

    return int(cpu_count())
