"""What all tasks share: flags, training, modes, records."""
