"""Tests, by what they hold up; a package, so that tests/domain never shadows domain."""
