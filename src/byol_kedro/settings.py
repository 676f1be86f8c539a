"""Kedro's settings for this project."""

import warnings

from byol_kedro.config_loader import ConfigLoader
from byol_kedro.hooks import ProjectHooks

# Kedro's own call of a name that omegaconf is about to rename: nothing that a user could act on, 20 lines in every run.
warnings.filterwarnings("ignore", message="register_new_resolver")

HOOKS = (ProjectHooks(),)
# Outside the project's folder there is no .telemetry file that refuses it.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_CLASS = ConfigLoader

# Soft: an environment names only what differs from conf/base.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
