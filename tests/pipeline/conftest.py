"""Tests that run in this process need no byte on a physical disk; those that kill a process flush as users do."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
