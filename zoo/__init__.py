"""Models that know text: tokenising, vocabularies, tag schemes, heads on recurrent stacks."""
