"""What stands on disk: step folders, their layers, ledgers and manifests, written whole or not at all."""
