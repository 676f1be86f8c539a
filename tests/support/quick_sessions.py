"""Spares the tests what every new Kedro session would do again."""

import pickle
import sys
from functools import cache
from importlib import metadata, util
from io import StringIO
from pathlib import Path
from typing import IO, Any

from kedro.framework import project, startup
from kedro.framework.session import session
from omegaconf import OmegaConf


class Installed:
    """A distribution whose entry points are read once."""

    def __init__(self, distribution: metadata.Distribution) -> None:
        self._distribution = distribution
        self.entry_points = distribution.entry_points

    def __getattr__(self, name: str) -> Any:
        return getattr(self._distribution, name)


def remember_what_sessions_read() -> None:
    """Let this process read the project's settings, the state of git and the installed plugins once.

    Hundreds of tests start a session, and most of the time of a start goes into these. A text of conf/ is parsed once,
    too: each session gets a copy of its own, and a changed file is another text.
    """
    configure, describe_git = startup.configure_project, session._describe_git
    load, distributions = OmegaConf.load, metadata.distributions

    def configure_once(package_name: str, **options: Any) -> None:
        if package_name == project.PACKAGE_NAME:
            project.pipelines.configure(f"{package_name}.pipeline_registry")
        else:
            configure(package_name, **options)

    @cache
    def parsed(text: str) -> bytes:
        return pickle.dumps(load(StringIO(text)))

    def load_copy(file: str | Path | IO[Any], **options: Any) -> Any:
        return pickle.loads(parsed(file.getvalue())) if isinstance(file, StringIO) else load(file, **options)

    @cache
    def installed() -> list[Installed]:
        return [Installed(distribution) for distribution in distributions()]

    startup.configure_project = configure_once
    session._describe_git = cache(describe_git)
    OmegaConf.load = staticmethod(load_copy)
    metadata.distributions = lambda **where: distributions(**where) if where else iter(installed())
    if util.find_spec("ibis") is None:
        sys.modules["ibis"] = None  # Kedro looks for it once per parameter
