"""Plain files: downloaded, decoded, written whole or not at all, verified. Nothing of Kedro."""
