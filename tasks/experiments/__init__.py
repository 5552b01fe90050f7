"""What the lecture claims, measured."""
