"""Kedro's settings for this project."""

import warnings

from byol_kedro.hooks import ProjectHooks
from byol_kedro.runs.config_loader import ConfigLoader

# Once for the process: `catch_warnings` inside a node would change what other threads see, and could leave it changed.
# Kedro's own call of a name that omegaconf is about to rename: nothing that a user could act on, 20 lines in every run.
warnings.filterwarnings("ignore", message="register_new_resolver")
# scikit-learn's six lines for each fit; the node that fits says it in one.
warnings.filterwarnings("ignore", message="lbfgs failed to converge")
warnings.filterwarnings("ignore", message="Number of distinct clusters")

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
