"""Kedro's settings for this project."""

import warnings

from byol_kedro.hooks import ProjectHooks
from byol_kedro.runs.config_loader import ConfigLoader

# Set here and not with `catch_warnings` in a node, which is not thread-safe.
# Kedro calls a deprecated function of omegaconf, 20 lines in every run.
warnings.filterwarnings("ignore", message="register_new_resolver")
# scikit-learn warns in six lines for each fit; the node logs one line instead.
warnings.filterwarnings("ignore", message="lbfgs failed to converge")
warnings.filterwarnings("ignore", message="Number of distinct clusters")
# It suspects a regression behind many classes of few images, which are evaluated here on purpose.
warnings.filterwarnings("ignore", message="The number of unique classes")

HOOKS = (ProjectHooks(),)
# An installed package has no .telemetry file that opts out.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_CLASS = ConfigLoader

# Soft merge: an environment contains only what differs from conf/base.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
