"""Load and validate configuration from conf/, the environment and the command line."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from threading import RLock
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.runs.command_line import flat
from byol_kedro.runs.conf_faults import fault, read_conf

logger = get_logger(__name__)
CONF_SOURCE = "_conf_source"  # a parameter that contains the configuration folder of the run
# OmegaConf's resolvers are global, not per loader.
_RESOLVERS = RLock()


class ConfigLoader(OmegaConfigLoader):
    """Kedro's loader with values validated by `Parameters`, for nodes, the catalog and Kedro-Viz.

    `globals` and `parameters` contain all parameters including `runtime_params`, whose strings are not parsed as YAML.
    Of alternative parameters (`ALTERNATIVES`) they contain the one that is given last. An error in a file of conf/ is a
    UserError that names the file.

    Kedro registers the resolvers `${globals:…}` and `${runtime_params:…}` globally, and the first one only when a
    loader is created. A catalog built after the loader of another run would use the `data_root` of that run. This
    class registers them before each access, so that every run uses its own values.
    """

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **options: Any
    ) -> None:
        """Load and validate globals and parameters.

        Args:
            conf_source: the configuration folder.
            env: the environment; the default one if None.
            runtime_params: parameters of the command line, as nested blocks.
            **options: see `OmegaConfigLoader`.

        Raises:
            UserError: a parameter is invalid or a file cannot be read.
        """
        given = runtime_params or {}
        for name, value in flat(given):
            if isinstance(value, str) and ("${" in value or value == "???"):
                raise UserError(
                    f"--params {name}: found {value!r}, expected a value instead of a reference (the shell does not "
                    "expand variables in single quotes)"
                )
        if set("*?[") & set(str(conf_source)):
            raise UserError(
                f"{conf_source}: Kedro treats * ? and [ in the path of the configuration as a pattern and finds no "
                "file; rename the folder"
            )
        self._globals: dict[str, Any] = {}  # for references to globals in globals.yml itself
        try:
            with _RESOLVERS:
                super().__init__(conf_source, env, given, **options)
        except ImportError as error:  # for example s3fs
            raise UserError(f"--conf-source {conf_source}: {error}; or use a local folder") from error

        from byol_kedro.runs.validation import validated_parameters  # noqa: PLC0415  # slow to import

        values = validated_parameters(self).model_dump(mode="json")
        self["globals"] = values
        self["parameters"] = values | {CONF_SOURCE: str(conf_source)}
        self._globals_oc = None  # created from the unvalidated globals
        self.runtime_params = {name: values[name] for name in given}
        self._warn_of_unread_files()

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Return the configuration `key`; errors in its files are UserErrors."""
        with _RESOLVERS:
            self._register_globals_resolver()
            try:
                values = super().__getitem__(key)
            except (MissingConfigException, UserError, PermissionError):
                raise
            except Exception as error:
                found = fault(error, dict(self._texts(key)), self.runtime_params)
                if found is None:
                    raise
                raise UserError(found) from error
        if key == "parameters":
            from byol_kedro.runs.alternatives import keep_last_given  # noqa: PLC0415  # slow to import

            keep_last_given(values, self._layers())
        return values

    def _layers(self) -> Iterator[Mapping[str, Any]]:
        """Yield the names and values of each file of parameters in the order of merging, then the command line."""
        for _, text in self._texts("parameters"):
            content = read_conf(text)
            if isinstance(content, dict):  # else the validation refuses a name in it
                yield content
        yield self.runtime_params

    def _texts(self, key: str) -> Iterator[tuple[Path, bytes]]:
        """Yield path and content of the files that are read for `key`, those of base first."""
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
                    "%s is ignored: expected a name that begins with parameters or catalog, or globals.yml", path
                )
