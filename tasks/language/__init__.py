"""The probability of texts, and texts drawn by it."""
