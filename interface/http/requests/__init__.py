"""What comes in: bodies, parameters, headers, cursors and ranges, each with its bounds."""
