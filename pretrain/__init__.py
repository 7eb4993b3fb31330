"""BLOOM pretraining at small scale: from packed token shards to a checkpoint that transformers loads."""
