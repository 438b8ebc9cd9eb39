"""What is delivered, written in others' formats: zip and git."""
