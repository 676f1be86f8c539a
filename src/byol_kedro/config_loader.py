"""Kedro's configuration loader, for several runs in one process."""

from threading import RLock
from typing import Any

from kedro.config import OmegaConfigLoader

# OmegaConf's resolvers belong to the process, not to a loader.
_RESOLVERS = RLock()


class ConfigLoader(OmegaConfigLoader):
    """Resolves `${globals:…}` and `${runtime_params:…}` with the values of its own run.

    Kedro registers these resolvers for the whole process and the one for globals only when a loader is created. A
    catalog that is built after another run's loader would point to the other run's `data_root`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with _RESOLVERS:
            super().__init__(*args, **kwargs)

    def __getitem__(self, key: str) -> dict[str, Any]:
        with _RESOLVERS:
            self._register_globals_resolver()
            return super().__getitem__(key)
