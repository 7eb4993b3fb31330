"""For all tests: hypothesis has no deadline, because machines that test are shared and slow at odd moments."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
