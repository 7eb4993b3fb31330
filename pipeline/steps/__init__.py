"""How steps are made: tasks for the engine, phase by phase, and the manifest from their marks."""
