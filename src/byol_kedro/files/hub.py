"""Weights from the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

FILE = "model.safetensors"  # the only format that is fetched: loading it cannot run code


class NotAtHandError(Exception):
    """A file is neither in the hub's cache nor to be had from it; the message says why, on one line."""


def hub_weights(repository: str) -> Path:
    """`model.safetensors` of a repository, from the hub's cache on this machine or downloaded into it.

    Raises:
        NotAtHandError: there is no network, or no such file.
    """
    cached = try_to_load_from_cache(repository, FILE)
    if isinstance(cached, str):
        return Path(cached)
    try:
        # Asks once. The download alone would, without a network, try for half a minute and say so in ten lines.
        get_hf_file_metadata(hf_hub_url(repository, FILE))
        return Path(hf_hub_download(repository, FILE))
    except Exception as error:
        # The hub raises errors of its HTTP library, which has changed with its versions.
        first = next(iter(str(error).splitlines()), "").strip()
        raise NotAtHandError(f"{type(error).__name__}: {first}") from error
