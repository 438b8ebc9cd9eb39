"""What the service says of itself, without what must stay secret."""
