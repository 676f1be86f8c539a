"""Plain files: download, decoding, atomic writes and verification. Nothing here depends on Kedro."""
