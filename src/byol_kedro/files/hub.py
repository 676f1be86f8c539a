"""Weights from the Hugging Face Hub."""

from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

FILE = "model.safetensors"  # the only format that is downloaded: loading it cannot run code


class WeightsUnavailableError(Exception):
    """Weights that are neither cached nor downloadable; the message is the reason in one line."""


def hub_weights(repository: str) -> Path:
    """Return the path of `model.safetensors` of a repository in the local cache; download it if necessary.

    Raises:
        WeightsUnavailableError: There is no network or no such file.
    """
    cached = try_to_load_from_cache(repository, FILE)
    if isinstance(cached, str):
        return Path(cached)
    try:
        # One request. Without a network, the download alone would retry for half a minute and log ten lines.
        get_hf_file_metadata(hf_hub_url(repository, FILE))
        return Path(hf_hub_download(repository, FILE))
    except Exception as error:
        # The errors are those of its HTTP library, which differs between versions.
        first = next(iter(str(error).splitlines()), "").strip()
        raise WeightsUnavailableError(f"{type(error).__name__}: {first}") from error
