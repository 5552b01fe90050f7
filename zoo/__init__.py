"""Models that know text."""
