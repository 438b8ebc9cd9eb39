"""The makers of generated pages and of the web's types."""
