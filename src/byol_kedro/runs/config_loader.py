"""How conf/, the environment and the command line become the values that nodes and the catalog get."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.runs.command_line import flat

logger = get_logger(__name__)
CONF_SOURCE = "_conf_source"  # among the parameters of a run: the configuration that they are from
# OmegaConf's resolvers belong to the process, not to a loader.
_RESOLVERS = RLock()


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader with checked values: what `Parameters` makes of them, for nodes, catalog and Kedro-Viz alike.

    `globals` and `parameters` have all of them, also those of `runtime_params`, which are taken as they are: a text is
    never read as YAML. What is wrong in a file of conf/ is a UserError that names the file.

    Kedro registers the resolvers of `${globals:…}` and `${runtime_params:…}` for the whole process and the one for
    globals only when a loader is created. A catalog that is built after another run's loader would point to the other
    run's `data_root`; here each has the values of its own run.
    """

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **options: Any
    ) -> None:
        typed = runtime_params or {}
        for name, value in flat(typed):
            if isinstance(value, str) and ("${" in value or value == "???"):
                raise UserError(
                    f"--params {name}: found {value!r}, which stands for another value; type that one (the shell "
                    "puts in its variables unless they are within single quotes)"
                )
        if set("*?[") & set(str(conf_source)):
            raise UserError(
                f"{conf_source}: Kedro reads * ? and [ in the path of the configuration as a pattern and finds no "
                "file; rename the folder"
            )
        self._globals: dict[str, Any] = {}  # where globals.yml asks for the globals that are about to be read
        try:
            with _RESOLVERS:
                super().__init__(conf_source, env, typed, **options)
        except ImportError as error:  # a package that such addresses need
            raise UserError(f"--conf-source {conf_source}: {error}; or name a folder on this machine") from error

        from byol_kedro.runs.validation import validated_parameters  # noqa: PLC0415  # those who read no conf/ need none of it

        values = validated_parameters(self).model_dump(mode="json")
        self["globals"] = values
        self["parameters"] = values | {CONF_SOURCE: str(conf_source)}
        self._globals_oc = None  # made of the globals before they were checked
        self.runtime_params = {name: values[name] for name in typed}
        self._warn_of_unread_files()

    def __getitem__(self, key: str) -> dict[str, Any]:
        with _RESOLVERS:
            self._register_globals_resolver()
            try:
                return super().__getitem__(key)
            except (MissingConfigException, UserError, PermissionError):
                raise
            except Exception as error:
                from byol_kedro.runs.conf_faults import fault  # noqa: PLC0415  # needed by few

                found = fault(error, dict(self._texts(key)), self.runtime_params)
                if found is None:
                    raise
                raise UserError(found) from error

    def _texts(self, key: str) -> Iterator[tuple[Path, bytes]]:
        """The files of conf/ that are read for `key`, those of base first, with what is in them."""
        for folder in self._folders():
            for path in sorted(self._files(folder, self.config_patterns[key])):
                yield path, self._fs.cat_file(path.as_posix())

    def _folders(self) -> list[str]:
        return [self._get_conf_env_path(env) for env in (self.base_env, self.env or self.default_run_env)]

    def _files(self, folder: str, patterns: Iterable[str]) -> set[Path]:
        paths = {Path(name) for pattern in patterns for name in self._fs.glob(f"{folder}/{pattern}")}
        return {path for path in paths if self._is_valid_config_path(path)}

    def _warn_of_unread_files(self) -> None:
        for folder in self._folders():
            unread = self._files(folder, ["*"]) - self._files(folder, chain(*self.config_patterns.values()))
            for path in sorted(unread):
                logger.warning(
                    "%s is not read: a name that begins with parameters or catalog is expected, or globals.yml", path
                )
